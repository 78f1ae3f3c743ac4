/*
 * bytecode - compiled modules (.pyc): written with more care than Python takes, and read with less effort.
 *
 * Care: a cached .pyc is believed when the source has the same size and the same second in its time. So a module that was
 * changed less than two seconds ago is not cached: else an edit right after it could go unnoticed for ever.
 *
 * Effort: Python's own loader takes a dozen system calls and some 60 lines of Python to read a .pyc; that is a twelfth of
 * the time of Django's start, and a sleeping app's first client waits for it. The usual case (the source file's loader
 * as Python made it, a .pyc beside it that is bound to the source's time and size) is read in C, with the same checks;
 * everything else goes to Python's loader: no or a stale .pyc, one bound to a hash, PYTHONPYCACHEPREFIX, -O, a loader
 * that somebody has derived or patched.
 */
#pragma once

/* Holds the GIL; once, before the app is imported. 0, or -1 with a Python exception. */
int bytecode_start(void);

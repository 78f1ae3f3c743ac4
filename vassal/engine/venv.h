/*
 * venv - what `home` means: reads a virtualenv's pyvenv.cfg and says whether this engine's Python can run it. Knows
 * no Python; looks at files only.
 */
#pragma once
#include "shared/span.h"
#include <limits.h>

struct err;

#define VENV_CFG_MAX 16384 /* bytes of a pyvenv.cfg; real ones have 200 */

struct venv {
	char executable[PATH_MAX]; /* what sys.executable is to be */
	char base[PATH_MAX];       /* directory of the Python that made it; "" = not said */
};

/*
 * home: the virtualenv's directory, a path to its bin/python, or NULL for none; system_python: the interpreter that
 * the engine was built for; major, minor: its version. An error says what is wrong with it in an operator's words.
 */
int venv_find(const char *home, const char *system_python, unsigned major, unsigned minor,
	      struct venv *ret, struct err *err);

/* The value of key in the text of a pyvenv.cfg, trimmed; n = 0 if there is none. Keys compare without case. */
struct span venv_cfg_get(struct span text, const char *key);

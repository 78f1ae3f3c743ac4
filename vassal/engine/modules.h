/*
 * modules - which files the code of this process came from, for py-autoreload: the front watches them.
 */
#pragma once
struct engine;

/*
 * A sealed memfd of paths, each ended by a NUL, if modules were imported since the last call; -1 if none were, if nobody
 * wants to know, or if there is no memory. Holds the GIL; no exception remains.
 */
int modules_news(const struct engine *e);

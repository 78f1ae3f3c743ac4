/*
 * engines - which engine-pythonX.Y runs an app: the one that `python` names, else the one that its
 * virtualenv was made for, else the newest there is. A virtualenv's packages only work with the
 * Python of its minor version, so there is no "nearest": none that fits is an error that says what
 * is there.
 */
#pragma once
#include "shared/span.h"
#include <limits.h>

struct err;

#define ENGINE_PREFIX       "engine-python"
#define ENGINES_MAX         16 /* Pythons of one machine; a few minor versions of 3 at most */
#define ENGINE_PYVENV_BYTES (16UL * 1024) /* pyvenv.cfg; a real one has 200 bytes */

struct engine_version { /* zeroed = none asked for */
	unsigned major, minor;
};

struct engine {
	struct engine_version version;
	char path[PATH_MAX];
};

/* Where the engines of this installation stand, seen from the program that asks. */
void engine_find_dir(char *buf, size_t size);

/*
 * dir: where the engines stand. python: "3.12", "python3.12", "3" or NULL. home: a virtualenv, or
 * NULL. 0, -ENOENT (no such virtualenv, no engine that fits), -EINVAL (not a version; virtualenv
 * without a readable pyvenv.cfg).
 */
int engine_find(const char *dir, const char *python, const char *home, struct engine *ret,
		struct err *err);

/* Pure. The version that a pyvenv.cfg is for: 0, -ENOENT (it says none), -EINVAL (*ret_value, in
 * text, is no version). */
int engine_parse_pyvenv(struct span text, struct engine_version *ret, struct span *ret_value);

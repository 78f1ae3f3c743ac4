/*
 * spec - how an ini names its app: "pkg.mod", "pkg.mod:obj", "pkg.mod:obj.attr", "pkg.mod:factory()". Pure.
 */
#pragma once
#include "shared/span.h"

struct err;

#define SPEC_MAX 512 /* characters of a module line */

struct spec {
	char module[SPEC_MAX];
	char object[SPEC_MAX]; /* dotted; "" = not said */
	bool call;             /* object is a factory */
};

int spec_parse(const char *text, struct spec *ret, struct err *err);

/* "dir/my-app.py" is executed as module uwsgi_file_dir_my_app: pickles and loggers depend on the name. */
void spec_file_module(const char *path, char buf[SPEC_MAX]);

/*
 * The end of a traceback that fits size bytes, NUL included, cut at a line. The last line is what went wrong, so it
 * is there even if it has to be cut.
 */
void spec_tail(struct span text, char *buf, size_t size);

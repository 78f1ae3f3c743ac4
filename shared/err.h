/*
 * err - the human half of a failure. Functions return 0 or a negative errno; the text is made where the
 * facts are and travels beside it. Never logs. A zeroed struct is "no error".
 */
#pragma once
#include "shared/base.h"

#define ERR_TEXT_MAX \
	1024 /* long enough for a path, a reason and a line of a traceback; cut, never grown */

struct err {
	int code; /* negative errno, 0 if none */
	char text[ERR_TEXT_MAX];
};

/* Fills err (may be NULL) and returns code, so that callers write: return err_set(err, -EBUSY, "..."); */
int err_set(struct err *err, int code, const char *fmt, ...) _printf_(3, 4);

#ifdef __clang_analyzer__
/* It reads one file at a time and would follow the path on which a failure returns 0 or more. */
#define err_set(err, code, ...)                         \
	({                                              \
		int _code = (code);                     \
		(void)err_set(err, _code, __VA_ARGS__); \
		_code < 0 ? _code : -1;                 \
	})
#endif

/* Puts "prefix: " before the text that is there. Returns err's code. */
int err_prefix(struct err *err, const char *fmt, ...) _printf_(2, 3);

/* Puts text behind the one that is there. Returns err's code. */
int err_append(struct err *err, const char *text);

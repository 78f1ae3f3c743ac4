/*
 * err - see err.h. No allocation: an error must be sayable when memory has run out.
 */
#include "shared/err.h"

#include <stdarg.h>
#include <stdio.h>

int(err_set)(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	err->code = code;
	va_start(ap, fmt);
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return code;
}

int err_prefix(struct err *err, const char *fmt, ...)
{
	char old[ERR_TEXT_MAX];
	size_t n;
	va_list ap;

	if (!err)
		return 0;
	memcpy(old, err->text, sizeof(old));
	va_start(ap, fmt);
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	n = strlen(err->text);
	(void)snprintf(err->text + n, sizeof(err->text) - n, ": %s", old);
	return err->code;
}

int err_append(struct err *err, const char *text)
{
	size_t n;

	if (!err)
		return 0;
	n = strlen(err->text);
	(void)snprintf(err->text + n, sizeof(err->text) - n, "%s", text);
	return err->code;
}

/*
 * spec - see spec.h.
 */
#include "vassal/engine/spec.h"

#include <errno.h>
#include <stdio.h>

#include "shared/err.h"

/* ASCII letters, digits, '_' and anything beyond ASCII (Python knows better), parts joined by single dots. */
static bool is_dotted_name(struct span s)
{
	bool part = false;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		unsigned char lower = c | 0x20;

		if (c == '.') {
			if (!part)
				return false;
			part = false;
			continue;
		}
		if (c >= '0' && c <= '9' && !part)
			return false;
		if (!(c >= 0x80 || c == '_' || (c >= '0' && c <= '9') ||
		      (lower >= 'a' && lower <= 'z')))
			return false;
		part = true;
	}
	return part;
}

int spec_parse(const char *text, struct spec *ret, struct err *err)
{
	const char *colon = strchr(text, ':');
	struct span module =
		span_trim(colon ? span_of(text, (size_t)(colon - text)) : span_str(text));
	struct span object = colon ? span_trim(span_str(colon + 1)) : span_of("", 0);
	struct spec s = {0};

	if (strlen(text) >= SPEC_MAX)
		return err_set(err, -ENAMETOOLONG, "module = %.64s...: too long", text);
	if (object.n > 2 && object.p[object.n - 1] == ')') {
		if (object.p[object.n - 2] != '(')
			return err_set(
				err, -EINVAL,
				"module = %s: a factory is called without arguments, \"name()\"",
				text);
		s.call = true;
		object = span_trim(span_of(object.p, object.n - 2));
	}
	if (!is_dotted_name(module))
		return err_set(err, -EINVAL, "module = %s: \"%.*s\" is not the name of a module%s",
			       text, (int)module.n, module.p,
			       memchr(module.p, '/', module.n) ? "; for a file there is wsgi-file"
							       : "");
	if (colon && !is_dotted_name(object))
		return err_set(err, -EINVAL, "module = %s: \"%.*s\" is not the name of an object",
			       text, (int)object.n, object.p);
	memcpy(s.module, module.p, module.n);
	memcpy(s.object, object.p, object.n);
	*ret = s;
	return 0;
}

void spec_file_module(const char *path, char buf[SPEC_MAX])
{
	size_t n = strlen(path);
	size_t at = (size_t)snprintf(buf, SPEC_MAX, "uwsgi_file_");

	if (n > 3 && str_eq(path + n - 3, ".py"))
		n -= 3;
	for (size_t i = 0; i < n && at < SPEC_MAX - 1; i++) {
		unsigned char c = (unsigned char)path[i];
		unsigned char lower = c | 0x20;
		bool plain = (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9');

		buf[at++] = plain ? (char)c : '_';
	}
	buf[at] = '\0';
}

void spec_tail(struct span text, char *buf, size_t size)
{
	size_t start;

	while (text.n > 0 && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == ' '))
		text.n--;
	start = text.n > size - 1 ? text.n - (size - 1) : 0;
	if (start > 0 && text.p[start - 1] != '\n') {
		const char *nl = memchr(text.p + start, '\n', text.n - start);
		const char *last = memrchr(text.p, '\n', text.n);

		if (nl)
			start = (size_t)(nl - text.p) + 1;
		else /* one line that is longer than the room: its beginning names the exception */
			start = last ? (size_t)(last - text.p) + 1 : 0;
	}
	text = span_skip(text, start);
	text.n = MIN(text.n, size - 1);
	memcpy(buf, text.p, text.n);
	buf[text.n] = '\0';
}

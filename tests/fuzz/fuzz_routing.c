/* libs: shared vassal_routing */
/*
 * A rule of an ini and a request: "OPTION VALUE", a line, then the value of every variable. What is made of it never
 * leaves its bounds, and never has bytes that would end a field's line. Credentials and a file of passwords, too.
 */
#include "shared/err.h"
#include "vassal/routing/htpasswd.h"
#include "vassal/routing/rules.h"

static void check(bool ok)
{
	if (!ok)
		abort();
}

static struct span look_up(void *arg, struct span name)
{
	(void)name;
	return *(const struct span *)arg;
}

static void check_fields(const struct rules_verdict *v)
{
	struct span rest = span_of(v->headers, v->headers_n);

	while (rest.n > 0) {
		const char *end = memmem(rest.p, rest.n, "\r\n", 2);
		size_t n;

		check(end != NULL);
		n = (size_t)(end - rest.p);
		check(memchr(rest.p, ':', n) && !memchr(rest.p, '\n', n) &&
		      !memchr(rest.p, '\0', n));
		rest = span_skip(rest, n + 2);
	}
}

static void check_verdict(const struct rules_verdict *v)
{
	check(v->text_n <= LIMIT_ROUTING_TEXT && v->headers_n <= LIMIT_ROUTING_TEXT);
	check_fields(v);
	check(v->kind == RULES_PASS || v->rule);
	if (v->kind == RULES_REDIRECT)
		for (size_t i = 0; i < v->text_n; i++)
			check(v->text[i] > ' ' && v->text[i] < 127);
	if (v->kind == RULES_STATIC)
		check(!memchr(v->text, '\0', v->text_n));
}

static void run(const struct routing *routing, struct span value)
{
	static struct rules_verdict v;
	struct rules *rules;
	struct err err = {0};

	if (rules_new(&rules, routing, &err) < 0) {
		check(err.text[0]);
		return;
	}
	v = (struct rules_verdict){0};
	if (rules_run(rules, look_up, &value, &v) == 0)
		check_verdict(&v);
	rules_free(rules);
}

static void check_credentials(struct span header)
{
	char buf[64];
	struct span user = {0};
	const char *password = NULL;

	if (htpasswd_credentials(header, buf, sizeof(buf), &user, &password) < 0)
		return;
	check(user.p == buf && password > buf && password + strlen(password) < buf + sizeof(buf));
	check(user.p[user.n] == '\0' && !memchr(user.p, ':', user.n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *end = size > 0 ? memchr(data, '\n', size) : NULL;
	size_t n = end ? (size_t)(end - (const char *)data) : size;
	char *line = strndup((const char *)data, n);
	struct span value = end ? span_of(end + 1, size - n - 1) : span_of("", 0);
	struct routing routing = {0};
	struct err err = {0};
	char *blank;

	check(line != NULL);
	blank = strchr(line, ' ');
	check_credentials(value);
	if (blank) {
		*blank = '\0';
		if (routing_add(&routing, line, blank + 1, "x.ini:1", &err) == 0)
			run(&routing, value);
		else
			check(err.text[0] && routing.n == 0);
	}
	routing_done(&routing);
	free(line);
	return 0;
}

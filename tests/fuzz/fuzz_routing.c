/* libs: shared vassal_routing */
/*
 * A rule of an ini and a request: "OPTION VALUE", a line, then the value of every variable. What is made of it never
 * leaves its bounds, and never has bytes that would end a field's line, nor does it lead to a site that the rule does not
 * name. Credentials and a file of passwords, too, and the plain spelling of a path.
 */
#include "shared/err.h"
#include "shared/htpasswd.h"
#include "vassal/routing/plain.h"
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
	if (v->kind == RULES_REDIRECT) {
		const struct routing_piece *first = &v->rule->text.v[0];

		for (size_t i = 0; i < v->text_n; i++)
			check(v->text[i] > ' ' && v->text[i] < 127);
		if (first->kind != ROUTING_TEXT || strncmp(first->text, "//", 2) != 0)
			check(!span_starts(span_of(v->text, v->text_n), SPAN("//")));
	}
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

/* One slash for several, and what is plain stays as it is. */
static void check_plain(struct span value)
{
	static uint8_t buf[4 * 65536];
	struct vars vars;
	struct span path;

	vars_init(&vars, buf, sizeof(buf));
	vars_add(&vars, SPAN("PATH_INFO"), value);
	vars_add(&vars, SPAN("REQUEST_URI"), value);
	plain_vars(&vars);
	if (vars.overflow)
		return;
	path = plain_variable(&vars, SPAN("PATH_INFO"));
	check(path.n > 0 && !memmem(path.p, path.n, "//", 2));
	check(plain_variable(&vars, SPAN("REQUEST_URI")).n <= MAX(value.n, (size_t)1));
	plain_vars(&vars);
	check(span_eq(plain_variable(&vars, SPAN("PATH_INFO")), path));
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
	check_plain(value);
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

/*
 * test_routing - lines of internal routing as inis have them: what they mean, and that whatever is not understood is an
 * error that names it.
 */
#include "shared/routing.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/buf.h"
#include "shared/err.h"
#include "shared/limits.h"

/* A template in one line: 'text', ${NAME}, $n. */
static void show_text(const struct routing_text *t, char *buf, size_t size)
{
	size_t n = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < t->n; i++) {
		const struct routing_piece *p = &t->v[i];

		if (p->kind == ROUTING_GROUP)
			n += (size_t)snprintf(buf + n, size - n, "$%u", p->group);
		else
			n += (size_t)snprintf(buf + n, size - n,
					      p->kind == ROUTING_VAR ? "${%s}" : "'%s'", p->text);
	}
}

static void lines_mean_what_uwsgi_says(_unused_ void **state)
{
	static const struct {
		const char *option, *value;
		struct {
			enum routing_subject subject;
			enum routing_test test;
			enum routing_action action;
			unsigned status;
		} is;
		const char *pattern, *left, *right, *text, *name;
	} rows[] = {
		{"route",
		 "^/old/(.*)$ redirect:/new/$1",
		 {ROUTING_PATH, ROUTING_REGEXP, ROUTING_REDIRECT, 302},
		 "^/old/(.*)$",
		 "",
		 "",
		 "'/new/'$1",
		 NULL},
		{"route",
		 "^/x   redirect-permanent:https://${HTTP_HOST}${REQUEST_URI}",
		 {ROUTING_PATH, ROUTING_REGEXP, ROUTING_REDIRECT, 301},
		 "^/x",
		 "",
		 "",
		 "'https://'${HTTP_HOST}${REQUEST_URI}",
		 NULL},
		{"route-uri",
		 "^/health donotlog:",
		 {ROUTING_URI, ROUTING_REGEXP, ROUTING_DONOTLOG, 0},
		 "^/health",
		 "",
		 "",
		 "",
		 NULL},
		{"route-uri",
		 "^/health donotlog",
		 {ROUTING_URI, ROUTING_REGEXP, ROUTING_DONOTLOG, 0},
		 "^/health",
		 "",
		 "",
		 "",
		 NULL},
		{"route-host",
		 "^www\\. redirect-301:https://x.test/",
		 {ROUTING_HOST, ROUTING_REGEXP, ROUTING_REDIRECT, 301},
		 "^www\\.",
		 "",
		 "",
		 "'https://x.test/'",
		 NULL},
		{"route-qs",
		 "debug last:",
		 {ROUTING_QUERY, ROUTING_REGEXP, ROUTING_LAST, 0},
		 "debug",
		 "",
		 "",
		 "",
		 NULL},
		{"route-remote-addr",
		 "^10\\. continue:",
		 {ROUTING_PEER, ROUTING_REGEXP, ROUTING_LAST, 0},
		 "^10\\.",
		 "",
		 "",
		 "",
		 NULL},
		{"route-user-agent",
		 "(?i)badbot break:403 Forbidden",
		 {ROUTING_AGENT, ROUTING_REGEXP, ROUTING_BREAK, 403},
		 "(?i)badbot",
		 "",
		 "",
		 "",
		 NULL},
		{"route-referer",
		 "spam break:",
		 {ROUTING_REFERER, ROUTING_REGEXP, ROUTING_BREAK, 403},
		 "spam",
		 "",
		 "",
		 "",
		 NULL},
		{"route-run",
		 "addheader:X-Frame-Options: DENY: really",
		 {ROUTING_ALL, ROUTING_REGEXP, ROUTING_ADDHEADER, 0},
		 NULL,
		 "",
		 "",
		 "'DENY: really'",
		 "X-Frame-Options"},
		{"route-run",
		 "setscheme:https",
		 {ROUTING_ALL, ROUTING_REGEXP, ROUTING_SETSCHEME, 0},
		 NULL,
		 "",
		 "",
		 "'https'",
		 NULL},
		{"route-if",
		 "equal:${HTTP_X_FORWARDED_PROTO};http redirect-permanent:https://${HTTP_HOST}/",
		 {ROUTING_IF, ROUTING_EQUAL, ROUTING_REDIRECT, 301},
		 NULL,
		 "${HTTP_X_FORWARDED_PROTO}",
		 "'http'",
		 "'https://'${HTTP_HOST}'/'",
		 NULL},
		{"route-if-not",
		 "startswith:${PATH_INFO};/api break:404",
		 {ROUTING_UNLESS, ROUTING_STARTS, ROUTING_BREAK, 404},
		 NULL,
		 "${PATH_INFO}",
		 "'/api'",
		 "",
		 NULL},
		{"route-if",
		 "regexp:${HTTP_COOKIE};s=(\\w+) addheader:X-S:$1",
		 {ROUTING_IF, ROUTING_REGEXP, ROUTING_ADDHEADER, 0},
		 "s=(\\w+)",
		 "${HTTP_COOKIE}",
		 "",
		 "$1",
		 "X-S"},
		{"route-if",
		 "empty:${HTTP_USER_AGENT} break:400",
		 {ROUTING_IF, ROUTING_EMPTY, ROUTING_BREAK, 400},
		 NULL,
		 "${HTTP_USER_AGENT}",
		 "",
		 "",
		 NULL},
		{"route-if",
		 "contains:a$b;${X}c last:",
		 {ROUTING_IF, ROUTING_CONTAINS, ROUTING_LAST, 0},
		 NULL,
		 "'a''$''b'",
		 "${X}'c'",
		 "",
		 NULL},
		{"route",
		 "^/f/(.*) static:/srv/www/files/$1.html",
		 {ROUTING_PATH, ROUTING_REGEXP, ROUTING_STATIC, 0},
		 "^/f/(.*)",
		 "",
		 "",
		 "'/srv/www/files/'$1'.html'",
		 NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct routing r = {0};
		struct err err = {0};
		char text[512];

		if (routing_add(&r, rows[i].option, rows[i].value, "x.ini:7", &err) < 0)
			fail_msg("%s: %s", rows[i].value, err.text);
		assert_int_equal(r.n, 1);
		assert_int_equal(r.v->subject, rows[i].is.subject);
		assert_int_equal(r.v->action, rows[i].is.action);
		assert_int_equal(r.v->status, rows[i].is.status);
		if (r.v->subject != ROUTING_ALL)
			assert_int_equal(r.v->test, rows[i].is.test);
		assert_string_equal(r.v->pattern ? r.v->pattern : "-",
				    rows[i].pattern ? rows[i].pattern : "-");
		assert_string_equal(r.v->name ? r.v->name : "-", rows[i].name ? rows[i].name : "-");
		show_text(&r.v->left, text, sizeof(text));
		assert_string_equal(text, rows[i].left);
		show_text(&r.v->right, text, sizeof(text));
		assert_string_equal(text, rows[i].right);
		show_text(&r.v->text, text, sizeof(text));
		assert_string_equal(text, rows[i].text);
		assert_string_equal(r.v->where, "x.ini:7");
		routing_done(&r);
	}
}

static void a_password_stands_in_the_ini_or_in_a_file(_unused_ void **state)
{
	struct routing r = {0};

	assert_int_equal(
		routing_add(&r, "route", "^/admin basicauth:Our Place,joe:se:cret", "x:1", NULL),
		0);
	assert_int_equal(
		routing_add(&r, "route", "^/admin basicauth-next:Place,/etc/htpasswd", "x:2", NULL),
		0);
	assert_string_equal(r.v[0].realm, "Our Place");
	assert_string_equal(r.v[0].user, "joe");
	assert_string_equal(r.v[0].password, "se:cret");
	assert_null(r.v[0].file);
	assert_false(r.v[0].next_is_tried);
	assert_string_equal(r.v[1].file, "/etc/htpasswd");
	assert_null(r.v[1].user);
	assert_true(r.v[1].next_is_tried);
	assert_int_equal(r.v[1].status, 401);
	routing_done(&r);
}

static void a_file_s_root_is_the_folder_before_all_that_varies(_unused_ void **state)
{
	static const struct {
		const char *value, *root;
	} rows[] = {
		{"^/ static:/srv/www/$0", "/srv/www/"},
		{"^/ static:/srv/www/a$0/b", "/srv/www/"},
		{"^/ static:/srv/down.html", "/srv/"},
		{"^/ static:/srv/${HTTP_HOST}/x", "/srv/"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct routing r = {0};

		assert_int_equal(routing_add(&r, "route", rows[i].value, "x:1", NULL), 0);
		assert_string_equal(r.v->root, rows[i].root);
		routing_done(&r);
	}
}

static void what_is_not_understood_is_an_error_that_says_what(_unused_ void **state)
{
	static const struct {
		const char *option, *value, *says;
	} rows[] = {
		{"route", "^/x", "a condition and no action"},
		{"route", "", "a condition and no action"},
		{"route", "^/x uwsgi:/tmp/s.sock,0,0", "\"uwsgi\" is not an action"},
		{"route", "^/x goto:label", "\"goto\" is not an action"},
		{"route", "^/x rewrite:/y", "\"rewrite\" is not an action"},
		{"route", "^/x redirect:", "redirect: does not say where to"},
		{"route", "^/x redirect:${cookie[a]}", "${cookie[a]} is not a variable"},
		{"route", "^/x redirect:${HTTP_HOST", "no closing brace"},
		{"route", "^/x redirect:${}", "is not a variable"},
		{"route", "^/x break:abc", "does not begin with a status"},
		{"route", "^/x break:40", "does not begin with a status"},
		{"route", "^/x break:100", "not a status from 200"},
		{"route", "^/x break:4040", "not a status from 200"},
		{"route", "^/x donotlog:yes", "takes no value"},
		{"route", "^/x addheader:NoColon", "is not \"Name: value\""},
		{"route", "^/x addheader:Bad Name: x", "is not \"Name: value\""},
		{"route", "^/x addheader:: x", "is not \"Name: value\""},
		{"route", "^/x addheader:content-length: 3", "not an app's to set"},
		{"route", "^/x addheader:Transfer-Encoding: chunked", "not an app's to set"},
		{"route", "^/x setscheme:ftp", "neither http nor https"},
		{"route", "^/x basicauth:realm", "is not \"realm,user:password\""},
		{"route", "^/x basicauth:,a:b", "is not \"realm,user:password\""},
		{"route", "^/x basicauth:r,", "is not \"realm,user:password\""},
		{"route", "^/x basicauth:r,:b", "cannot be empty"},
		{"route", "^/x basicauth:r,joe:", "cannot be empty"},
		{"route", "^/x basicauth:r\"q,a:b", "cannot have quotes"},
		{"route", "^/x static:files/$1", "does not begin with a folder"},
		{"route", "^/x static:/$1", "all files of this machine"},
		{"route", "^/x static:${PATH_INFO}", "does not begin with a folder"},
		{"route-if", "exists:/tmp/x last:", "\"exists\" is not a test"},
		{"route-if", "equal:${X} last:", "is not \"equal:text;text\""},
		{"route-if", "equal:$1;x last:", "not known before something has matched"},
		{"route-if", "equal:${X};y redirect:/$1", "need a regular expression"},
		{"route-if-not", "regexp:${X};(y) redirect:/$1", "need a regular expression"},
		{"route-run", "redirect:/$1", "need a regular expression"},
		{"route-label", "x", "is no rule"},
		{"route-remote-user", "x last:", "is no rule"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct routing r = {0};
		struct err err = {0};

		assert_int_equal(routing_add(&r, rows[i].option, rows[i].value, "x:1", &err),
				 -EINVAL);
		if (!strstr(err.text, rows[i].says))
			fail_msg("%s %s: says \"%s\"", rows[i].option, rows[i].value, err.text);
		assert_int_equal(r.n, 0);
		routing_done(&r);
	}
}

static void there_are_only_so_many(_unused_ void **state)
{
	struct routing r = {0};
	struct err err = {0};
	char text[256] = "^ redirect:";

	for (unsigned i = 0; i < LIMIT_ROUTING_RULES; i++)
		assert_int_equal(routing_add(&r, "route", "^ last:", "x:1", &err), 0);
	assert_int_equal(routing_add(&r, "route", "^ last:", "x:1", &err), -E2BIG);
	assert_int_equal(r.n, LIMIT_ROUTING_RULES);
	routing_done(&r);

	for (unsigned i = 0; i <= LIMIT_ROUTING_PIECES; i++)
		(void)strcat(text, "$1");
	assert_int_equal(routing_add(&r, "route", text, "x:1", &err), -EINVAL);
	assert_non_null(strstr(err.text, "parts"));
	routing_done(&r);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(lines_mean_what_uwsgi_says),
		cmocka_unit_test(a_password_stands_in_the_ini_or_in_a_file),
		cmocka_unit_test(a_file_s_root_is_the_folder_before_all_that_varies),
		cmocka_unit_test(what_is_not_understood_is_an_error_that_says_what),
		cmocka_unit_test(there_are_only_so_many),
	};

	return cmocka_run_group_tests(cases, NULL, NULL);
}

/*
 * test_rules - what a routing table says of a request: order, conditions, groups, what goes into headers and names of files,
 * and that a regular expression cannot take for ever.
 */
#include "vassal/routing/rules.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "shared/clock.h"
#include "shared/err.h"
#include "shared/limits.h"

struct request_of_test {
	const char *vars[8][2];
};

static struct span look_up(void *arg, struct span name)
{
	const struct request_of_test *rq = arg;

	for (size_t i = 0; i < ARRAY_SIZE(rq->vars) && rq->vars[i][0]; i++)
		if (span_eq(span_str(rq->vars[i][0]), name))
			return span_str(rq->vars[i][1]);
	return span_of(NULL, 0);
}

/* "option value" a line. */
static struct rules *make(struct routing *routing, const char *table)
{
	_cleanup_(freep) char *copy = strdup(table);
	struct rules *rules = NULL;
	struct err err = {0};
	char *rest = copy;

	for (char *line; (line = strsep(&rest, "\n"));) {
		char *value = strchr(line, ' ');

		*value++ = '\0';
		if (routing_add(routing, line, value, "x.ini:1", &err) < 0)
			fail_msg("%s", err.text);
	}
	if (rules_new(&rules, routing, &err) < 0)
		fail_msg("%s", err.text);
	assert_non_null(rules);
	return rules;
}

static void tables_say_what_becomes_of_a_request(_unused_ void **state)
{
	static const struct {
		const char *table;
		struct request_of_test rq;
		enum rules_kind kind;
		unsigned status;
		const char *text, *headers;
	} rows[] = {
		{"route ^/old/(.*)$ redirect:/new/$1",
		 {{{"PATH_INFO", "/old/a/b"}}},
		 RULES_REDIRECT,
		 302,
		 "/new/a/b",
		 ""},
		{"route ^/old/(.*)$ redirect:/new/$1",
		 {{{"PATH_INFO", "/other"}}},
		 RULES_PASS,
		 0,
		 "",
		 ""},
		{"route old redirect:/x",
		 {{{"PATH_INFO", "/very/old/"}}},
		 RULES_REDIRECT,
		 302,
		 "/x",
		 ""},
		/* decoded bytes do not end the line of a header */
		{"route ^/(.*)$ redirect:/n/$1",
		 {{{"PATH_INFO", "/a b\r\nX: \xc3\xa9\""}}},
		 RULES_REDIRECT,
		 302,
		 "/n/a%20b%0D%0AX:%20%C3%A9%22",
		 ""},
		/* nor does a path become another site, but where the rule says so */
		{"route ^/old/(.*)$ redirect:/$1",
		 {{{"PATH_INFO", "/old/%/evil.test"}}},
		 RULES_REDIRECT,
		 302,
		 "/%/evil.test",
		 ""},
		{"route ^/old/(.*)$ redirect:/$1",
		 {{{"PATH_INFO", "/old///evil.test//x"}}},
		 RULES_REDIRECT,
		 302,
		 "/evil.test//x",
		 ""},
		{"route ^/old(.*)$ redirect:$1",
		 {{{"PATH_INFO", "/old//evil.test"}}},
		 RULES_REDIRECT,
		 302,
		 "/evil.test",
		 ""},
		{"route ^/old(.*)$ redirect://b.test$1",
		 {{{"PATH_INFO", "/old/x"}}},
		 RULES_REDIRECT,
		 302,
		 "//b.test/x",
		 ""},
		/* a host is the same in any case, with a port and a dot */
		{"route-host ^a\\.test$ break:",
		 {{{"HTTP_HOST", "A.Test.:80"}}},
		 RULES_ANSWER,
		 403,
		 "",
		 ""},
		{"route-host ^a\\.test:8000$ break:",
		 {{{"HTTP_HOST", "a.test:8000"}}},
		 RULES_ANSWER,
		 403,
		 "",
		 ""},
		{"route-host ^a\\.test:8000$ break:",
		 {{{"HTTP_HOST", "a.test"}}},
		 RULES_PASS,
		 0,
		 "",
		 ""},
		{"route-host ^$ break:", {{{"HTTP_HOST", "a.test"}}}, RULES_PASS, 0, "", ""},
		/* nor do they lead past a rule */
		{"route ^/admin.*$ break:",
		 {{{"PATH_INFO", "/admin\n/x"}}},
		 RULES_ANSWER,
		 403,
		 "",
		 ""},
		{"route ^/x$ break:", {{{"PATH_INFO", "/x\n"}}}, RULES_PASS, 0, "", ""},
		{"route-if equal:${HTTP_X_FORWARDED_PROTO};http "
		 "redirect-permanent:https://${HTTP_HOST}${REQUEST_URI}",
		 {{{"HTTP_X_FORWARDED_PROTO", "http"},
		   {"HTTP_HOST", "a.test"},
		   {"REQUEST_URI", "/x?y=%20"}}},
		 RULES_REDIRECT,
		 301,
		 "https://a.test/x?y=%20",
		 ""},
		{"route-if equal:${HTTP_X_FORWARDED_PROTO};http "
		 "redirect-permanent:https://${HTTP_HOST}/",
		 {{{"HTTP_HOST", "a.test"}}},
		 RULES_PASS,
		 0,
		 "",
		 ""},
		{"route-if-not equal:${HTTP_HOST};a.test break:421",
		 {{{"HTTP_HOST", "b.test"}}},
		 RULES_ANSWER,
		 421,
		 "",
		 ""},
		{"route-if-not equal:${HTTP_HOST};a.test break:421",
		 {{{"HTTP_HOST", "a.test"}}},
		 RULES_PASS,
		 0,
		 "",
		 ""},
		{"route-if startswith:${PATH_INFO};/a break:",
		 {{{"PATH_INFO", "/ab"}}},
		 RULES_ANSWER,
		 403,
		 "",
		 ""},
		{"route-if startswith:${PATH_INFO};/ab break:",
		 {{{"PATH_INFO", "/a"}}},
		 RULES_PASS,
		 0,
		 "",
		 ""},
		{"route-if endswith:${PATH_INFO};.php break:404",
		 {{{"PATH_INFO", "/x.php"}}},
		 RULES_ANSWER,
		 404,
		 "",
		 ""},
		{"route-if endswith:${PATH_INFO};.php break:404",
		 {{{"PATH_INFO", "php"}}},
		 RULES_PASS,
		 0,
		 "",
		 ""},
		{"route-if contains:${QUERY_STRING};union break:400",
		 {{{"QUERY_STRING", "a=union select"}}},
		 RULES_ANSWER,
		 400,
		 "",
		 ""},
		{"route-if contains:${QUERY_STRING};union break:400",
		 {{{"QUERY_STRING", "unio"}}},
		 RULES_PASS,
		 0,
		 "",
		 ""},
		{"route-if empty:${HTTP_USER_AGENT} break:400",
		 {{{"HTTP_USER_AGENT", "x"}}},
		 RULES_PASS,
		 0,
		 "",
		 ""},
		{"route-if empty:${HTTP_USER_AGENT} break:400",
		 {{{NULL, NULL}}},
		 RULES_ANSWER,
		 400,
		 "",
		 ""},
		{"route-if regexp:${HTTP_COOKIE};s=(\\w+) addheader:X-S: <$1>",
		 {{{"HTTP_COOKIE", "a=1; s=me"}}},
		 RULES_PASS,
		 0,
		 "",
		 "X-S: <me>\r\n"},
		{"route-user-agent (?i)badbot break:",
		 {{{"HTTP_USER_AGENT", "A BadBot/1"}}},
		 RULES_ANSWER,
		 403,
		 "",
		 ""},
		{"route-host ^www\\.(.*) redirect:http://$1/",
		 {{{"HTTP_HOST", "www.a.test"}}},
		 RULES_REDIRECT,
		 302,
		 "http://a.test/",
		 ""},
		{"route-remote-addr ^10\\. last:\nroute-run break:403",
		 {{{"REMOTE_ADDR", "10.1.2.3"}}},
		 RULES_PASS,
		 0,
		 "",
		 ""},
		{"route-remote-addr ^10\\. last:\nroute-run break:403",
		 {{{"REMOTE_ADDR", "11.1.2.3"}}},
		 RULES_ANSWER,
		 403,
		 "",
		 ""},
		{"route-run addheader:A: 1\nroute-run addheader:B: 2\nroute-run redirect:/",
		 {{{NULL, NULL}}},
		 RULES_REDIRECT,
		 302,
		 "/",
		 "A: 1\r\nB: 2\r\n"},
		/* groups are those of this rule: one that is not there is nothing */
		{"route ^/(a)?(b) redirect:/[$1][$2][$3]",
		 {{{"PATH_INFO", "/b"}}},
		 RULES_REDIRECT,
		 302,
		 "/[][b][]",
		 ""},
		{"route ^/f/(.*) static:/srv/www/$1.html",
		 {{{"PATH_INFO", "/f/a/b"}}},
		 RULES_STATIC,
		 0,
		 "a/b.html",
		 ""},
		{"route ^/f/(.*) static:/srv/www/x$1",
		 {{{"PATH_INFO", "/f/../../etc/passwd"}}},
		 RULES_STATIC,
		 0,
		 "x../../etc/passwd",
		 ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct routing routing = {0};
		struct rules *rules = make(&routing, rows[i].table);
		struct rules_verdict v = {0};
		struct request_of_test rq = rows[i].rq;

		assert_int_equal(rules_run(rules, look_up, &rq, &v), 0);
		if (v.kind != rows[i].kind || v.status != rows[i].status)
			fail_msg("%s: %d, %u", rows[i].table, (int)v.kind, v.status);
		assert_int_equal(v.text_n, strlen(rows[i].text));
		assert_memory_equal(v.text, rows[i].text, v.text_n);
		assert_int_equal(v.headers_n, strlen(rows[i].headers));
		assert_memory_equal(v.headers, rows[i].headers, v.headers_n);
		rules_free(rules);
		routing_done(&routing);
	}
}

static void scheme_and_log_are_noted_and_the_next_rules_go_on(_unused_ void **state)
{
	struct routing routing = {0};
	struct rules *rules = make(
		&routing, "route-run setscheme:https\nroute-run donotlog:\nroute-run break:404");
	struct rules_verdict v = {0};

	assert_int_equal(rules_run(rules, look_up, &(struct request_of_test){0}, &v), 0);
	assert_string_equal(v.scheme, "https");
	assert_true(v.donotlog);
	assert_int_equal(v.status, 404);
	rules_free(rules);
	routing_done(&routing);
}

static void a_password_is_asked_for_and_the_rules_go_on_behind_it(_unused_ void **state)
{
	struct routing routing = {0};
	struct rules *rules =
		make(&routing, "route-run addheader:A: 1\nroute ^/admin "
			       "basicauth:Place,joe:secret\nroute-run addheader:B: 2");
	struct request_of_test rq = {{{"PATH_INFO", "/admin"}}};
	struct rules_verdict v = {0};

	assert_int_equal(rules_run(rules, look_up, &rq, &v), 0);
	assert_int_equal(v.kind, RULES_ASK);
	assert_string_equal(v.rule->user, "joe");
	assert_int_equal(v.next, 2);
	assert_int_equal(rules_run(rules, look_up, &rq, &v), 0);
	assert_int_equal(v.kind, RULES_PASS);
	assert_int_equal(v.headers_n, strlen("A: 1\r\nB: 2\r\n"));
	rules_free(rules);
	routing_done(&routing);
}

static void what_cannot_be_judged_is_an_error_and_not_a_pass(_unused_ void **state)
{
	static char large[LIMIT_ROUTING_TEXT + 2];
	static const struct {
		const char *table;
		struct request_of_test rq;
		int is;
	} rows[] = {
		{"route ^/(.*) redirect:/n/$1", {{{"PATH_INFO", large}}}, -E2BIG},
		{"route-if equal:${PATH_INFO};x break:", {{{"PATH_INFO", large}}}, -E2BIG},
		{"route-run addheader:X: ${PATH_INFO}", {{{"PATH_INFO", "/a\r\nb: c"}}}, -EILSEQ},
		{"route-run addheader:X: ${PATH_INFO}", {{{"PATH_INFO", "/a\x7f"}}}, -EILSEQ},
		{"route ^(/|a|aa)+$ break:",
		 {{{"PATH_INFO", "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"}}},
		 -EDOM},
	};

	memset(large, 'a', sizeof(large) - 1);
	large[0] = '/';
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct routing routing = {0};
		struct rules *rules = make(&routing, rows[i].table);
		struct rules_verdict v = {0};
		struct request_of_test rq = rows[i].rq;
		uint64_t from = clock_now_ns();

		assert_int_equal(rules_run(rules, look_up, &rq, &v), rows[i].is);
		assert_true(clock_now_ns() - from < NS_PER_S);
		rules_free(rules);
		routing_done(&routing);
	}
}

static void a_pattern_that_is_none_is_refused_and_no_rules_are_none(_unused_ void **state)
{
	struct routing routing = {0};
	struct rules *rules = (struct rules *)&routing;
	struct err err = {0};

	assert_int_equal(routing_add(&routing, "route", "^/(x last:", "x.ini:12", &err), -EINVAL);
	assert_non_null(strstr(
		err.text, "\"^/(x\" is not a regular expression: missing closing parenthesis"));
	routing_done(&routing);
	assert_int_equal(rules_new(&rules, &routing, &err), 0);
	assert_null(rules);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(tables_say_what_becomes_of_a_request),
		cmocka_unit_test(scheme_and_log_are_noted_and_the_next_rules_go_on),
		cmocka_unit_test(a_password_is_asked_for_and_the_rules_go_on_behind_it),
		cmocka_unit_test(what_cannot_be_judged_is_an_error_and_not_a_pass),
		cmocka_unit_test(a_pattern_that_is_none_is_refused_and_no_rules_are_none),
	};

	return cmocka_run_group_tests(cases, NULL, NULL);
}

/* static_plan, static_rules, static_ask: how a file of 1000 bytes is answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "shared/vars.h"
#include "shared/vassal_config.h"
#include "vassal/front/static_plan.h"
#include "vassal/front/static_rules.h"
#include "vassal/front/static_types.h"

#define NOW 1795230492

static struct static_found found = {.verdict = STATIC_FILE, .name = "sub/a.js"};

static void forms(bool br, bool zstd, bool gzip)
{
	const bool has[HTTP_CODING_COUNT] = {[HTTP_CODING_BR] = br,
					     [HTTP_CODING_ZSTD] = zstd,
					     [HTTP_CODING_GZIP] = gzip,
					     [HTTP_CODING_IDENTITY] = true};

	for (unsigned i = 0; i < HTTP_CODING_COUNT; i++)
		found.forms[i] =
			(struct static_form){.fd = has[i] ? 0 : -1,
					     .size = i == HTTP_CODING_IDENTITY ? 1000 : 100 + i,
					     .mtime = {.tv_sec = 784111777, .tv_nsec = 1}};
}

static void ask_of(struct static_ask *a, const char *name, const char *value)
{
	static uint8_t bufs[8][256]; /* spans point there */
	static unsigned next;
	uint8_t *buf = bufs[next++ % ARRAY_SIZE(bufs)];
	struct vars vars;

	vars_init(&vars, buf, sizeof(bufs[0]));
	vars_add(&vars, span_str(name), span_str(value));
	static_ask_vars(a, buf, vars.n);
}

static struct static_plan plan;

static void make(const struct vassal_config *config, const struct static_ask *ask, bool is_head,
		 struct static_said said)
{
	struct static_rules rules;
	struct static_types types = {0};
	struct static_facts facts = {.found = &found,
				     .target = "/srv/files",
				     .path = SPAN("/static/sub/a.js"),
				     .uri = SPAN("/static/sub/a.js?v=12"),
				     .ask = ask,
				     .rules = &rules,
				     .types = &types,
				     .said = said,
				     .is_head = is_head,
				     .now_s = NOW,
				     .boundary = SPAN("0123456789abcdef")};

	memset(&plan, 0xa5, sizeof(plan));
	assert_int_equal(static_rules_compile(&rules, config, NULL), 0);
	static_plan_make(&facts, &plan);
	static_rules_done(&rules);
	plan.fields[plan.fields_n] = '\0';
}

static const char etag[] = "\"2ebc98a100000001-3e8\"";

static void each_question_has_its_answer(void **state)
{
	static const struct {
		const char *var, *value;
		bool is_head;
		unsigned status;
		uint64_t length;
		const char *has, *lacks;
	} cases[] = {
		{"HTTP_HOST", "a", false, 200, 1000, "Accept-Ranges: bytes\r\n", "Content-Range"},
		{"HTTP_HOST", "a", false, 200, 1000,
		 "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n", "Vary"},
		{"HTTP_HOST", "a", true, 200, 1000,
		 "Content-Type: text/javascript; charset=utf-8\r\n", "Expires"},
		{"HTTP_RANGE", "bytes=10-19", false, 206, 10, "Content-Range: bytes 10-19/1000\r\n",
		 "multipart"},
		{"HTTP_RANGE", "bytes=10-19", true, 200, 1000, "Accept-Ranges", "Content-Range"},
		{"HTTP_RANGE", "bytes=5000-", false, 416, 0, "Content-Range: bytes */1000\r\n",
		 "Content-Type"},
		{"HTTP_RANGE", "bytes=5000-", false, 416, 0, "Content-Range", "ETag"},
		{"HTTP_IF_NONE_MATCH", etag, false, 304, 0, etag, "Content-Type"},
		{"HTTP_IF_NONE_MATCH", "\"x\"", false, 200, 1000, etag, "Content-Range"},
		{"HTTP_IF_MATCH", "\"x\"", false, 412, 0, "", "ETag"},
		{"HTTP_IF_MODIFIED_SINCE", "Sun, 06 Nov 1994 08:49:37 GMT", false, 304, 0, "ETag",
		 "Accept-Ranges"},
		{"HTTP_IF_UNMODIFIED_SINCE", "Sun, 06 Nov 1994 08:49:36 GMT", false, 412, 0, "",
		 "ETag"},
		/* of one form there is no choice */
		{"HTTP_ACCEPT_ENCODING", "identity;q=0", false, 200, 1000, "", "Vary"},
	};
	const struct vassal_config config = {0};

	(void)state;
	forms(false, false, false);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct static_ask ask = {0};

		ask_of(&ask, cases[i].var, cases[i].value);
		make(&config, &ask, cases[i].is_head, (struct static_said){0});
		if (plan.status != cases[i].status || plan.length != cases[i].length ||
		    !strstr(plan.fields, cases[i].has) || strstr(plan.fields, cases[i].lacks))
			fail_msg("%s: %s: %u, %llu bytes\n%s", cases[i].var, cases[i].value,
				 plan.status, (unsigned long long)plan.length, plan.fields);
	}
}

static void parts_are_as_long_as_is_said(void **state)
{
	const struct vassal_config config = {0};
	struct static_ask ask = {0};
	char buf[STATIC_PART_HEAD];
	uint64_t n = 0;

	(void)state;
	forms(false, false, false);
	ask_of(&ask, "HTTP_RANGE", "bytes=0-1,5-9,-1");
	make(&config, &ask, false, (struct static_said){0});
	assert_int_equal(plan.status, 206);
	assert_true(plan.multipart);
	assert_non_null(strstr(plan.fields, "Content-Type: multipart/byteranges; "
					    "boundary=0123456789abcdef\r\n"));
	assert_null(strstr(plan.fields, "Content-Range"));
	for (unsigned i = 0; i < plan.ranges.n; i++) {
		size_t head = static_plan_part(plan.boundary, plan.type, &plan.ranges.v[i], 1000,
					       i == 0, buf);

		assert_memory_equal(buf, i == 0 ? "--0123" : "\r\n--", i == 0 ? 6 : 4);
		assert_memory_equal(buf + head - 4, "\r\n\r\n", 4);
		n += head + plan.ranges.v[i].n;
	}
	n += static_plan_part(plan.boundary, plan.type, NULL, 0, false, buf);
	assert_int_equal(plan.length, n);
}

/* Content-Encoding would be said of the multipart body, and clients decode that. */
static void parts_of_what_is_coded_are_not_sent(void **state)
{
	const struct vassal_config config = {0};
	struct static_ask ask = {0}, single = {0}, plain = {0};

	(void)state;
	forms(true, false, true);
	ask_of(&ask, "HTTP_ACCEPT_ENCODING", "gzip");
	ask_of(&ask, "HTTP_RANGE", "bytes=0-1,5-9");
	make(&config, &ask, false, (struct static_said){0});
	assert_int_equal(plan.status, 200);
	assert_int_equal(plan.length, 100 + HTTP_CODING_GZIP);
	assert_false(plan.multipart);
	assert_non_null(strstr(plan.fields, "Content-Encoding: gzip\r\n"));
	ask_of(&single, "HTTP_ACCEPT_ENCODING", "gzip");
	ask_of(&single, "HTTP_RANGE", "bytes=0-1");
	make(&config, &single, false, (struct static_said){0});
	assert_int_equal(plan.status, 206);
	/* by the app's word too */
	ask_of(&plain, "HTTP_RANGE", "bytes=0-1,5-9");
	make(&config, &plain, false, (struct static_said){.coding = SPAN("br")});
	assert_int_equal(plan.status, 200);
	make(&config, &plain, false, (struct static_said){0});
	assert_true(plan.status == 206 && plan.multipart);
}

static void a_form_has_its_own_tag_and_everyone_is_told(void **state)
{
	const struct vassal_config config = {0};
	struct static_ask ask = {0}, none = {0}, refuses = {0};
	char plain[STATIC_FIELDS];

	(void)state;
	forms(true, false, true);
	make(&config, &none, false, (struct static_said){0});
	assert_int_equal(plan.length, 1000);
	assert_non_null(strstr(plan.fields, "Vary: Accept-Encoding\r\n"));
	assert_null(strstr(plan.fields, "Content-Encoding"));
	strcpy(plain, strstr(plan.fields, "ETag"));
	ask_of(&ask, "HTTP_ACCEPT_ENCODING", "gzip, zstd");
	make(&config, &ask, false, (struct static_said){0});
	assert_int_equal(plan.length, 100 + HTTP_CODING_GZIP);
	assert_non_null(strstr(plan.fields, "Content-Encoding: gzip\r\n"));
	assert_non_null(strstr(plan.fields, "-gzip\"\r\n"));
	assert_non_null(strstr(plan.fields, "Content-Type: text/javascript; charset=utf-8\r\n"));
	assert_int_not_equal(strcmp(plain, strstr(plan.fields, "ETag")), 0);
	ask_of(&refuses, "HTTP_ACCEPT_ENCODING", "zstd, *;q=0");
	make(&config, &refuses, false, (struct static_said){0});
	assert_int_equal(plan.status, 406);
	assert_non_null(strstr(plan.fields, "Vary"));
}

static void the_apps_word_counts_where_it_has_one(void **state)
{
	const struct vassal_config config = {0};
	struct static_ask ask = {0}, fresh = {0};
	const struct static_said said = {.status = 200,
					 .type = SPAN("x/y"),
					 .etag = SPAN("\"mine\""),
					 .modified = SPAN("Sun, 06 Nov 1994 00:00:00 GMT"),
					 .has_expiry = true};
	struct static_said other = said;

	(void)state;
	forms(false, false, false);
	ask_of(&ask, "HTTP_RANGE", "bytes=0-1");
	make(&config, &ask, false, said);
	assert_int_equal(plan.status, 206);
	assert_non_null(strstr(plan.fields, "Content-Type: x/y\r\n"));
	assert_null(strstr(plan.fields, "ETag"));
	assert_null(strstr(plan.fields, "Last-Modified"));
	ask_of(&fresh, "HTTP_IF_NONE_MATCH", "\"mine\"");
	make(&config, &fresh, false, said);
	assert_int_equal(plan.status, 304);
	/* conditions and ranges are of a 200 */
	other.status = 404;
	make(&config, &ask, false, other);
	assert_int_equal(plan.status, 404);
	assert_int_equal(plan.length, 1000);
	make(&config, &fresh, false, other);
	assert_int_equal(plan.status, 404);
}

static void an_mtime_of_the_future_is_not_told(void **state)
{
	const struct vassal_config config = {0};
	struct static_ask ask = {0};

	(void)state;
	forms(false, false, false);
	found.forms[HTTP_CODING_IDENTITY].mtime.tv_sec = (time_t)NOW + 86400;
	make(&config, &ask, false, (struct static_said){0});
	assert_non_null(strstr(plan.fields, "Last-Modified: Sat, 21 Nov 2026 "));
}

static void the_first_kind_that_fits_says_how_long(void **state)
{
	char js[] = "text/javascript", sub[] = "/srv/files/sub/", v[] = "[?]v=[0-9]+$",
	     path[] = "^/static/sub/a[.]js$", no[] = "^a";
	struct expires_config rules[] = {{EXPIRES_TYPE, false, js, 10},
					 {EXPIRES_FILE, false, sub, 20},
					 {EXPIRES_PATH, false, path, 30},
					 {EXPIRES_URI, false, v, 40}};
	struct expires_config none[] = {{EXPIRES_FILE, false, no, 20}};
	struct expires_config past[] = {{EXPIRES_FILE, true, sub, 60}};
	struct static_ask ask = {0};
	char text[64];

	(void)state;
	forms(false, false, false);
	for (unsigned i = 0; i < ARRAY_SIZE(rules); i++) {
		const struct vassal_config config = {.expires = rules + i,
						     .expires_n = ARRAY_SIZE(rules) - i};

		make(&config, &ask, false, (struct static_said){0});
		(void)snprintf(text, sizeof(text), "Cache-Control: max-age=%u\r\n", 10 * (i + 1));
		assert_non_null(strstr(plan.fields, text));
	}
	assert_non_null(strstr(plan.fields, "Expires: Sat, 21 Nov 2026 "));
	make(&(struct vassal_config){.expires = none, .expires_n = 1}, &ask, false,
	     (struct static_said){0});
	assert_null(strstr(plan.fields, "Expires"));
	make(&(struct vassal_config){.expires = past, .expires_n = 1}, &ask, false,
	     (struct static_said){0});
	assert_non_null(strstr(plan.fields, "Expires: Sun, 06 Nov 1994 08:50:37 GMT\r\n"
					    "Cache-Control: max-age=0\r\n"));
}

static void which_files_have_other_forms_is_said_in_four_ways(void **state)
{
	char prefix[] = "/srv/a/", ending[] = ".js", pattern[] = "/b(?=/c).*\\.css$",
	     skip[] = ".php";
	char *prefixes[] = {prefix}, *endings[] = {ending}, *patterns[] = {pattern},
	     *skips[] = {skip};
	struct vassal_config config = {.static_gzip_dir = {prefixes, 1},
				       .static_gzip_ext = {endings, 1},
				       .static_gzip = {patterns, 1},
				       .static_skip_ext = {skips, 1}};
	struct static_rules r;

	(void)state;
	assert_int_equal(static_rules_compile(&r, &config, NULL), 0);
	assert_true(static_rules_compressed(&r, "/srv/a/x.txt"));
	assert_true(static_rules_compressed(&r, "/srv/c/x.JS"));
	assert_true(static_rules_compressed(&r, "/srv/b/c/x.css"));
	assert_false(static_rules_compressed(&r, "/srv/c/x.css"));
	assert_true(static_rules_skip(&r, "x.php"));
	assert_true(static_rules_skip(&r, "x.PHP"));
	assert_false(static_rules_skip(&r, "x.php.txt"));
	static_rules_done(&r);
	config = (struct vassal_config){.static_gzip_all = true};
	assert_int_equal(static_rules_compile(&r, &config, NULL), 0);
	assert_true(static_rules_compressed(&r, "/srv/c/x.css"));
	static_rules_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_question_has_its_answer),
		cmocka_unit_test(parts_are_as_long_as_is_said),
		cmocka_unit_test(parts_of_what_is_coded_are_not_sent),
		cmocka_unit_test(a_form_has_its_own_tag_and_everyone_is_told),
		cmocka_unit_test(the_apps_word_counts_where_it_has_one),
		cmocka_unit_test(an_mtime_of_the_future_is_not_told),
		cmocka_unit_test(the_first_kind_that_fits_says_how_long),
		cmocka_unit_test(which_files_have_other_forms_is_said_in_four_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* vassal_files: what the options of files become. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "shared/err.h"
#include "shared/vassal_config.h"

struct built {
	struct config_items items;
	struct inifile_notes notes;
	struct vassal_config c;
};

static bool without_app;

static int try(const char *lines, struct built *b, struct err *err)
{
	const struct inifile_facts facts = {.path = "/etc/v/blog.ini", .cpus = 4};
	char text[32768];
	int r;

	*b = (struct built){0};
	(void)snprintf(text, sizeof(text), "[uwsgi]\n%schdir = /srv/app\n%s\n",
		       without_app ? "" : "module = m\n", lines);
	r = inifile_parse(text, strlen(text), &facts, &b->items, &b->notes, err);
	return r < 0 ? r : vassal_config_build(&b->items, &b->c, &b->notes, err);
}

static struct built build(const char *lines)
{
	struct built b;
	struct err err = {0};

	if (try(lines, &b, &err) < 0)
		fail_msg("%s", err.text);
	return b;
}

static void done(struct built *b)
{
	vassal_config_done(&b->c);
	config_items_done(&b->items);
	inifile_notes_done(&b->notes);
}

static void maps_are_asked_by_kind_then_as_they_stand(void **state)
{
	static const struct {
		enum static_kind kind;
		const char *mount, *target;
	} expected[] = {
		{STATIC_MAP, "/s", "/srv/app/static"}, {STATIC_MAP, "", "/root"},
		{STATIC_MAP, "/f", "/one.txt"},        {STATIC_MAP2, "/m", "/srv/m"},
		{STATIC_CHECK, "", "/srv/app/public"}, {STATIC_CHECK, "", "/other"},
	};
	struct built b = build("check-static = public/\nstatic-map2 = /m/=/srv/m/\n"
			       "static-map = /s=static\nstatic-map = /=/root\n"
			       "static-check = /other\nstatic-map = /f=/one.txt # a file");

	(void)state;
	assert_int_equal(b.c.static_maps_n, ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		assert_int_equal(b.c.static_maps[i].kind, expected[i].kind);
		assert_string_equal(b.c.static_maps[i].mount, expected[i].mount);
		assert_string_equal(b.c.static_maps[i].target, expected[i].target);
	}
	done(&b);
}

static void roots_of_the_app_have_an_url_or_none(void **state)
{
	struct built b = build("sendfile-root = private\nsendfile-root = /p/=/srv/x/");

	(void)state;
	assert_int_equal(b.c.sendfile_roots_n, 2);
	assert_string_equal(b.c.sendfile_roots[0].mount, "");
	assert_string_equal(b.c.sendfile_roots[0].target, "/srv/app/private");
	assert_string_equal(b.c.sendfile_roots[1].mount, "/p");
	assert_string_equal(b.c.sendfile_roots[1].target, "/srv/x");
	assert_int_equal(b.c.static_maps_n, 0);
	done(&b);
}

static void rules_of_expiry_are_tried_by_kind(void **state)
{
	static const struct {
		enum expires_of of;
		bool from_mtime;
		const char *pattern;
		unsigned seconds;
	} expected[] = {
		{EXPIRES_TYPE, true, "text/css", 4},    {EXPIRES_TYPE, false, "image/png", 3},
		{EXPIRES_FILE, false, "/*", 31557600},  {EXPIRES_FILE, true, "a b", 2},
		{EXPIRES_PATH, false, "^/x\\.y$", 6},   {EXPIRES_PATH, true, "p", 7},
		{EXPIRES_URI, false, "[?]v=\\w+ #", 0}, {EXPIRES_URI, true, "u", 5},
	};
	struct built b = build("static-expires-uri = [?]v=\\w+ # 0\n"
			       "static-expires-uri-mtime = u 5\n"
			       "static-expires-path-info = ^/x\\.y$ 6\n"
			       "static-expires-path-info-mtime = p\t7\n"
			       "static-expires = /* 31557600\nstatic-expires-mtime = a b  2\n"
			       "static-expires-type-mtime = text/css=4\n"
			       "static-expires-type = image/png = 3");

	(void)state;
	assert_int_equal(b.c.expires_n, ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		assert_int_equal(b.c.expires[i].of, expected[i].of);
		assert_int_equal(b.c.expires[i].from_mtime, expected[i].from_mtime);
		assert_string_equal(b.c.expires[i].pattern, expected[i].pattern);
		assert_int_equal(b.c.expires[i].seconds, expected[i].seconds);
	}
	done(&b);
}

static void relative_names_begin_at_chdir(void **state)
{
	struct built b = build("static-safe = shared\nmimefile = m.types\nmime-file = /m\n"
			       "error-page-404 = 404.html\nerror-page-503 = /503.html\n"
			       "static-gzip-prefix = dist\nstatic-gzip-suffix = .js\n"
			       "static-index = index.html\nstatic-skip-ext = .php");

	(void)state;
	assert_string_equal(b.c.static_safe.v[0], "/srv/app/shared");
	assert_string_equal(b.c.mimefiles.v[0], "/srv/app/m.types");
	assert_string_equal(b.c.mimefiles.v[1], "/m");
	assert_int_equal(b.c.error_pages_n, 2);
	assert_int_equal(b.c.error_pages[0].status, 404);
	assert_string_equal(b.c.error_pages[0].file, "/srv/app/404.html");
	assert_int_equal(b.c.error_pages[1].status, 503);
	assert_string_equal(b.c.error_pages[1].file, "/503.html");
	assert_string_equal(b.c.static_gzip_dir.v[0], "/srv/app/dist");
	assert_string_equal(b.c.static_gzip_ext.v[0], ".js");
	assert_string_equal(b.c.static_index.v[0], "index.html");
	assert_string_equal(b.c.static_skip_ext.v[0], ".php");
	done(&b);
}

static void added_fields_are_written_in_one_way(void **state)
{
	struct built b = build("add-header = X-A:b\nadd-header = X-C:   d # e; f ");

	(void)state;
	assert_int_equal(b.c.add_headers.n, 2);
	assert_string_equal(b.c.add_headers.v[0], "X-A: b");
	assert_string_equal(b.c.add_headers.v[1], "X-C: d # e; f");
	done(&b);
}

static void there_is_an_end_to_each_list(void **state)
{
	static const struct {
		const char *line;
		unsigned n;
	} lists[] = {
		{"static-map = /a=/b\n", LIMIT_STATIC_MAPS},
		{"static-expires = a 1\n", LIMIT_STATIC_RULES},
		{"static-gzip = a\n", LIMIT_STATIC_RULES},
		{"error-page-404 = /a\n", LIMIT_STATIC_RULES},
		{"add-header = X: 123456789012345678901234567890123456789012345678901234567\n",
		 LIMIT_ADDED_HEADERS / 62},
	};
	char text[16384];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct err err = {0};
		struct built b;

		text[0] = '\0';
		for (unsigned k = 0; k < lists[i].n; k++)
			strcat(text, lists[i].line);
		b = build(text);
		done(&b);
		strcat(text, lists[i].line);
		assert_true(try(text, &b, &err) < 0);
		assert_non_null(strstr(err.text, "more than"));
		done(&b);
	}
}

static void files_need_no_app(void **state)
{
	struct err err = {0};
	struct built b;

	(void)state;
	without_app = true;
	b = build("static-map = /s=/x");
	assert_int_equal(b.notes.n, 1);
	assert_non_null(strstr(b.notes.v[0].text, "files alone are served"));
	done(&b);
	/* what an app hands over needs one */
	assert_true(try("sendfile-root = /x", &b, &err) < 0);
	assert_non_null(strstr(err.text, "there is no app to run"));
	done(&b);
	without_app = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_are_asked_by_kind_then_as_they_stand),
		cmocka_unit_test(roots_of_the_app_have_an_url_or_none),
		cmocka_unit_test(rules_of_expiry_are_tried_by_kind),
		cmocka_unit_test(relative_names_begin_at_chdir),
		cmocka_unit_test(added_fields_are_written_in_one_way),
		cmocka_unit_test(there_is_an_end_to_each_list),
		cmocka_unit_test(files_need_no_app),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

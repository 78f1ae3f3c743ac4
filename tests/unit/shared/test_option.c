/* option: the machinery on a table of its own; the vassal's table checked for mistakes; what is generated from it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "shared/err.h"
#include "shared/vassal_config.h"

struct thing {
	bool on;
	unsigned count, seconds, mode;
	uint64_t bytes, memory;
	char *text;
	struct option_list list;
};

#define F(type, field) OPTION_FIELD(struct thing, type, field)

/* clang-format off */
static const struct option table[] = {
	{"on", NULL, OPTION_BOOL, F(bool, on), "false", 0, 0, NULL, RELOAD_LIVE, "One", "A switch", "true", NULL, 0},
	{"count", "n !cnt", OPTION_UINT, F(unsigned, count), "3", 1, 10, NULL, RELOAD_GENERATION, "One", "A count", "4", NULL, OPTION_ON},
	{"seconds", NULL, OPTION_SECONDS, F(unsigned, seconds), "0", 0, 0, NULL, RELOAD_GENERATION, "One", "A time", NULL, NULL, 0},
	{"mode", NULL, OPTION_OCTAL, F(unsigned, mode), "644", 0, 0, NULL, RELOAD_GENERATION, "Two", "A mode", "600", NULL, 0},
	{"bytes", NULL, OPTION_U64, F(uint64_t, bytes), "1k", 0, 0, "bytes", RELOAD_GENERATION, "Two", "A size", "2k", NULL, 0},
	{"memory", NULL, OPTION_MBYTES, F(uint64_t, memory), "0", 0, 0, NULL, RELOAD_GENERATION, "Two", "Memory", "2", NULL, 0},
	{"text", NULL, OPTION_STRING, F(char *, text), "default", 0, 0, "name", RELOAD_GENERATION, "Two", ".A text", "x", NULL, OPTION_CLEAN | OPTION_ACTIVE},
	{"list", NULL, OPTION_LIST, F(struct option_list, list), NULL, 0, 0, NULL, RELOAD_GENERATION, "Two", "Some", "a", NULL, 0},
	{"quiet", NULL, OPTION_SILENT, 0, NULL, 0, 0, NULL, RELOAD_NONE, "", "Nothing", NULL, NULL, 0},
	{"valued", NULL, OPTION_IGNORED, 0, NULL, 0, 0, NULL, RELOAD_NONE, "", "Nothing", NULL, NULL, OPTION_VALUE},
	{"never", NULL, OPTION_REFUSED, 0, NULL, 0, 0, NULL, RELOAD_NONE, "", "Because", NULL, NULL, OPTION_VALUE},
};
/* clang-format on */

static int apply(struct thing *t, const char *key, const char *value, struct err *err)
{
	return option_apply(table, ARRAY_SIZE(table), t, key, value, true, "x.ini:7", NULL, err);
}

static void defaults_come_from_the_table(void **state)
{
	struct thing t = {0};

	(void)state;
	assert_int_equal(option_defaults(table, ARRAY_SIZE(table), &t, NULL), 0);
	assert_int_equal(t.count, 3);
	assert_int_equal(t.mode, 0644);
	assert_int_equal(t.bytes, 1024);
	assert_string_equal(t.text, "default");
	option_done(table, ARRAY_SIZE(table), &t);
	assert_null(t.text);
}

static void truth_is_what_is_not_false(void **state)
{
	static const struct {
		const char *value;
		bool on;
	} cases[] = {{"true", true},  {"", true},       {"1", true},          {"2", true},
		     {"maybe", true}, {"false", false}, {"OFF", false},       {"No", false},
		     {"0", false},    {"00", true},     {"false ; x", false}, {"0 # x", false}};
	struct thing t = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(apply(&t, "on", cases[i].value, NULL), 0);
		assert_int_equal(t.on, cases[i].on);
	}
}

static void a_failure_leaves_the_field(void **state)
{
	static const char *const pairs[][2] = {
		{"count", "0"},    {"count", "11"},   {"count", "x"},
		{"count", "4x"},   {"seconds", "1y"}, {"mode", "9"},
		{"memory", "1.x"}, {"text", "$(X)"},  {"never", "1"}};
	struct thing t = {0};

	(void)state;
	assert_int_equal(option_defaults(table, ARRAY_SIZE(table), &t, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		struct err err = {0};
		char where[64];

		assert_true(apply(&t, pairs[i][0], pairs[i][1], &err) < 0);
		(void)snprintf(where, sizeof(where), "x.ini:7: %s: ", pairs[i][0]);
		assert_memory_equal(err.text, where, strlen(where));
	}
	assert_int_equal(t.count, 3);
	assert_int_equal(t.mode, 0644);
	assert_string_equal(t.text, "default");
	option_done(table, ARRAY_SIZE(table), &t);
}

static void units_multiply(void **state)
{
	struct thing t = {0};

	(void)state;
	assert_int_equal(apply(&t, "seconds", "2h", NULL), 0);
	assert_int_equal(t.seconds, 7200);
	assert_int_equal(apply(&t, "seconds", "1 d", NULL), 0);
	assert_int_equal(t.seconds, 86400);
	assert_int_equal(apply(&t, "bytes", "3M", NULL), 0);
	assert_int_equal(t.bytes, 3 << 20);
	assert_int_equal(apply(&t, "memory", "1.5", NULL), 0);
	assert_int_equal(t.memory, 3 << 19);
	assert_int_equal(apply(&t, "memory", "64K", NULL), 0);
	assert_int_equal(t.memory, 65536);
	assert_int_equal(apply(&t, "count", "true", NULL), 0);
	assert_int_equal(t.count, 3);
	assert_true(apply(&t, "count", "false", NULL) < 0); /* 0 is below its minimum */
	assert_int_equal(apply(&t, "seconds", "99999999999d", NULL), -ERANGE);
	assert_int_equal(apply(&t, "bytes", "18446744073709551615", NULL), 0);
	assert_int_equal(apply(&t, "bytes", "18446744073709551616", NULL), -EINVAL);
}

static void comments_are_cut_only_where_they_can_be_one(void **state)
{
	static const char *const cases[][2] = {
		{"/x", "/x"},       {"/x # y", "/x"}, {"/x\t; y", "/x"}, {"/x //y", "/x"},
		{"//x/y", "//x/y"}, {"/x#y", "/x#y"}, {"/x;y", "/x;y"},  {"a//b", "a//b"},
	};
	struct thing t = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(apply(&t, "text", cases[i][0], NULL), 0);
		assert_string_equal(t.text, cases[i][1]);
	}
	assert_int_equal(apply(&t, "list", "a # b", NULL), 0);
	assert_string_equal(t.list.v[0], "a # b");
	option_done(table, ARRAY_SIZE(table), &t);
}

static void unknown_names_are_told_apart(void **state)
{
	static const char *const cases[][2] = {
		{"vacum", "vacuum"},       {"harakari", "harakiri"},
		{"cdir", "chdir"},         {"chmod-sock", "chmod-socket"},
		{"proceses", "processes"}, {"max_requests", "max-requests"},
		{"Module", "module"},      {"virtual-env", "home"},
		{"wsgifile", "wsgi-file"}, {"htpt", "http"},
	};
	static const char *const far[] = {
		"x",
		"foo",
		"base",
		"project",
		"STATIC_ROOT",
		"",
		"a-key-that-is-longer-than-any-option-could-ever-be-here"};
	struct thing t = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *name = option_suggest(vassal_options, vassal_options_n, cases[i][0]);

		if (!name || !str_eq(name, cases[i][1]))
			fail_msg("%s -> %s", cases[i][0], name ? name : "nothing");
	}
	for (size_t i = 0; i < ARRAY_SIZE(far); i++) {
		const char *name = option_suggest(vassal_options, vassal_options_n, far[i]);

		if (name)
			fail_msg("%s -> %s", far[i], name);
	}
	assert_int_equal(apply(&t, "what", "1", NULL), -ENOENT);
}

static void arguments_become_items(void **state)
{
	char *argv[] = {(char[]){"vassal"},     (char[]){"--count"},  (char[]){"4"},
			(char[]){"--text=a=b"}, (char[]){"app.ini"},  (char[]){"--on"},
			(char[]){"--quiet"},    (char[]){"--valued"}, (char[]){"-1"},
			(char[]){"--"},         (char[]){"--on"}};
	struct config_items items = {0};
	char *rest[ARRAY_SIZE(argv)];
	struct err err = {0};
	int n = 0;

	(void)state;
	assert_int_equal(option_parse_argv(table, ARRAY_SIZE(table), ARRAY_SIZE(argv), argv, &items,
					   rest, &n, &err),
			 0);
	assert_int_equal(items.n, 5);
	assert_string_equal(items.v[0].key, "count");
	assert_string_equal(items.v[0].value, "4");
	assert_string_equal(items.v[0].file, "command line");
	assert_string_equal(items.v[1].value, "a=b");
	assert_string_equal(items.v[2].key, "on");
	assert_false(items.v[2].has_value);
	assert_string_equal(items.v[3].key, "quiet");
	assert_string_equal(items.v[4].value, "-1");
	assert_int_equal(n, 2);
	assert_string_equal(rest[0], "app.ini");
	assert_string_equal(rest[1], "--on");
	config_items_done(&items);
}

static void bad_arguments_are_refused(void **state)
{
	static const char *const cases[][2] = {
		{"--cuont", "--cuont: unknown option, did you mean --count?"},
		{"--count", "--count: a value is missing"},
		{"-p", "with two dashes"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char arg[32];
		char *argv[] = {(char[]){"vassal"}, arg};
		struct config_items items = {0};
		struct err err = {0};
		char *rest[2];
		int n;

		(void)snprintf(arg, sizeof(arg), "%s", cases[i][0]);
		assert_int_equal(option_parse_argv(table, ARRAY_SIZE(table), 2, argv, &items, rest,
						   &n, &err),
				 -EINVAL);
		assert_non_null(strstr(err.text, cases[i][1]));
		config_items_done(&items);
	}
}

static void main_takes_its_own_arguments_out(void **state)
{
	char *argv[] = {(char[]){"emperor"}, (char[]){"--config"}, (char[]){"/e.ini"},
			(char[]){"--http"},  (char[]){":80"},      (char[]){"--dump-options=ini"},
			(char[]){"--"},      (char[]){"--help"}};
	int argc = ARRAY_SIZE(argv);

	(void)state;
	assert_null(option_take_argv(&argc, argv, "conf", true));
	assert_string_equal(option_take_argv(&argc, argv, "config", true), "/e.ini");
	assert_string_equal(option_take_argv(&argc, argv, "dump-options", true), "ini");
	assert_null(option_take_argv(&argc, argv, "help", false)); /* behind "--" */
	assert_null(option_take_argv(&argc, argv, "config", true));
	assert_int_equal(argc, 5);
	assert_string_equal(argv[1], "--http");
	assert_string_equal(argv[2], ":80");
	assert_string_equal(argv[3], "--");
}

/* -- the vassal's table --------------------------------------------------------------------------------- */

static void check_name(const char *name, size_t n, size_t row)
{
	char copy[128];

	(void)snprintf(copy, sizeof(copy), "%.*s", (int)n, name);
	assert_true(n > 0);
	if (option_find(vassal_options, vassal_options_n, copy) != &vassal_options[row])
		fail_msg("%s stands in two rows", copy);
}

static void no_name_stands_in_two_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < vassal_options_n; i++) {
		const char *p = vassal_options[i].aliases;

		check_name(vassal_options[i].name, strlen(vassal_options[i].name), i);
		while (p && *p) {
			size_t n;

			p += *p == '!';
			n = strcspn(p, " ");
			check_name(p, n, i);
			p += n + strspn(p + n, " ");
		}
	}
}

static void verdicts_are_about_options_of_uwsgi(void **state)
{
	(void)state;
	for (size_t i = 0; i < vassal_options_n; i++)
		if (vassal_options[i].type >= OPTION_SILENT &&
		    !uwsgi_names_has(vassal_options[i].name))
			fail_msg("%s", vassal_options[i].name);
}

static void every_row_has_a_text_that_fits_a_sentence(void **state)
{
	(void)state;
	for (size_t i = 0; i < vassal_options_n; i++) {
		size_t n = strlen(vassal_options[i].text);

		if (n == 0 || vassal_options[i].text[n - 1] == '.')
			fail_msg("%s: %s", vassal_options[i].name, vassal_options[i].text);
	}
}

static void every_example_and_default_is_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < vassal_options_n; i++) {
		const struct option *o = &vassal_options[i];
		struct inifile_notes notes = {0};
		struct vassal_config c = {0};
		struct err err = {0};

		if (o->example && option_apply(vassal_options, vassal_options_n, &c, o->name,
					       o->example, true, "example", &notes, &err) < 0)
			fail_msg("%s", err.text);
		if (notes.n > 0)
			fail_msg("%s: %s", o->name, notes.v[0].text);
		if (o->def && option_apply(vassal_options, vassal_options_n, &c, o->name, o->def,
					   true, "default", NULL, &err) < 0)
			fail_msg("%s", err.text);
		vassal_config_done(&c);
		inifile_notes_done(&notes);
	}
}

/* -- what is generated ---------------------------------------------------------------------------------- */

static char *dumped(enum option_dump format)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	option_dump(vassal_options, vassal_options_n, format, "vassal", f);
	assert_int_equal(fclose(f), 0);
	return text;
}

/* A file of the repository, which stands three directories above this one. */
static char *committed(const char *name)
{
	static const char here[] = __FILE__;
	static const char tail[] = "tests/unit/shared/test_option.c";
	char path[4096];
	char *text;
	size_t n;
	struct err err = {0};

	(void)snprintf(path, sizeof(path), "%.*s%s", (int)(sizeof(here) - sizeof(tail)), here,
		       name);
	if (inifile_read(path, &text, &n, &err) < 0)
		fail_msg("%s", err.text);
	text = realloc(text, n + 1);
	assert_non_null(text);
	text[n] = '\0';
	return text;
}

static void expect_generated(const char *name, const char *text, enum option_dump format,
			     const char *how)
{
	char *wanted = dumped(format);

	if (!strstr(text, wanted))
		fail_msg("%s is not what the option table says: make it with vassal "
			 "--dump-options=%s",
			 name, how);
	free(wanted);
}

static void the_example_ini_is_what_the_table_says(void **state)
{
	char *text = committed("vassals.d.example/all-options.ini");
	char *wanted = dumped(OPTION_DUMP_INI);

	(void)state;
	assert_string_equal(text, wanted);
	free(text);
	free(wanted);
}

static void the_manual_is_what_the_table_says(void **state)
{
	char *text = committed("vassal/man/vassal.ini.5");

	(void)state;
	expect_generated("vassal.ini.5", text, OPTION_DUMP_MDOC, "mdoc");
	free(text);
}

static void the_dictionary_is_what_the_table_says(void **state)
{
	char *text = committed("tests/fuzz/inifile.dict");

	(void)state;
	expect_generated("inifile.dict", text, OPTION_DUMP_DICT, "dict");
	free(text);
}

static int build_ini(const char *text, struct inifile_notes *notes, struct err *err)
{
	const struct inifile_facts facts = {.path = "/etc/v/all-options.ini", .cpus = 2};
	struct config_items items = {0};
	struct vassal_config c = {0};
	int r = inifile_parse(text, strlen(text), &facts, &items, notes, err);

	if (r == 0)
		r = vassal_config_build(&items, &c, notes, err);
	vassal_config_done(&c);
	config_items_done(&items);
	return r;
}

static void the_example_ini_runs_as_it_is(void **state)
{
	char *text = dumped(OPTION_DUMP_INI);
	struct inifile_notes notes = {0};
	struct err err = {0};

	(void)state;
	if (build_ini(text, &notes, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(notes.n, 0);
	inifile_notes_done(&notes);
	free(text);
}

static void the_example_ini_runs_with_everything_switched_on(void **state)
{
	char *text = dumped(OPTION_DUMP_INI);
	struct inifile_notes notes = {0};
	struct err err = {0};

	(void)state;
	for (char *p = text; (p = strstr(p, "\n#")); p++)
		p[1] = ' ';
	if (build_ini(text, &notes, &err) < 0)
		fail_msg("%s", err.text);
	inifile_notes_done(&notes);
	free(text);
}

static void formats_have_names(void **state)
{
	enum option_dump format;

	(void)state;
	assert_true(option_dump_format("mdoc", &format));
	assert_int_equal(format, OPTION_DUMP_MDOC);
	assert_true(option_dump_format("help", &format));
	assert_false(option_dump_format("xml", &format));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_come_from_the_table),
		cmocka_unit_test(truth_is_what_is_not_false),
		cmocka_unit_test(a_failure_leaves_the_field),
		cmocka_unit_test(units_multiply),
		cmocka_unit_test(comments_are_cut_only_where_they_can_be_one),
		cmocka_unit_test(unknown_names_are_told_apart),
		cmocka_unit_test(arguments_become_items),
		cmocka_unit_test(bad_arguments_are_refused),
		cmocka_unit_test(main_takes_its_own_arguments_out),
		cmocka_unit_test(no_name_stands_in_two_rows),
		cmocka_unit_test(verdicts_are_about_options_of_uwsgi),
		cmocka_unit_test(every_row_has_a_text_that_fits_a_sentence),
		cmocka_unit_test(every_example_and_default_is_accepted),
		cmocka_unit_test(the_example_ini_is_what_the_table_says),
		cmocka_unit_test(the_manual_is_what_the_table_says),
		cmocka_unit_test(the_dictionary_is_what_the_table_says),
		cmocka_unit_test(the_example_ini_runs_as_it_is),
		cmocka_unit_test(the_example_ini_runs_with_everything_switched_on),
		cmocka_unit_test(formats_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

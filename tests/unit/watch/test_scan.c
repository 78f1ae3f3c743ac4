/*
 * test_scan - which names are taken, and what a look at real directories brings.
 */
#include "emperor/watch/scan.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/err.h"

static char root[64];

static int make_root(void **state)
{
	(void)state;
	(void)strcpy(root, "/tmp/emperor-scan-XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int drop(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int drop_root(void **state)
{
	(void)state;
	return nftw(root, drop, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *path_of(const char *name)
{
	static char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", root, name);
	return path;
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(path_of(name), "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void look(struct scan *s, const struct scan_rules *rules)
{
	const char *dirs[] = {root};
	struct err err = {0};

	assert_int_equal(scan_run(s, dirs, 1, rules, &err), 0);
}

static void names_of_editors_and_packagers_are_not_taken(void **state)
{
	static const struct {
		const char *name;
		bool taken;
	} rows[] = {
		{"blog.ini", true},
		{"my-app_2.ini", true},
		{"a.b.ini", true},
		{"blog", false},
		{".ini", false},
		{"ini", false},
		{".blog.ini", false},
		{".blog.ini.swp", false},
		{"blog.ini~", false},
		{"#blog.ini#", false},
		{"#blog.ini", false},
		{"blog.ini.tmp", false},
		{"blog.ini.dpkg-old", false},
		{"blog.ini.dpkg-new", false},
		{"blog.INI", false},
		{"blog.ini.bak", false},
		{"a\nb.ini", false},
		{"a\033[31m.ini", false},
	};
	char name[LIMIT_NAME + 8];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (scan_takes_name(rows[i].name) != rows[i].taken)
			fail_msg("%s", rows[i].name);
	memset(name, 'a', sizeof(name));
	(void)strcpy(name + LIMIT_NAME - 1, ".ini");
	assert_true(scan_takes_name(name));
	(void)strcpy(name + LIMIT_NAME, ".ini");
	assert_false(scan_takes_name(name));
}

static void inis_come_sorted_with_their_bytes(void **state)
{
	const struct scan_rules rules = {0};
	struct scan s;

	(void)state;
	put("zoo.ini", "z");
	put("blog.ini", "[vassal]\n");
	put("notes.txt", "x");
	look(&s, &rules);
	assert_int_equal(s.n, 2);
	assert_string_equal(s.v[0].name, "blog");
	assert_string_equal(s.v[0].bytes, "[vassal]\n");
	assert_int_equal(s.v[0].n, 9);
	assert_null(s.v[0].problem);
	assert_true(s.v[0].print.content == fingerprint_digest("[vassal]\n", 9));
	assert_string_equal(s.v[1].name, "zoo");
	assert_false(s.incomplete);
	scan_done(&s);
}

static void what_is_no_file_is_a_problem_and_not_read(void **state)
{
	const struct scan_rules rules = {0};
	struct scan s;

	(void)state;
	assert_int_equal(mkfifo(path_of("pipe.ini"), 0644), 0);
	assert_int_equal(mkdir(path_of("dir.ini"), 0755), 0);
	assert_int_equal(symlink("/nowhere/at/all", path_of("link.ini")), 0);
	look(&s, &rules);
	assert_int_equal(s.n, 3);
	for (size_t i = 0; i < s.n; i++) {
		assert_null(s.v[i].bytes);
		assert_non_null(s.v[i].problem);
	}
	scan_done(&s);
}

static void a_file_beyond_the_limit_is_a_problem(void **state)
{
	const struct scan_rules rules = {0};
	struct scan s;

	(void)state;
	put("big.ini", "");
	assert_int_equal(truncate(path_of("big.ini"), LIMIT_INI_BYTES + 1), 0);
	put("fits.ini", "");
	assert_int_equal(truncate(path_of("fits.ini"), LIMIT_INI_BYTES), 0);
	look(&s, &rules);
	assert_non_null(s.v[0].problem);
	assert_null(s.v[1].problem);
	assert_int_equal(s.v[1].n, LIMIT_INI_BYTES);
	scan_done(&s);
}

static void a_directory_that_cannot_be_read_makes_the_scan_incomplete(void **state)
{
	const char *dirs[] = {"/nowhere/at/all", root};
	const struct scan_rules rules = {0};
	struct scan s;

	(void)state;
	put("blog.ini", "x");
	assert_int_equal(scan_run(&s, dirs, 2, &rules, NULL), 0);
	assert_true(s.incomplete);
	assert_non_null(s.complaint);
	assert_int_equal(s.n, 1);
	scan_done(&s);
}

static void of_two_files_with_one_name_the_first_directory_wins(void **state)
{
	char second[80];
	const char *dirs[] = {root, second};
	const struct scan_rules rules = {0};
	struct scan s;

	(void)state;
	(void)snprintf(second, sizeof(second), "%s/more", root);
	assert_int_equal(mkdir(second, 0755), 0);
	put("blog.ini", "first");
	put("more/blog.ini", "second");
	assert_int_equal(scan_run(&s, dirs, 2, &rules, NULL), 0);
	assert_int_equal(s.n, 1);
	assert_string_equal(s.v[0].bytes, "first");
	assert_non_null(s.complaint);
	scan_done(&s);
}

static const char *known_file;

static const char *known(void *arg, const char *name)
{
	(void)arg;
	return str_eq(name, "blog") ? known_file : NULL;
}

static void what_runs_keeps_its_name_when_another_file_claims_it(void **state)
{
	char second[80], file[96];
	const char *dirs[] = {root, second};
	const struct scan_rules rules = {.known = known};
	struct scan s;

	(void)state;
	(void)snprintf(second, sizeof(second), "%s/more", root);
	(void)snprintf(file, sizeof(file), "%s/blog.ini", second);
	known_file = file;
	assert_int_equal(mkdir(second, 0755), 0);
	put("blog.ini", "first");
	put("more/blog.ini", "second");
	assert_int_equal(scan_run(&s, dirs, 2, &rules, NULL), 0);
	assert_int_equal(s.n, 1);
	assert_string_equal(s.v[0].bytes, "second");
	assert_non_null(s.complaint);
	scan_done(&s);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(scan_run(&s, dirs, 2, &rules, NULL), 0);
	assert_string_equal(s.v[0].bytes, "first");
	scan_done(&s);
}

static void the_limit_leaves_out_the_last_new_names_and_never_what_runs(void **state)
{
	const struct scan_rules rules = {.known = known};
	char file[96], name[32];
	struct scan s;

	(void)state;
	(void)snprintf(file, sizeof(file), "%s/zoo.ini", root);
	known_file = NULL;
	for (unsigned i = 0; i < LIMIT_APPS + 3; i++) {
		(void)snprintf(name, sizeof(name), "a%04u.ini", LIMIT_APPS + 2 - i);
		put(name, "x");
	}
	put("blog.ini", "x");
	look(&s, &rules);
	assert_int_equal(s.n, LIMIT_APPS);
	assert_non_null(s.complaint);
	assert_string_equal(s.v[0].name, "a0000");
	(void)snprintf(name, sizeof(name), "a%04u", LIMIT_APPS - 1);
	assert_string_equal(s.v[LIMIT_APPS - 1].name, name);
	scan_done(&s);
	(void)snprintf(file, sizeof(file), "%s/blog.ini", root);
	known_file = file;
	look(&s, &rules);
	assert_int_equal(s.n, LIMIT_APPS);
	assert_string_equal(s.v[LIMIT_APPS - 1].name, "blog");
	scan_done(&s);
}

static void give(const char *name, uid_t uid)
{
	assert_int_equal(lchown(path_of(name), uid, uid), 0);
}

static void one_tenant_has_only_so_many_apps(void **state)
{
	const struct scan_rules tyrant = {.only_root = true, .tyrant = true};
	char name[32];
	size_t others = 0;
	struct scan s;

	(void)state;
	if (geteuid() != 0)
		skip();
	for (unsigned i = 0; i < LIMIT_TENANT_APPS + 2; i++) {
		(void)snprintf(name, sizeof(name), "a%04u.ini", i);
		put(name, "x");
		give(name, 777);
	}
	put("zoo.ini", "x");
	give("zoo.ini", 778);
	look(&s, &tyrant);
	assert_int_equal(s.n, LIMIT_TENANT_APPS + 1);
	for (size_t i = 0; i < s.n; i++)
		others += s.v[i].owner == 778;
	assert_int_equal(others, 1);
	assert_non_null(strstr(s.complaint, "uid 777"));
	scan_done(&s);
}

static void a_tenants_link_leads_to_its_own_files_only(void **state)
{
	const struct scan_rules tyrant = {.only_root = true, .tyrant = true};
	static const struct {
		const char *name, *target;
		uid_t owner;
		bool taken;
	} rows[] = {
		{"a.ini", "mine", 777, true},
		{"b.ini", "theirs", 777, false},
		{"c.ini", "theirs", 0, true},
		{"d.ini", "via/theirs", 0, false}, /* root's link, but a tenant's directory link on the way */
		{"e.ini", "via/mine", 0, true},
		{"f.ini", "e.ini", 778, false},
	};
	struct scan s;

	(void)state;
	if (geteuid() != 0)
		skip();
	put("mine", "x");
	give("mine", 777);
	put("theirs", "x");
	give("theirs", 778);
	assert_int_equal(symlink(".", path_of("via")), 0);
	give("via", 777);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(symlink(rows[i].target, path_of(rows[i].name)), 0);
		give(rows[i].name, rows[i].owner);
	}
	look(&s, &tyrant);
	assert_int_equal(s.n, ARRAY_SIZE(rows));
	for (size_t i = 0; i < s.n; i++)
		if ((s.v[i].bytes != NULL) != rows[i].taken)
			fail_msg("%s: %s", rows[i].name, s.v[i].problem ? s.v[i].problem : "taken");
	scan_done(&s);
}

static void links_in_a_circle_are_a_problem_and_not_a_loop(void **state)
{
	const struct scan_rules tyrant = {.only_root = true, .tyrant = true};
	struct scan s;

	(void)state;
	assert_int_equal(symlink("b.ini", path_of("a.ini")), 0);
	assert_int_equal(symlink("a.ini", path_of("b.ini")), 0);
	look(&s, &tyrant);
	assert_int_equal(s.n, 2);
	assert_non_null(s.v[0].problem);
	assert_non_null(s.v[1].problem);
	scan_done(&s);
}

static void a_switched_release_is_another_target(void **state)
{
	const struct scan_rules rules = {0};
	struct scan one, two;

	(void)state;
	assert_int_equal(mkdir(path_of("r1"), 0755), 0);
	assert_int_equal(mkdir(path_of("r2"), 0755), 0);
	put("r1/x", "same");
	put("r2/x", "same");
	assert_int_equal(symlink("r1", path_of("current")), 0);
	assert_int_equal(symlink("current/x", path_of("app.ini")), 0);
	look(&one, &rules);
	assert_int_equal(unlink(path_of("current")), 0);
	assert_int_equal(symlink("r2", path_of("current")), 0);
	look(&two, &rules);
	assert_int_equal(fingerprint_compare(&one.v[0].print, &two.v[0].print), FINGERPRINT_MOVED);
	scan_done(&one);
	scan_done(&two);
}

static void a_root_emperor_refuses_what_others_may_write_but_a_tyrant_does_not(void **state)
{
	const struct scan_rules strict = {.only_root = true};
	const struct scan_rules tyrant = {.only_root = true, .tyrant = true};
	struct scan s;

	(void)state;
	put("open.ini", "x");
	assert_int_equal(chmod(path_of("open.ini"), 0666), 0);
	look(&s, &strict);
	assert_non_null(s.v[0].problem);
	assert_null(s.v[0].bytes);
	scan_done(&s);
	look(&s, &tyrant);
	assert_null(s.v[0].problem);
	assert_false(s.v[0].roots);
	scan_done(&s);
}

static void a_directory_that_others_may_write_makes_its_files_nobodys(void **state)
{
	const struct scan_rules strict = {.only_root = true};
	struct scan s;

	(void)state;
	put("app.ini", "x");
	assert_int_equal(chmod(root, 0777), 0);
	look(&s, &strict);
	assert_non_null(s.v[0].problem);
	assert_false(s.v[0].roots);
	scan_done(&s);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, make_root, drop_root)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_editors_and_packagers_are_not_taken),
		TEST(inis_come_sorted_with_their_bytes),
		TEST(what_is_no_file_is_a_problem_and_not_read),
		TEST(a_file_beyond_the_limit_is_a_problem),
		TEST(a_directory_that_cannot_be_read_makes_the_scan_incomplete),
		TEST(of_two_files_with_one_name_the_first_directory_wins),
		TEST(what_runs_keeps_its_name_when_another_file_claims_it),
		TEST(the_limit_leaves_out_the_last_new_names_and_never_what_runs),
		TEST(one_tenant_has_only_so_many_apps),
		TEST(a_tenants_link_leads_to_its_own_files_only),
		TEST(links_in_a_circle_are_a_problem_and_not_a_loop),
		TEST(a_switched_release_is_another_target),
		TEST(a_root_emperor_refuses_what_others_may_write_but_a_tyrant_does_not),
		TEST(a_directory_that_others_may_write_makes_its_files_nobodys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

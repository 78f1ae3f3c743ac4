/*
 * test_inifile_sources - which files an ini depends on, and whether one of them is another now.
 */
#include "shared/inifile.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "shared/clock.h"
#include "shared/err.h"

static char folder[64];

static const char *at(const char *name)
{
	static char path[4][128];
	static unsigned turn;
	char *p = path[turn++ % ARRAY_SIZE(path)];

	(void)snprintf(p, sizeof(path[0]), "%s/%s", folder, name);
	return p;
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(at(name), "w");

	assert_non_null(f);
	(void)fputs(text, f);
	(void)fclose(f);
}

static const char *const names[] = {"a.inc", "b.inc", "list", "word", "flag", "d/x", "deep.inc"};

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(folder, sizeof(folder), "/tmp/test-sources-XXXXXX");
	return mkdtemp(folder) && mkdir(at("d"), 0755) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		(void)unlink(at(names[i]));
	return rmdir(at("d")) | rmdir(folder);
}

static int read_ini(const char *text, bool allow, struct inifile_sources *ret)
{
	const struct inifile_facts facts = {.path = at("blog.ini"),
					    .vassals_dir = folder,
					    .cpus = 1,
					    .allow_files = allow,
					    .sources = ret};
	struct config_items items = {0};
	struct inifile_notes notes = {0};
	int r = inifile_parse(text, strlen(text), &facts, &items, &notes, NULL);

	config_items_done(&items);
	inifile_notes_done(&notes);
	return r;
}

static bool has(const struct inifile_sources *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (str_eq(s->v[i].path, at(name)))
			return true;
	return false;
}

static void make_all(void)
{
	put("a.inc", "[vassal]\nini = deep.inc\n");
	put("deep.inc", "[vassal]\na = 1\n");
	put("b.inc", "[vassal]\nb = 1\n");
	put("list", "one\ntwo\n");
	put("word", "hello\n");
	put("flag", "");
	put("d/x", "");
}

static const char all[] =
	"[vassal]\nini = a.inc\ninherit = b.inc\nfor-readline = list\nx = %(_)\nendfor =\n"
	"y = @(word)\nif-exists = flag\nz = 1\nendif =\n"
	"for-glob = d/*\nw = %(_)\nendfor =\n";

static void every_way_to_read_a_file_is_reported_and_each_file_once(void **state)
{
	static const char *const wanted[] = {"a.inc", "deep.inc", "b.inc", "list",
					     "word",  "flag",     "d/*"};
	struct inifile_sources s = {0};

	(void)state;
	make_all();
	assert_int_equal(read_ini(all, true, &s), 0);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		if (!has(&s, wanted[i]))
			fail_msg("%s is missing", wanted[i]);
	assert_int_equal(s.n, ARRAY_SIZE(wanted));
	assert_int_equal(
		read_ini("[vassal]\na = @(word)@(word)\nif-file = word\nendif =\n", true, &s), 0);
	assert_int_equal(s.n, 1);
	/* a pattern that is a file's name hides nothing of that file */
	assert_int_equal(read_ini("[vassal]\nfor-glob = word\nendfor =\na = @(word)\n", true, &s),
			 0);
	put("word", "other bytes\n");
	assert_string_equal(inifile_sources_changed(&s), at("word"));
	assert_int_equal(read_ini("[vassal]\na = 1\n", true, &s), 0);
	assert_int_equal(s.n, 0);
	inifile_sources_done(&s);
}

static void what_fails_reports_the_file_that_it_failed_for(void **state)
{
	struct inifile_sources s = {0};

	(void)state;
	(void)unlink(at("b.inc"));
	assert_int_not_equal(read_ini("[vassal]\nini = b.inc\n", true, &s), 0);
	assert_true(has(&s, "b.inc"));
	assert_null(inifile_sources_differ(&s));
	put("b.inc", "[vassal]\n");
	assert_string_equal(inifile_sources_differ(&s), at("b.inc"));
	/* a tenant's ini reads nothing, and nothing is looked at for it */
	assert_int_not_equal(read_ini("[vassal]\nini = b.inc\n", false, &s), 0);
	assert_int_equal(s.n, 0);
	inifile_sources_done(&s);
}

static void one_that_may_not_be_opened_is_not_new_at_each_look(void **state)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct inifile_sources s = {0};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	/* nobody can open a socket, not even root */
	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", at("b.inc"));
	(void)unlink(sa.sun_path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_not_equal(read_ini("[vassal]\nini = b.inc\n", true, &s), 0);
	assert_true(has(&s, "b.inc"));
	assert_null(inifile_sources_changed(&s));
	assert_int_equal(unlink(sa.sun_path), 0);
	put("b.inc", "[vassal]\n");
	assert_string_equal(inifile_sources_changed(&s), at("b.inc"));
	inifile_sources_done(&s);
	(void)close(fd);
}

static void set_mtime(const char *name, time_t s)
{
	const struct timespec times[2] = {{s, 0}, {s, 0}};

	assert_int_equal(utimensat(AT_FDCWD, at(name), times, 0), 0);
}

static void each_kind_of_change_is_seen_once_and_none_where_there_is_none(void **state)
{
	struct inifile_sources s = {0};

	(void)state;
	make_all();
	assert_int_equal(read_ini(all, true, &s), 0);
	assert_null(inifile_sources_changed(&s));
	/* other bytes, an older time, a file in its place, gone, and back */
	put("deep.inc", "[vassal]\na = 22\n");
	assert_string_equal(inifile_sources_changed(&s), at("deep.inc"));
	set_mtime("list", 1000);
	assert_string_equal(inifile_sources_changed(&s), at("list"));
	put("d/new", "hello\n");
	assert_string_equal(inifile_sources_changed(&s), at("d/*"));
	put("d/.hidden", ""); /* does not match */
	assert_null(inifile_sources_changed(&s));
	assert_int_equal(unlink(at("d/.hidden")), 0);
	assert_int_equal(rename(at("d/new"), at("word")), 0);
	assert_non_null(inifile_sources_changed(&s));
	assert_int_equal(unlink(at("b.inc")), 0);
	assert_string_equal(inifile_sources_differ(&s), at("b.inc"));
	assert_string_equal(inifile_sources_changed(&s), at("b.inc"));
	assert_null(inifile_sources_changed(&s));
	/* of what is only asked for, the bytes are no matter */
	put("flag", "other bytes");
	assert_null(inifile_sources_changed(&s));
	assert_int_equal(unlink(at("flag")), 0);
	assert_string_equal(inifile_sources_changed(&s), at("flag"));
	assert_null(inifile_sources_differ(&s));
	inifile_sources_done(&s);
}

static void newer_is_what_was_written_since(void **state)
{
	struct inifile_sources s = {0};

	(void)state;
	make_all();
	assert_int_equal(read_ini(all, true, &s), 0);
	/* an older mtime hides nothing: rsync -t */
	set_mtime("a.inc", 1000);
	(void)inifile_sources_changed(&s);
	assert_true(inifile_sources_newer(&s, clock_wall_ns() - 60 * NS_PER_S));
	assert_false(inifile_sources_newer(&s, clock_wall_ns() + 60 * NS_PER_S));
	inifile_sources_done(&s);
	assert_false(inifile_sources_newer(&s, 0));
}

static void the_list_is_bounded(void **state)
{
	struct inifile_sources s = {0};
	char path[32];

	(void)state;
	for (unsigned i = 0; i < INIFILE_SOURCES_MAX; i++) {
		(void)snprintf(path, sizeof(path), "/none/%u", i);
		assert_int_equal(inifile_sources_add(&s, path, INIFILE_SOURCE_READ, NULL), 0);
	}
	assert_true(inifile_sources_add(&s, "/more", INIFILE_SOURCE_READ, NULL) < 0);
	assert_int_equal(inifile_sources_add(&s, "/none/1", INIFILE_SOURCE_READ, NULL), 0);
	assert_int_equal(s.n, INIFILE_SOURCES_MAX);
	inifile_sources_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_way_to_read_a_file_is_reported_and_each_file_once),
		cmocka_unit_test(what_fails_reports_the_file_that_it_failed_for),
		cmocka_unit_test(one_that_may_not_be_opened_is_not_new_at_each_look),
		cmocka_unit_test(each_kind_of_change_is_seen_once_and_none_where_there_is_none),
		cmocka_unit_test(newer_is_what_was_written_since),
		cmocka_unit_test(the_list_is_bounded),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

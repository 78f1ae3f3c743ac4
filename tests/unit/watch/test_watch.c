/*
 * test_watch - a burst is one call, other files are none, and silence still brings a look.
 */
#include "emperor/watch/watch.h"

#include <ev.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "shared/err.h"

static struct {
	char dir[64];
	const char *dirs[1];
	struct ev_loop *loop;
	struct watch *watch;
	unsigned calls;
	ev_timer end;
} t;

static void on_call(void *arg)
{
	(void)arg;
	t.calls++;
}

static void on_end(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(loop, EVBREAK_ALL);
}

static void run(double seconds)
{
	ev_now_update(t.loop);
	ev_timer_init(&t.end, on_end, seconds, 0);
	ev_timer_start(t.loop, &t.end);
	(void)ev_run(t.loop, 0);
}

static void start(double rescan_s)
{
	struct err err = {0};

	t.calls = 0;
	assert_int_equal(watch_start(&t.watch, t.loop, t.dirs, 1, rescan_s, on_call, NULL, &err),
			 0);
}

static void put(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", t.dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	(void)fputs(text, f);
	(void)fclose(f);
}

static void take(const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", t.dir, name);
	assert_int_equal(remove(path), 0);
}

static int set_up(void **state)
{
	(void)state;
	(void)strcpy(t.dir, "/tmp/emperor-watch-XXXXXX");
	t.dirs[0] = t.dir;
	t.loop = ev_loop_new(0);
	return t.loop && mkdtemp(t.dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	watch_free(t.watch);
	t.watch = NULL;
	ev_loop_destroy(t.loop);
	return rmdir(t.dir);
}

static void a_burst_becomes_one_call(void **state)
{
	(void)state;
	start(60);
	for (int i = 0; i < 50; i++)
		put("app.ini", "text");
	run(WATCH_SETTLE_S * 3);
	assert_int_equal(t.calls, 1);
	take("app.ini");
	run(WATCH_SETTLE_S * 3);
	assert_int_equal(t.calls, 2);
}

static void names_that_are_no_apps_wake_nobody(void **state)
{
	(void)state;
	start(60);
	put(".app.ini.swp", "x");
	put("app.ini~", "x");
	run(WATCH_SETTLE_S * 3);
	assert_int_equal(t.calls, 0);
	take(".app.ini.swp");
	take("app.ini~");
}

static void a_file_written_for_ever_does_not_keep_the_rest_waiting(void **state)
{
	(void)state;
	start(60);
	for (double at = 0; at < WATCH_BURST_S * 2; at += WATCH_SETTLE_S / 3) {
		put("app.ini", "more");
		run(WATCH_SETTLE_S / 3);
	}
	assert_true(t.calls >= 1);
	take("app.ini");
}

static void silence_brings_a_look_all_the_same(void **state)
{
	(void)state;
	start(0.05);
	run(0.18);
	assert_true(t.calls >= 2);
}

static void who_cannot_wait_looks_at_once_but_not_into_the_middle_of_a_save(void **state)
{
	(void)state;
	start(60);
	assert_true(watch_look_now(t.watch));
	assert_int_equal(t.calls, 1);
	/* not even read from inotify yet */
	put("app.ini", "half");
	assert_false(watch_look_now(t.watch));
	assert_false(watch_look_now(t.watch));
	assert_int_equal(t.calls, 1);
	run(WATCH_SETTLE_S * 3);
	assert_int_equal(t.calls, 2);
	take("app.ini");
	run(WATCH_SETTLE_S * 3);
	assert_int_equal(t.calls, 3);
	assert_true(watch_look_now(t.watch));
	assert_int_equal(t.calls, 4);
}

/* The rescan is due while events wait unread: it must leave the word to the burst, which has not settled. */
static void a_rescan_never_looks_into_the_middle_of_a_save(void **state)
{
	(void)state;
	start(0.03);
	put("app.ini", "half");
	run(0.04);
	assert_int_equal(t.calls, 0);
	run(WATCH_SETTLE_S);
	assert_true(t.calls >= 1);
	take("app.ini");
}

static void a_directory_that_comes_later_is_found(void **state)
{
	(void)state;
	assert_int_equal(rmdir(t.dir), 0);
	start(0.05);
	run(0.08);
	assert_int_equal(mkdir(t.dir, 0755), 0);
	run(0.08);
	t.calls = 0;
	put("app.ini", "x");
	run(WATCH_SETTLE_S * 2);
	assert_true(t.calls >= 1);
	take("app.ini");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_burst_becomes_one_call),
		TEST(names_that_are_no_apps_wake_nobody),
		TEST(a_file_written_for_ever_does_not_keep_the_rest_waiting),
		TEST(silence_brings_a_look_all_the_same),
		TEST(a_rescan_never_looks_into_the_middle_of_a_save),
		TEST(who_cannot_wait_looks_at_once_but_not_into_the_middle_of_a_save),
		TEST(a_directory_that_comes_later_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

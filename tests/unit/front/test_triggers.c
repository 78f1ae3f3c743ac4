/*
 * test_triggers - which change asks for a new generation, and when. How files look is what the test says, a look of the
 * disk thread ends when the test ends it, and the timer comes when it calls it.
 */
#include "vassal/front/triggers.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/fd.h"
#include "shared/vassal_config.h"
#include "vassal/front/link.h"
#include "vassal/front/stamps.h"
#include "vassal/front/state.h"

#define FILES 8

static struct {
	struct {
		char path[64];
		uint64_t digest;
		bool gone;
	} files[FILES];
	size_t files_n;
	unsigned looks_at_module; /* at paths that begin with /m */
	struct diskjob *job;      /* submitted, not done */
	unsigned submitted, asked;
	bool no_thread;
	char why[600];
	ev_timer *timer;
	bool ticking;
	double next_s;
} world;

static struct stamp look_up(const char *path)
{
	world.looks_at_module += path[0] == '/' && path[1] == 'm';
	for (size_t i = 0; i < world.files_n; i++)
		if (strcmp(world.files[i].path, path) == 0)
			return (struct stamp){!world.files[i].gone, world.files[i].digest};
	return (struct stamp){true, 1};
}

struct stamp __wrap_stamp_take(const char *path);
bool __wrap_diskpool_submit(struct diskpool *p, struct diskjob *job);
void __wrap_link_say(struct front *f, enum msg_kind kind, uint64_t a, uint64_t b, const char *text);
void __wrap_logbook_say(struct logbook *b, uint64_t wall_ns, const char *fmt, ...);
void __wrap_ev_timer_start(struct ev_loop *loop, ev_timer *w);
void __wrap_ev_timer_stop(struct ev_loop *loop, ev_timer *w);

struct stamp __wrap_stamp_take(const char *path)
{
	return look_up(path);
}

bool __wrap_diskpool_submit(_unused_ struct diskpool *p, struct diskjob *job)
{
	assert_null(world.job); /* it is the thread's */
	world.submitted++;
	if (world.no_thread)
		return false;
	world.job = job;
	return true;
}

void __wrap_link_say(_unused_ struct front *f, enum msg_kind kind, _unused_ uint64_t a,
		     _unused_ uint64_t b, const char *text)
{
	assert_int_equal(kind, MSG_WANT_RELOAD);
	world.asked++;
	(void)snprintf(world.why, sizeof(world.why), "%s", text);
}

void __wrap_logbook_say(_unused_ struct logbook *b, _unused_ uint64_t wall_ns,
			_unused_ const char *fmt, ...)
{
}

void __wrap_ev_timer_start(_unused_ struct ev_loop *loop, ev_timer *w)
{
	world.timer = w;
	world.ticking = true;
	world.next_s = w->at;
}

void __wrap_ev_timer_stop(_unused_ struct ev_loop *loop, _unused_ ev_timer *w)
{
	world.ticking = false;
}

static void set(const char *path, uint64_t digest, bool gone)
{
	size_t i = 0;

	while (i < world.files_n && strcmp(world.files[i].path, path) != 0)
		i++;
	assert_true(i < FILES);
	(void)snprintf(world.files[i].path, sizeof(world.files[i].path), "%s", path);
	world.files[i].digest = digest;
	world.files[i].gone = gone;
	world.files_n = MAX(world.files_n, i + 1);
}

static struct front front;
static struct vassal_config config;
static char touch_path[] = "/t/reload", fs_path[] = "/f/release";
static char *touch_paths[] = {touch_path}, *fs_paths[] = {fs_path};

static struct triggers *begin(bool touch, bool fs, unsigned autoreload_s)
{
	struct triggers *t = NULL;

	memset(&world, 0, sizeof(world));
	front = (struct front){.config = &config, .link_fd = 5, .phase = PHASE_SERVING};
	config = (struct vassal_config){.py_autoreload_s = autoreload_s};
	if (touch)
		config.touch_reload = (struct option_list){.v = touch_paths, .n = 1};
	if (fs)
		config.fs_reload = (struct option_list){.v = fs_paths, .n = 1};
	assert_int_equal(triggers_start(&front, &t), 0);
	assert_non_null(t);
	assert_true(world.ticking);
	return t;
}

static void tick(void)
{
	assert_true(world.ticking);
	world.timer->cb(NULL, world.timer, EV_TIMER);
}

static void end_look(void)
{
	struct diskjob *job = world.job;

	assert_non_null(job);
	job->work(job);
	world.job = NULL;
	job->done(job);
}

static void look(void)
{
	tick();
	end_look();
}

static void nothing_named_or_nobody_to_ask_means_no_looks(_unused_ void **state)
{
	struct triggers *t = (struct triggers *)&front;

	memset(&world, 0, sizeof(world));
	front = (struct front){.config = &config};
	config = (struct vassal_config){0};
	assert_int_equal(triggers_start(&front, &t), 0);
	assert_null(t);
	config.py_autoreload_s = 1;
	front.alone = true;
	assert_int_equal(triggers_start(&front, &t), 0);
	assert_null(t);
	assert_false(world.ticking);
	/* as they may be told all the same */
	triggers_modules(NULL, -1);
	triggers_free(NULL);
}

static void what_stays_as_it_is_asks_for_nothing(_unused_ void **state)
{
	struct triggers *t = begin(true, true, 0);

	for (int i = 0; i < 5; i++)
		look();
	assert_int_equal(world.asked, 0);
	triggers_free(t);
}

static void a_touched_file_asks_at_once_and_once(_unused_ void **state)
{
	struct triggers *t = begin(true, false, 0);

	set(touch_path, 2, false);
	look();
	assert_int_equal(world.asked, 1);
	assert_string_equal(world.why, "touch-reload = /t/reload has changed");
	look();
	assert_int_equal(world.asked, 1);
	/* gone is no change: it may be on its way to be replaced; what comes in its place is one */
	set(touch_path, 0, true);
	look();
	assert_int_equal(world.asked, 1);
	set(touch_path, 3, false);
	look();
	assert_int_equal(world.asked, 2);
	triggers_free(t);
}

static void a_directory_asks_when_it_has_come_to_rest(_unused_ void **state)
{
	struct triggers *t = begin(false, true, 0);

	for (uint64_t i = 2; i < 6; i++) {
		set(fs_path, i, false);
		look();
		assert_int_equal(world.asked, 0);
		assert_true(world.ticking && world.next_s < 1); /* looked at again sooner */
	}
	look();
	assert_int_equal(world.asked, 1);
	assert_string_equal(world.why, "fs-reload = /f/release has changed");
	triggers_free(t);
}

static void a_file_that_asks_at_once_does_not_wait_for_a_directory(_unused_ void **state)
{
	struct triggers *t = begin(true, true, 0);

	set(fs_path, 2, false);
	look();
	assert_int_equal(world.asked, 0);
	set(fs_path, 3, false);
	set(touch_path, 2, false);
	look();
	assert_int_equal(world.asked, 1);
	/* and that was all of it */
	look();
	assert_int_equal(world.asked, 1);
	triggers_free(t);
}

static void who_does_not_serve_or_has_no_emperor_asks_later(_unused_ void **state)
{
	static const struct {
		enum phase phase;
		int link_fd;
	} rows[] = {{PHASE_STARTING, 5}, {PHASE_READY, 5}, {PHASE_SERVING, -1}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct triggers *t = begin(true, false, 0);

		front.phase = rows[i].phase;
		front.link_fd = rows[i].link_fd;
		set(touch_path, 2, false);
		look();
		look();
		assert_int_equal(world.asked, 0);
		front.phase = PHASE_SERVING;
		front.link_fd = 5;
		look();
		assert_int_equal(world.asked, 1);
		triggers_free(t);
	}
}

static void who_drains_looks_no_more(_unused_ void **state)
{
	struct triggers *t = begin(true, false, 0);

	front.phase = PHASE_DRAINING;
	tick();
	assert_false(world.ticking);
	assert_int_equal(world.submitted, 0);
	triggers_free(t);
}

static void a_slow_disk_is_asked_once_and_no_thread_is_tried_again(_unused_ void **state)
{
	struct triggers *t = begin(true, false, 0);

	tick();
	tick();
	tick();
	assert_int_equal(world.submitted, 1);
	end_look();
	world.no_thread = true;
	tick();
	tick();
	assert_int_equal(world.submitted, 3);
	world.no_thread = false;
	set(touch_path, 2, false);
	look();
	assert_int_equal(world.asked, 1);
	triggers_free(t);
}

static int news(const void *paths, size_t n)
{
	int fd = -1;

	assert_int_equal(fd_sealed_memfd(&fd, "modules", paths, n), 0);
	return fd;
}

static void tell(struct triggers *t, const void *paths, size_t n)
{
	int fd = news(paths, n);

	triggers_modules(t, fd);
	assert_true(fcntl(fd, F_GETFD) >= 0); /* borrowed */
	(void)close(fd);
}

static void modules_are_looked_at_as_often_as_the_option_says(_unused_ void **state)
{
	static const char paths[] = "/m/a.py\0/m/b.py";
	struct triggers *t = begin(false, false, 3);

	tell(t, paths, sizeof(paths));
	/* how they look now, at once: with that later looks are compared */
	end_look();
	assert_int_equal(world.looks_at_module, 2);
	for (int i = 0; i < 9; i++)
		look();
	assert_int_equal(world.looks_at_module, 2 + 3 * 2);
	set("/m/b.py", 2, false);
	for (int i = 0; i < 3; i++)
		look();
	assert_int_equal(world.asked, 0); /* an editor may not be done */
	assert_true(world.next_s < 1);
	look();
	assert_int_equal(world.asked, 1);
	assert_string_equal(world.why, "py-autoreload: /m/b.py has changed");
	triggers_free(t);
}

static void each_module_is_known_once_and_only_whole_absolute_paths_are(_unused_ void **state)
{
	static const char paths[] = "/m/a.py\0m/relative.py\0\0/m/b.py\0/m/unended";
	struct triggers *t = begin(false, false, 1);

	tell(t, paths, sizeof(paths) - 1);
	end_look();
	assert_int_equal(world.looks_at_module, 2);
	/* by another worker: nothing of it is new, and nobody needs to look */
	tell(t, paths, sizeof(paths) - 1);
	assert_null(world.job);
	world.looks_at_module = 0;
	look();
	assert_int_equal(world.looks_at_module, 2);
	triggers_free(t);
}

static void what_is_told_during_a_look_waits_for_its_end(_unused_ void **state)
{
	static const char first[] = "/m/a.py", second[] = "/m/b.py", third[] = "/m/c.py";
	struct triggers *t = begin(false, false, 1);

	tell(t, first, sizeof(first));
	/* each by another worker, which has imported what others have not */
	tell(t, second, sizeof(second));
	tell(t, third, sizeof(third));
	tell(t, second, sizeof(second));
	assert_int_equal(world.submitted, 1);
	end_look();
	assert_int_equal(world.submitted, 2);
	world.looks_at_module = 0;
	end_look();
	assert_int_equal(world.looks_at_module, 3);
	triggers_free(t);
}

static void a_descriptor_that_is_no_sealed_memfd_is_not_believed(_unused_ void **state)
{
	struct triggers *t = begin(false, false, 1);
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	triggers_modules(t, fd);
	assert_null(world.job);
	(void)close(fd);
	triggers_free(t);
}

static void more_modules_than_the_limit_are_left_alone(_unused_ void **state)
{
	struct triggers *t = begin(false, false, 1);
	char *paths = malloc((LIMIT_MODULES + 10) * 16);
	size_t n = 0;

	assert_non_null(paths);
	for (unsigned i = 0; i < LIMIT_MODULES + 10; i++)
		n += (size_t)sprintf(paths + n, "/m/%u.py", i) + 1;
	tell(t, paths, n);
	end_look();
	assert_int_equal(world.looks_at_module, LIMIT_MODULES);
	free(paths);
	triggers_free(t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_named_or_nobody_to_ask_means_no_looks),
		cmocka_unit_test(what_stays_as_it_is_asks_for_nothing),
		cmocka_unit_test(a_touched_file_asks_at_once_and_once),
		cmocka_unit_test(a_directory_asks_when_it_has_come_to_rest),
		cmocka_unit_test(a_file_that_asks_at_once_does_not_wait_for_a_directory),
		cmocka_unit_test(who_does_not_serve_or_has_no_emperor_asks_later),
		cmocka_unit_test(who_drains_looks_no_more),
		cmocka_unit_test(a_slow_disk_is_asked_once_and_no_thread_is_tried_again),
		cmocka_unit_test(modules_are_looked_at_as_often_as_the_option_says),
		cmocka_unit_test(each_module_is_known_once_and_only_whole_absolute_paths_are),
		cmocka_unit_test(what_is_told_during_a_look_waits_for_its_end),
		cmocka_unit_test(a_descriptor_that_is_no_sealed_memfd_is_not_believed),
		cmocka_unit_test(more_modules_than_the_limit_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

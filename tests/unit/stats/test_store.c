/*
 * store: a disk that is slow, or fails, costs records and nothing else. db_commit is wrapped: it stands for the disk.
 */
#include "emperor/stats/store.h"

#include <dirent.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "emperor/stats/db.h"
#include "shared/clock.h"
#include "shared/err.h"

#define NOW_S   1700000040
#define WAIT_MS 10000

/* The disk. Read by the store's thread, hence the lock. */
static pthread_mutex_t disk_lock = PTHREAD_MUTEX_INITIALIZER;
static int disk_error;
static int disk_errors = -1; /* how many more times; -1 = always */

int __real_db_commit(struct db *db, struct err *err);
int __wrap_db_commit(struct db *db, struct err *err);

int __wrap_db_commit(struct db *db, struct err *err)
{
	int r;

	(void)pthread_mutex_lock(&disk_lock);
	r = disk_errors == 0 ? 0 : disk_error;
	if (r < 0 && disk_errors > 0)
		disk_errors--;
	(void)pthread_mutex_unlock(&disk_lock);
	return r < 0 ? err_set(err, r, "the disk says %d", r) : __real_db_commit(db, err);
}

static void set_disk(int error)
{
	(void)pthread_mutex_lock(&disk_lock);
	disk_error = error;
	disk_errors = -1;
	(void)pthread_mutex_unlock(&disk_lock);
}

struct fixture {
	char dir[64], path[96];
	struct ev_loop *loop;
	struct store *store;
	unsigned bad_notices, good_notices, answers;
	char *text;
	int code;
};

static void on_notice(void *arg, bool good, const char *text)
{
	struct fixture *f = arg;

	assert_true(text[0] != '\0');
	if (good)
		f->good_notices++;
	else
		f->bad_notices++;
}

static void on_answer(void *arg, char *text, size_t n, const struct err *err)
{
	struct fixture *f = arg;

	assert_true(!text || strlen(text) == n);
	free(f->text);
	f->text = text;
	f->code = err->code;
	f->answers++;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err;

	*state = f;
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/emperor-store-XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	(void)snprintf(f->path, sizeof(f->path), "%s/h.db", f->dir);
	f->loop = ev_loop_new(0);
	set_disk(0);
	return store_new(&f->store, f->loop, f->path, on_notice, f, &err);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	DIR *d = opendir(f->dir);
	const struct dirent *e;

	set_disk(0);
	(void)store_free(f->store, 5);
	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			(void)unlinkat(dirfd(d), e->d_name, 0);
	(void)closedir(d);
	(void)rmdir(f->dir);
	ev_loop_destroy(f->loop);
	free(f->text);
	free(f);
	return 0;
}

static void nap(void)
{
	const struct timespec ts = {.tv_nsec = 2000000};

	(void)nanosleep(&ts, NULL);
}

static struct store_status wait_for(struct fixture *f, uint64_t records)
{
	struct store_status st = {0};

	for (unsigned i = 0; i < WAIT_MS / 2; i++) {
		(void)ev_run(f->loop, EVRUN_NOWAIT);
		store_read_status(f->store, &st);
		if (st.stored + st.dropped >= records)
			break;
		nap();
	}
	(void)ev_run(f->loop, EVRUN_NOWAIT);
	return st;
}

static void wait_answer(struct fixture *f)
{
	unsigned before = f->answers;

	for (unsigned i = 0; i < WAIT_MS / 2 && f->answers == before; i++) {
		(void)ev_run(f->loop, EVRUN_NOWAIT);
		nap();
	}
	assert_int_equal(f->answers, before + 1);
}

static void add_event(struct fixture *f, uint64_t wall_ns)
{
	struct record_event e = {
		.wall_ns = wall_ns, .kind = EVENT_NOTE, .app = "blog", .text = "x"};

	store_add_event(f->store, &e);
}

static void a_failing_disk_drops_counts_and_is_told_once(void **state)
{
	struct fixture *f = *state;
	struct store_status st;

	set_disk(-ENOSPC);
	for (unsigned i = 0; i < 3; i++) {
		add_event(f, i + 1);
		st = wait_for(f, i + 1);
	}
	assert_int_equal(st.dropped, 3);
	assert_int_equal(st.stored, 0);
	assert_true(st.failing);
	assert_string_equal(st.last_error, "the disk says -28");
	assert_int_equal(f->bad_notices, 1);

	set_disk(0);
	add_event(f, 9);
	st = wait_for(f, 4);
	assert_int_equal(st.stored, 1);
	assert_false(st.failing);
	for (unsigned i = 0; i < 1000 && f->good_notices == 0; i++) {
		(void)ev_run(f->loop, EVRUN_NOWAIT);
		nap();
	}
	assert_int_equal(f->good_notices, 1);
	assert_int_equal(f->bad_notices, 1);
}

static void a_hanging_disk_never_blocks_the_caller_and_the_queue_is_bounded(void **state)
{
	struct fixture *f = *state;
	struct store_status st;
	uint64_t began_ns;
	const unsigned n = 10000;

	(void)pthread_mutex_lock(&disk_lock); /* the disk hangs */
	began_ns = clock_now_ns();
	for (unsigned i = 0; i < n; i++)
		add_event(f, i + 1);
	assert_true(clock_now_ns() - began_ns < 2 * NS_PER_S);
	store_read_status(f->store, &st);
	assert_true(st.dropped >= n - 3 * LIMIT_APPS * 2);
	assert_int_equal(st.stored, 0);
	(void)pthread_mutex_unlock(&disk_lock); /* and comes back */
	st = wait_for(f, n);
	assert_int_equal(st.stored + st.dropped, n);
	assert_true(st.stored > 0);
}

static void a_store_on_a_hanging_disk_ends_in_time(void **state)
{
	struct fixture *f = *state;
	uint64_t began_ns;

	(void)pthread_mutex_lock(&disk_lock);
	add_event(f, 1);
	began_ns = clock_now_ns();
	assert_false(store_free(f->store, 1));
	assert_in_range(clock_now_ns() - began_ns, NS_PER_S / 2, 3 * NS_PER_S);
	(void)pthread_mutex_unlock(&disk_lock);
	assert_true(store_free(TAKE_PTR(f->store), 5));
}

static void questions_are_answered_and_too_many_are_refused(void **state)
{
	static const struct store_question q = {.what = STORE_EVENTS, .after_id = -1, .n = 10};
	struct fixture *f = *state;
	struct store_query *queries[64];
	struct err err = {0};
	unsigned asked = 0;

	add_event(f, 5);
	assert_int_equal(store_ask(f->store, &q, on_answer, f, &queries[0], &err), 0);
	wait_answer(f);
	assert_non_null(f->text);
	assert_non_null(strstr(f->text, "\"text\":\"x\""));

	(void)pthread_mutex_lock(&disk_lock);
	add_event(f, 6);
	while (asked < ARRAY_SIZE(queries) &&
	       store_ask(f->store, &q, on_answer, f, &queries[asked], &err) == 0)
		asked++;
	assert_true(asked > 0 && asked < ARRAY_SIZE(queries));
	assert_true(err.text[0] != '\0');
	f->answers = 0;
	store_forget(queries[0]);
	(void)pthread_mutex_unlock(&disk_lock);
	for (unsigned i = 0; i < WAIT_MS / 2 && f->answers < asked - 1; i++) {
		(void)ev_run(f->loop, EVRUN_NOWAIT);
		nap();
	}
	assert_int_equal(f->answers, asked - 1);
}

static void damage_found_while_writing_costs_no_record(void **state)
{
	static const struct store_question q = {.what = STORE_EVENTS, .after_id = -1, .n = 10};
	struct fixture *f = *state;
	struct store_query *query;
	struct store_status st;
	struct err err;

	add_event(f, 1);
	st = wait_for(f, 1);
	assert_int_equal(st.stored, 1);
	(void)pthread_mutex_lock(&disk_lock);
	disk_error = -EUCLEAN;
	disk_errors = 1;
	(void)pthread_mutex_unlock(&disk_lock);
	add_event(f, 2);
	st = wait_for(f, 2);
	assert_int_equal(st.stored, 2);
	assert_int_equal(st.dropped, 0);
	assert_int_equal(f->bad_notices, 1);
	/* The new file holds what was in hand; what was before is set aside. */
	assert_int_equal(store_ask(f->store, &q, on_answer, f, &query, &err), 0);
	wait_answer(f);
	assert_non_null(strstr(f->text, "\"time_ns\":2,"));
	assert_null(strstr(f->text, "\"time_ns\":1,"));
}

static void a_file_that_was_removed_is_begun_anew(void **state)
{
	struct fixture *f = *state;
	struct store_status st;

	add_event(f, 1);
	st = wait_for(f, 1);
	assert_int_equal(unlink(f->path), 0);
	add_event(f, 2);
	st = wait_for(f, 2);
	assert_int_equal(st.stored, 2);
	assert_int_equal(access(f->path, F_OK), 0);
	assert_int_equal(f->bad_notices, 1);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_failing_disk_drops_counts_and_is_told_once),
		TEST(a_hanging_disk_never_blocks_the_caller_and_the_queue_is_bounded),
		TEST(a_store_on_a_hanging_disk_ends_in_time),
		TEST(questions_are_answered_and_too_many_are_refused),
		TEST(damage_found_while_writing_costs_no_record),
		TEST(a_file_that_was_removed_is_begun_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * scoreboard: what is written can be read, the histogram keeps its promise, and a hostile board harms no reader.
 */
#include "shared/scoreboard.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "shared/err.h"

struct fixture {
	int fd;
	struct scoreboard *b;
	const struct scoreboard *ro;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err;

	*state = f;
	return board_create(&f->fd, &f->b, "blog", &err) || board_map_readonly(f->fd, &f->ro, &err);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	board_unmap(f->b);
	board_unmap(f->ro);
	(void)close(f->fd);
	free(f);
	return 0;
}

static void the_size_of_a_board_can_never_change(void **state)
{
	const struct fixture *f = *state;

	assert_true(ftruncate(f->fd, 0) < 0);
	assert_true(ftruncate(f->fd, (off_t)sizeof(struct scoreboard) + 1) < 0);
	assert_true(fcntl(f->fd, F_ADD_SEALS, F_SEAL_WRITE) < 0);
}

static void a_readonly_mapping_sees_writes_and_cannot_be_made_writable(void **state)
{
	const struct fixture *f = *state;

	f->b->bank[0].worker[3].pid = 42;
	assert_int_equal(f->ro->bank[0].worker[3].pid, 42);
	assert_true(mprotect((void *)(uintptr_t)f->ro, 4096, PROT_READ | PROT_WRITE) < 0);
	assert_int_equal(errno, EACCES);
}

static void only_a_sealed_board_of_this_build_is_mapped(void **state)
{
	struct fixture *f = *state;
	int plain = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct scoreboard *b = NULL;
	const struct scoreboard *ro = NULL;
	struct err err = {0};

	assert_return_code(ftruncate(plain, sizeof(struct scoreboard)), errno);
	assert_int_equal(board_map(plain, &b, &err), -EPERM);
	assert_int_equal(fcntl(plain, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
	assert_int_equal(board_map(plain, &b, &err), -EINVAL); /* no magic */
	assert_int_equal(board_map_readonly(plain, &ro, &err), -EINVAL);
	(void)close(plain);
	assert_true(board_map(-1, &b, &err) < 0);
	assert_true(board_map_readonly(-1, &ro, &err) < 0);
	assert_null(b);
	assert_null(ro);

	f->b->version = BOARD_VERSION + 1;
	assert_int_equal(board_map(f->fd, &b, &err), -EINVAL);
	assert_non_null(strstr(err.text, "version"));
}

static void every_bucket_holds_what_lies_between_its_floors(void **state)
{
	(void)state;
	for (unsigned b = 0; b + 1 < BOARD_BUCKETS; b++) {
		uint64_t low = board_bucket_floor_us(b);
		uint64_t high = board_bucket_floor_us(b + 1);

		assert_true(low < high);
		assert_int_equal(board_bucket(low), b);
		assert_int_equal(board_bucket(high - 1), b);
		assert_int_equal(board_bucket(high), b + 1);
	}
	assert_int_equal(board_bucket(UINT64_MAX), BOARD_BUCKETS - 1);
}

static void a_percentile_is_right_within_a_quarter(void **state)
{
	static const double ps[] = {1, 50, 90, 95, 99, 100};
	uint64_t hist[BOARD_BUCKETS] = {0};

	(void)state;
	for (uint64_t us = 1; us <= 10000; us++)
		hist[board_bucket(us)]++;
	for (size_t i = 0; i < ARRAY_SIZE(ps); i++) {
		double is = (double)board_percentile_us(hist, ps[i]);
		double should = ps[i] * 100;

		assert_true(is >= should * 0.75 && is <= should * 1.25);
	}
}

static void percentiles_of_nothing_and_of_nonsense_end(void **state)
{
	uint64_t hist[BOARD_BUCKETS] = {0};

	(void)state;
	assert_int_equal(board_percentile_us(hist, 50), 0);
	memset(hist, 0xff, sizeof(hist));
	assert_true(board_percentile_us(hist, 99) <= board_bucket_floor_us(BOARD_BUCKETS));
	assert_true(board_percentile_us(hist, -1) <= 2);
	assert_true(board_percentile_us(hist, 1e300) <= board_bucket_floor_us(BOARD_BUCKETS));
	assert_true(board_percentile_us(hist, __builtin_nan("")) <= 2);
	memset(hist, 0, sizeof(hist));
	hist[BOARD_BUCKETS - 1] = 1;
	assert_int_equal(board_percentile_us(hist, 50), board_bucket_floor_us(BOARD_BUCKETS - 1));
}

static void totals_are_the_sum_over_the_banks_in_use(void **state)
{
	struct fixture *f = *state;
	struct board_totals t;

	for (unsigned i = 0; i < LIMIT_BANKS; i++) {
		f->b->bank[i].generation = i; /* 0 = never used */
		board_add(&f->b->bank[i].counters.requests, 10 + i);
		board_add(&f->b->bank[i].counters.responses[2], 7);
		board_add(&f->b->bank[i].counters.app_hist[5], 1);
		board_add(&f->b->bank[i].counters.log_dropped, 2);
	}
	board_read_totals(f->ro, &t);
	assert_int_equal(t.requests, 11 + 12 + 13);
	assert_int_equal(t.responses[2], 21);
	assert_int_equal(t.app_hist[5], 3);
	assert_int_equal(t.log_dropped, 6);
	assert_ptr_equal(board_find_bank(f->ro, 2), &f->ro->bank[2]);
	assert_null(board_find_bank(f->ro, 0));
	assert_null(board_find_bank(f->ro, 9));
}

static void hostile_counters_stay_positive_integers(void **state)
{
	struct fixture *f = *state;
	struct board_totals t;

	memset(f->b->bank, 0xff, sizeof(f->b->bank));
	board_read_totals(f->ro, &t);
	for (size_t i = 0; i < board_fields_n; i++) {
		uint64_t n;

		memcpy(&n, (const char *)&t + board_fields[i].totals_offset, sizeof(n));
		assert_true(n > 0 && n <= INT64_MAX);
	}
}

static void each_field_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (size_t i = 0; i < board_fields_n; i++) {
		assert_true(board_fields[i].text[0] != '\0');
		for (size_t k = 0; k < i; k++) {
			assert_string_not_equal(board_fields[i].name, board_fields[k].name);
			assert_int_not_equal(board_fields[i].totals_offset,
					     board_fields[k].totals_offset);
		}
	}
}

static void events_come_back_in_order_and_only_once(void **state)
{
	struct fixture *f = *state;
	uint64_t at = 0;
	uint64_t missed = 0;
	struct board_event e;

	board_event(f->b, 111, 3, EVENT_WORKER_KILLED, 2, "worker %d: %s", 2, "too large");
	board_event(f->b, 112, 3, EVENT_NOTE, 0, "second");
	assert_int_equal(board_read_event(f->ro, 3, &e), 0);
	assert_true(board_next_event(f->ro, &at, true, &missed, &e));
	assert_int_equal(e.number, 1);
	assert_int_equal(e.wall_ns, 111);
	assert_int_equal(e.generation, 3);
	assert_int_equal(e.kind, EVENT_WORKER_KILLED);
	assert_int_equal(e.worker, 2);
	assert_string_equal(e.text, "worker 2: too large");
	assert_true(board_next_event(f->ro, &at, true, &missed, &e));
	assert_string_equal(e.text, "second");
	assert_false(board_next_event(f->ro, &at, true, &missed, &e));
	assert_int_equal(missed, 0);
}

static void overwritten_events_are_counted_as_missed(void **state)
{
	struct fixture *f = *state;
	uint64_t at = 0;
	uint64_t missed = 0;
	unsigned n = 0;
	struct board_event e;

	for (unsigned i = 0; i < BOARD_EVENTS + 10; i++)
		board_event(f->b, i, 1, EVENT_NOTE, 0, "%u", i);
	assert_int_equal(board_read_event(f->ro, 10, &e), -1);
	assert_int_equal(board_read_event(f->ro, 0, &e), -1);
	assert_int_equal(board_read_event(f->ro, 11, &e), 1);
	while (board_next_event(f->ro, &at, true, &missed, &e))
		n++;
	assert_int_equal(n, BOARD_EVENTS);
	assert_int_equal(missed, 10);
	assert_int_equal(at, BOARD_EVENTS + 10);
}

static void an_event_left_half_written_holds_nobody_for_ever(void **state)
{
	struct fixture *f = *state;
	uint64_t at = 0;
	uint64_t missed = 0;
	struct board_event e;

	board_event(f->b, 1, 1, EVENT_NOTE, 0, "dies while writing");
	board_event(f->b, 2, 1, EVENT_NOTE, 0, "after it");
	board_set(&f->b->event[0].number, 0);
	assert_false(board_next_event(f->ro, &at, true, &missed, &e));
	assert_int_equal(at, 0);
	assert_true(board_next_event(f->ro, &at, false, &missed, &e));
	assert_string_equal(e.text, "after it");
	assert_int_equal(missed, 1);
}

static void hostile_events_are_terminated_bounded_and_end(void **state)
{
	struct fixture *f = *state;
	static const uint64_t counts[] = {UINT64_MAX, UINT64_MAX - 1, INT64_MAX, BOARD_EVENTS, 1};
	struct board_event e;

	memset(f->b->event, 0xff, sizeof(f->b->event));
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		uint64_t at = 0;
		uint64_t missed = 0;
		unsigned n = 0;

		board_set(&f->b->events, counts[i]);
		for (unsigned k = 0; k < BOARD_EVENTS; k++)
			board_set(&f->b->event[k].number,
				  counts[i] - (counts[i] - 1 - k) % BOARD_EVENTS);
		while (board_next_event(f->ro, &at, false, &missed, &e)) {
			assert_true(++n <= BOARD_EVENTS);
			assert_true(memchr(e.text, '\0', sizeof(e.text)) != NULL);
			assert_int_equal(e.kind, EVENT_NOTE);
			assert_int_equal(e.worker, 0);
			assert_true(e.wall_ns <= INT64_MAX);
		}
		assert_true(n + missed == counts[i]);
	}
}

static void a_lane_shows_its_line_only_while_it_stands_still(void **state)
{
	struct fixture *f = *state;
	struct board_lane *lane = &f->b->bank[1].lane[7];
	const struct board_lane *ro = &f->ro->bank[1].lane[7];
	char line[BOARD_LINE];
	char id[LIMIT_REQUEST_ID];
	uint64_t started = 0;

	assert_false(board_read_lane(ro, line, id, &started));
	(void)snprintf(lane->line, sizeof(lane->line), "GET /slow");
	(void)snprintf(lane->request_id, sizeof(lane->request_id), "abc");
	board_set(&lane->started_ns, 99);
	lane->busy = 1;
	assert_true(board_read_lane(ro, line, id, &started));
	assert_string_equal(line, "GET /slow");
	assert_string_equal(id, "abc");
	assert_int_equal(started, 99);
	lane->sequence = 1; /* a writer that died while it wrote */
	assert_false(board_read_lane(ro, line, id, &started));
	lane->sequence = 2;
	memset(lane->line, 'x', sizeof(lane->line));
	memset(lane->request_id, 'y', sizeof(lane->request_id));
	assert_true(board_read_lane(ro, line, id, &started));
	assert_int_equal(strlen(line), BOARD_LINE - 1);
	assert_int_equal(strlen(id), LIMIT_REQUEST_ID - 1);
}

static void the_log_gives_back_what_was_written(void **state)
{
	struct fixture *f = *state;
	uint64_t at = 0;
	char buf[16];

	board_log_write(&f->b->bank[0], "one\ntwo\n", 8);
	assert_int_equal(board_log_read(&f->ro->bank[0], &at, buf, 5), 5);
	assert_memory_equal(buf, "one\nt", 5);
	assert_int_equal(board_log_read(&f->ro->bank[0], &at, buf, sizeof(buf)), 3);
	assert_memory_equal(buf, "wo\n", 3);
	assert_int_equal(board_log_read(&f->ro->bank[0], &at, buf, sizeof(buf)), 0);
}

static void where_a_generation_begins_is_marked_on_a_line_of_its_own(void **state)
{
	static const char stamp[] = "2026-11-21T06:52:09.123Z";
	struct fixture *f = *state;
	struct board_bank *bank = &f->b->bank[0];
	uint64_t at = 0;
	char buf[128] = "";
	char *line;

	board_log_begin(bank, stamp);
	board_log_write(bank, "one\ntor", 7); /* killed within a line */
	board_log_begin(bank, stamp);
	assert_int_equal(board_log_read(&f->ro->bank[0], &at, buf, sizeof(buf) - 1),
			 26 + 4 + 4 + 26);
	line = strtok(buf, "\n");
	assert_true(board_log_is_mark(line, strlen(line)));
	assert_string_equal(line + 1, stamp);
	line = strtok(NULL, "\n");
	assert_string_equal(line, "one");
	assert_false(board_log_is_mark(line, strlen(line)));
	assert_string_equal(strtok(NULL, "\n"), "tor");
	line = strtok(NULL, "\n");
	assert_true(board_log_is_mark(line, strlen(line)));
	assert_string_equal(line + 1, stamp);
	assert_false(board_log_is_mark(stamp, BOARD_STAMP));
}

static void a_log_reader_that_comes_late_gets_whole_lines(void **state)
{
	struct fixture *f = *state;
	char *buf = malloc(BOARD_LOG_BYTES);
	uint64_t at = 0;
	size_t n;

	for (unsigned i = 0; i < 20000; i++) {
		char line[32];
		int k = snprintf(line, sizeof(line), "line %u\n", i);

		board_log_write(&f->b->bank[0], line, (size_t)k);
	}
	n = board_log_read(&f->ro->bank[0], &at, buf, BOARD_LOG_BYTES);
	assert_true(n > BOARD_LOG_BYTES / 2);
	assert_memory_equal(buf, "line ", 5);
	assert_memory_equal(buf + n - strlen("line 19999\n"), "line 19999\n",
			    strlen("line 19999\n"));
	free(buf);
}

static void a_log_write_longer_than_the_ring_keeps_its_end(void **state)
{
	struct fixture *f = *state;
	size_t n = 3 * BOARD_LOG_BYTES + 17;
	char *text = malloc(n);
	char *buf = malloc(BOARD_LOG_BYTES);
	uint64_t at = 0;
	size_t got;

	for (size_t i = 0; i < n; i++)
		text[i] = (char)('a' + i % 23);
	board_log_write(&f->b->bank[0], text, n);
	got = board_log_read(&f->ro->bank[0], &at, buf, BOARD_LOG_BYTES);
	assert_true(got > 0);
	assert_int_equal(at, n);
	assert_memory_equal(buf, text + n - got, got);
	free(text);
	free(buf);
}

static void a_hostile_log_head_harms_no_reader(void **state)
{
	static const uint64_t heads[] = {UINT64_MAX, 1ULL << 63, BOARD_LOG_BYTES + 1, 5, 0};
	struct fixture *f = *state;
	uint64_t at = UINT64_MAX;
	char buf[64];

	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		board_set(&f->b->bank[2].log.head, heads[i]);
		assert_true(board_log_read(&f->ro->bank[2], &at, buf, sizeof(buf)) <= sizeof(buf));
		assert_true(at <= heads[i]);
		at = 0;
		assert_true(board_log_read(&f->ro->bank[2], &at, buf, sizeof(buf)) <= sizeof(buf));
		assert_true(at <= heads[i]);
	}
}

static void every_state_has_a_name_and_nonsense_has_one_too(void **state)
{
	(void)state;
	for (unsigned i = 0; i < FRONT_STATE_COUNT; i++)
		assert_string_not_equal(board_front_state_name(i), "?");
	for (unsigned i = 0; i < WORKER_STATE_COUNT; i++)
		assert_string_not_equal(board_worker_state_name(i), "?");
	for (unsigned i = 0; i < EVENT_KIND_COUNT; i++)
		assert_string_not_equal(board_event_name(i), "?");
	assert_string_equal(board_front_state_name(FRONT_STATE_COUNT), "?");
	assert_string_equal(board_worker_state_name(UINT32_MAX), "?");
	assert_string_equal(board_event_name(EVENT_KIND_COUNT), "?");
}

static void a_trimmed_board_still_reads_the_same(void **state)
{
	struct fixture *f = *state;
	struct board_totals t;

	f->b->bank[0].generation = 1;
	board_set(&f->b->bank[0].counters.requests, 5);
	board_trim(f->ro);
	board_read_totals(f->ro, &t);
	assert_int_equal(t.requests, 5);
}

static void a_row_of_nonsense_is_read_as_a_harmless_task(void **state)
{
	const struct fixture *f = *state;
	struct board_bank *bank = &f->b->bank[1];
	struct board_task_now now;

	assert_false(board_read_task(&f->ro->bank[1], 0, &now));
	memset(bank->task, 0xff, sizeof(bank->task));
	atomic_store(&bank->tasks, UINT32_MAX);
	assert_true(board_read_task(&f->ro->bank[1], LIMIT_TASKS - 1, &now));
	assert_false(board_read_task(&f->ro->bank[1], LIMIT_TASKS, &now));
	assert_int_equal(now.kind, BOARD_TASK_DAEMON);
	assert_int_equal(now.state, TASK_NONE);
	assert_int_equal(now.pid, 0);
	assert_int_equal(now.running, 0);
	assert_false(now.has_ended);
	assert_true(now.starts <= INT64_MAX);
	assert_true(now.next_wall_ns <= INT64_MAX);
	board_set(&bank->task[0].next_wall_ns, 1800000000ULL * 1000000000);
	assert_true(board_read_task(&f->ro->bank[1], 0, &now));
	assert_int_equal(now.next_wall_ns / 1000000000, 1800000000);
	assert_int_equal(strlen(now.name), LIMIT_TASK_NAME - 1);
	assert_string_equal(board_task_state_name(now.state), "none");
	assert_string_equal(board_task_state_name(TASK_STATE_COUNT), "?");
}

static void what_an_app_holds_is_the_share_of_each_process_that_is_known(void **state)
{
	struct fixture *f = *state;
	struct board_bank *bank = &f->b->bank[1];
	struct board_app_memory m = {0};

	bank->workers = 2;
	for (unsigned i = 0; i < 4; i++) {
		bank->worker[i].state = i < 3 ? WORKER_IDLE : WORKER_DEAD;
		board_set(&bank->worker[i].rss, 1000);
		board_set(&bank->worker[i].pss, i == 0 ? 0 : 10); /* the first is too young */
	}
	board_set(&bank->front.rss, 500);
	board_set(&bank->front.pss, 50);
	board_set(&bank->mold.rss, 700);
	board_add_memory(bank, &m);
	assert_int_equal(m.front.held, 50);
	assert_int_equal(m.mold.held, 700);
	assert_int_equal(m.workers.rss, 3000);
	assert_int_equal(m.workers.pss, 20);
	assert_int_equal(m.workers.held, 1020);
	assert_int_equal(board_memory_of_all(&m).rss, 4200);
	assert_int_equal(board_memory_of_all(&m).held, 1770);

	memset(f->b->bank, 0xff, sizeof(f->b->bank));
	for (unsigned k = 0; k < LIMIT_WORKERS; k++)
		bank->worker[k].state = WORKER_BUSY;
	for (unsigned i = 0; i < LIMIT_BANKS; i++)
		board_add_memory(bank, &m);
	assert_true(board_memory_of_all(&m).held <= INT64_MAX);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_size_of_a_board_can_never_change),
		TEST(a_readonly_mapping_sees_writes_and_cannot_be_made_writable),
		TEST(only_a_sealed_board_of_this_build_is_mapped),
		TEST(every_bucket_holds_what_lies_between_its_floors),
		TEST(a_percentile_is_right_within_a_quarter),
		TEST(percentiles_of_nothing_and_of_nonsense_end),
		TEST(totals_are_the_sum_over_the_banks_in_use),
		TEST(hostile_counters_stay_positive_integers),
		TEST(each_field_has_a_name_of_its_own),
		TEST(events_come_back_in_order_and_only_once),
		TEST(overwritten_events_are_counted_as_missed),
		TEST(an_event_left_half_written_holds_nobody_for_ever),
		TEST(hostile_events_are_terminated_bounded_and_end),
		TEST(a_lane_shows_its_line_only_while_it_stands_still),
		TEST(the_log_gives_back_what_was_written),
		TEST(where_a_generation_begins_is_marked_on_a_line_of_its_own),
		TEST(a_log_reader_that_comes_late_gets_whole_lines),
		TEST(a_log_write_longer_than_the_ring_keeps_its_end),
		TEST(a_hostile_log_head_harms_no_reader),
		TEST(every_state_has_a_name_and_nonsense_has_one_too),
		TEST(a_trimmed_board_still_reads_the_same),
		TEST(a_row_of_nonsense_is_read_as_a_harmless_task),
		TEST(what_an_app_holds_is_the_share_of_each_process_that_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

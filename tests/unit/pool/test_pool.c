/*
 * pool: against an engine that misbehaves in every way it can (fake_engine.h); processes, signals
 * and channels are real.
 */
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ev.h>

#include "shared/clock.h"
#include "shared/fd.h"
#include "shared/scoreboard.h"
#include "shared/vassal_config.h"
#include "tests/unit/pool/fake_engine.h"
#include "vassal/pool/inner.h"
#include "vassal/pool/pool.h"

#define TEXT_MAX (2 * 1024 * 1024)
/* Ten times as often as measured in earnest: what is counted in ticks needs no seconds. */
#define TICK_S 0.1

struct bench {
	struct ev_loop *loop;
	struct pool *pool;
	struct exchange *exchange;
	struct scoreboard *board;
	int board_fd, config_fd, body_fd;
	struct vassal_config config;
	char dir[64], engine[128];
	unsigned ready, failed, stopped, deaths, surprises, bodies;
	enum fail_phase phase;
	uint64_t import_us;
	char fail_text[LIMIT_MSG_TEXT];
	struct pool_death death; /* the last */
	unsigned stacks, stacks_worker;
	pid_t stacks_pid;
	char stacks_text[1024];
	char *output, *events; /* all so far */
	size_t output_n, events_n, longest_line, calls;
	unsigned waiting; /* requests, since oldest_ns */
	uint64_t oldest_ns;
	uint64_t mold_left; /* bytes that stood on the board when it had gone */
};

static struct bench
	*unfinished; /* of a test that failed half-way: it must not spoil those that follow */

static void on_ready(void *arg, uint64_t import_us, unsigned workers)
{
	struct bench *b = arg;

	b->ready++;
	b->import_us = import_us;
	assert_int_equal(workers, b->config.cheap ? 0 : b->config.processes);
}

static void on_failed(void *arg, enum fail_phase phase, const char *text)
{
	struct bench *b = arg;

	b->failed++;
	b->phase = phase;
	(void)snprintf(b->fail_text, sizeof(b->fail_text), "%s", text);
}

static void on_died(void *arg, const struct pool_death *death)
{
	struct bench *b = arg;

	b->deaths++;
	b->surprises += !death->expected;
	b->death = *death;
}

static int on_body(void *arg, unsigned worker, unsigned slot)
{
	struct bench *b = arg;

	b->bodies++;
	return worker == 0 && slot == 1 ? b->body_fd : -1;
}

static void on_output(void *arg, const char *p, size_t n)
{
	struct bench *b = arg;

	b->calls++;
	b->longest_line = MAX(b->longest_line, n);
	assert_true(b->output_n + n < TEXT_MAX);
	memcpy(b->output + b->output_n, p, n);
	b->output_n += n;
}

static void on_event(void *arg, unsigned kind, unsigned worker, const char *text)
{
	struct bench *b = arg;

	b->events_n += (size_t)snprintf(b->events + b->events_n, TEXT_MAX - b->events_n,
					"%u/%u %s\n", kind, worker, text);
	assert_true(b->events_n < TEXT_MAX);
}

static void on_stopped(void *arg)
{
	struct bench *b = arg;

	b->stopped++;
}

static void on_stacks(void *arg, unsigned worker, pid_t pid, const char *text)
{
	struct bench *b = arg;

	b->stacks++;
	b->stacks_pid = pid;
	b->stacks_worker = worker;
	(void)snprintf(b->stacks_text, sizeof(b->stacks_text), "%s", text);
}

static unsigned on_waiting(void *arg, uint64_t *ret_oldest_ns)
{
	const struct bench *b = arg;

	*ret_oldest_ns = b->oldest_ns;
	return b->waiting;
}

static const struct pool_events events = {on_ready, on_failed, on_died,    on_body,    on_output,
					  on_event, on_stacks, on_stopped, on_waiting, NULL};

static void on_timeout(struct ev_loop *loop, _unused_ ev_timer *w, _unused_ int revents)
{
	ev_break(loop, EVBREAK_ALL);
}

/* Turns the loop until the number has reached want, or the time is over. */
static bool await(struct bench *b, const unsigned *n, unsigned want, double seconds)
{
	uint64_t until = clock_now_ns() + (uint64_t)(seconds * 1e9);
	ev_timer t;

	while (*n < want && clock_now_ns() < until) {
		ev_timer_init(&t, on_timeout, 0.02, 0.);
		ev_now_update(b->loop);
		ev_timer_start(b->loop, &t);
		ev_run(b->loop, EVRUN_ONCE);
		ev_timer_stop(b->loop, &t);
	}
	return *n >= want;
}

static bool await_text(struct bench *b, const char *where, const char *what, double seconds)
{
	static const unsigned never = 0;

	for (double waited = 0; waited < seconds; waited += 0.05) {
		if (strstr(where, what))
			return true;
		(void)await(b, &never, 1, 0.05);
	}
	return strstr(where, what) != NULL;
}

static pid_t pid_of(const struct bench *b, unsigned worker)
{
	return (pid_t)atomic_load(&b->board->bank[0].worker[worker].pid);
}

static unsigned state_of(const struct bench *b, unsigned worker)
{
	return atomic_load(&b->board->bank[0].worker[worker].state);
}

static void begin(struct bench *b, const char *fake, unsigned processes)
{
	struct err err = {0};
	struct exchange_shape shape = {.slots = 4, .threads = 1};
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	assert_true(n > 0);
	self[n] = '\0';
	*b = (struct bench){.loop = ev_default_loop(0), .board_fd = -1, .config_fd = -1};
	unfinished = b;
	b->output = calloc(1, TEXT_MAX);
	b->events = calloc(1, TEXT_MAX);
	(void)snprintf(b->dir, sizeof(b->dir), "/tmp/pool-test-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	(void)snprintf(b->engine, sizeof(b->engine), "%s/engine-python3.11", b->dir);
	assert_int_equal(symlink(self, b->engine), 0);
	b->config.processes = processes;
	b->config.threads = 1;
	b->config.startup_timeout_s = 10;
	b->config.worker_mercy_s = 10;
	b->config.max_requests_delta = 0;
	shape.workers = pool_worker_numbers(&b->config);
	assert_int_equal(exchange_create(&b->exchange, &shape, &err), 0);
	assert_int_equal(board_create(&b->board_fd, &b->board, "test", &err), 0);
	assert_int_equal(fd_sealed_memfd(&b->config_fd, "config", "x", 1), 0);
	assert_int_equal(fd_sealed_memfd(&b->body_fd, "body", "hello", 5), 0);
	(void)setenv("FAKE", fake, 1);
	(void)setenv("EMPEROR_HANDOFF", "1", 1);
}

static void start(struct bench *b)
{
	struct err err = {0};
	struct pool_setup setup = {.config = &b->config,
				   .config_fd = b->config_fd,
				   .board_fd = b->board_fd,
				   .board = b->board,
				   .bank = &b->board->bank[0],
				   .exchange = b->exchange,
				   .generation = 1,
				   .name = "test",
				   .engine_dir = b->dir};

	assert_int_equal(pool_start(&b->pool, b->loop, &setup, &events, b, &err), 0);
	b->pool->tick_s = TICK_S;
	assert_int_equal(b->ready + b->failed, 0); /* callbacks come from the loop alone */
}

static void end(struct bench *b)
{
	if (!b->stopped) {
		pool_stop(b->pool, 0);
		assert_true(await(b, &b->stopped, 1, 5));
	}
	(void)await(b, &b->failed, 99, 0.05);
	assert_int_equal(b->stopped, 1);
	assert_true(b->ready + b->failed <= 1);
	/* Nobody is left: neither mold nor worker nor a process in between. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	unfinished = NULL;
	pool_free(b->pool);
	b->mold_left = board_get(&b->board->bank[0].mold.rss);
	exchange_free(b->exchange);
	board_unmap(b->board);
	(void)close(b->board_fd);
	(void)close(b->config_fd);
	(void)close(b->body_fd);
	(void)unlink(b->engine);
	(void)rmdir(b->dir);
	free(b->output);
	free(b->events);
}

static int clean_up(_unused_ void **state)
{
	if (!unfinished)
		return 0;
	print_message("events: %s\noutput: %.2000s\n", unfinished->events, unfinished->output);
	pool_free(unfinished->pool);
	unfinished = NULL;
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	return 0;
}

static void serve(struct bench *b, const char *fake, unsigned processes)
{
	begin(b, fake, processes);
	start(b);
	if (!await(b, &b->ready, 1, 5))
		fail_msg("not ready: %s %s", b->fail_text, b->output);
}

static void all_workers_come_up_with_no_descriptor_too_many(_unused_ void **state)
{
	static struct bench b;

	serve(&b, "", 3);
	assert_int_equal(b.import_us, 4321);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(state_of(&b, i), WORKER_IDLE);
		assert_int_equal(kill(pid_of(&b, i), 0), 0);
		assert_int_not_equal(board_get(&b.board->bank[0].worker[i].spawned_wall_ns), 0);
	}
	assert_int_equal(pid_of(&b, 3), 0);
	assert_int_equal(board_get(&b.board->bank[0].counters.spawned), 3);
	assert_string_equal(b.output, "");
	end(&b);
}

static void a_stop_lets_everyone_leave_by_himself(_unused_ void **state)
{
	static struct bench b;

	serve(&b, "", 2);
	pool_stop(b.pool, 10);
	assert_true(await(&b, &b.stopped, 1, 3));
	assert_int_equal(b.deaths, 2);
	assert_int_equal(b.surprises, 0);
	assert_int_equal(board_get(&b.board->bank[0].counters.crashed), 0);
	assert_int_equal(board_get(&b.board->bank[0].counters.recycled), 0);
	end(&b);
}

static void a_stubborn_worker_is_killed_when_the_grace_is_over(_unused_ void **state)
{
	static struct bench b;

	serve(&b, "stubborn", 1);
	pool_stop(b.pool, 1);
	assert_false(await(&b, &b.stopped, 1, 0.8));
	assert_true(await(&b, &b.stopped, 1, 3));
	assert_int_equal(b.surprises, 1);
	assert_non_null(strstr(b.output, "STACKS of a fake\n"));
	assert_non_null(strstr(b.events, "did not leave while the app was being stopped"));
	end(&b);
}

static void a_crashed_worker_is_reported_with_its_signal_and_replaced(_unused_ void **state)
{
	static struct bench b;
	pid_t victim;

	serve(&b, "", 2);
	victim = pid_of(&b, 1);
	assert_int_equal(kill(victim, SIGSEGV), 0);
	assert_true(await(&b, &b.surprises, 1, 2));
	assert_int_equal(b.death.worker, 1);
	assert_int_equal(b.death.pid, victim);
	assert_non_null(strstr(b.death.why, "signal 11 (Segmentation fault)"));
	assert_true(await_text(&b, b.events, "worker 2 is ready", 2));
	assert_int_not_equal(pid_of(&b, 1), victim);
	assert_int_equal(board_get(&b.board->bank[0].counters.crashed), 1);
	assert_int_equal(board_get(&b.board->bank[0].worker[1].respawns), 1);
	end(&b);
}

static void max_requests_replaces_first_and_retires_then(_unused_ void **state)
{
	static struct bench b;
	pid_t old;

	begin(&b, "", 1);
	b.config.max_requests = 5;
	start(&b);
	assert_true(await(&b, &b.ready, 1, 5));
	old = pid_of(&b, 0);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(state_of(&b, 0), WORKER_IDLE);
		pool_served(b.pool, 0);
	}
	assert_true(await(&b, &b.deaths, 1, 3));
	assert_int_equal(b.death.pid, old);
	assert_true(b.death.expected);
	assert_int_equal(state_of(&b, 1), WORKER_IDLE);
	assert_non_null(strstr(b.events, "worker 1 recycled after 5 requests (max-requests 5)"));
	assert_true(strstr(b.events, "worker 2 is ready") < strstr(b.events, "worker 1 recycled"));
	assert_int_equal(board_get(&b.board->bank[0].counters.recycled), 1);
	end(&b);
}

static void a_running_pool_grows_and_shrinks_within_its_room(_unused_ void **state)
{
	static struct bench b;
	struct err err = {0};
	unsigned slot;

	serve(&b, "", 1);
	assert_int_equal(pool_processes_most(b.pool), 19);
	assert_int_equal(pool_scale(b.pool, 3, &err), 0);
	assert_true(await_text(&b, b.events, "worker 2 is ready", 3));
	assert_true(await_text(&b, b.events, "worker 3 is ready", 3));
	assert_non_null(strstr(b.events, "processes: 3 instead of 1"));
	assert_int_equal(atomic_load(&b.board->bank[0].workers), 3);

	/* the second is at work: the two others go */
	exchange_submit(b.exchange, (unsigned)exchange_slot_get(b.exchange));
	assert_int_equal(exchange_take(b.exchange, 1, &slot), EXCHANGE_TAKEN);
	assert_int_equal(pool_scale(b.pool, 1, &err), 0);
	assert_true(await(&b, &b.deaths, 2, 3));
	assert_int_equal(b.surprises, 0);
	assert_int_equal(state_of(&b, 1), WORKER_IDLE);
	assert_int_equal(board_get(&b.board->bank[0].counters.recycled), 0);

	assert_int_equal(pool_scale(b.pool, 20, &err), -ERANGE);
	assert_non_null(strstr(err.text, "room for 1 to 19"));
	assert_int_equal(pool_scale(b.pool, 0, &err), -ERANGE);
	assert_int_equal(pool_processes(b.pool), 1);
	end(&b);
}

static void a_limit_that_changes_counts_for_workers_that_live(_unused_ void **state)
{
	static struct bench b;
	struct vassal_config changed;
	struct err err = {0};

	serve(&b, "", 1);
	for (unsigned i = 0; i < 5; i++)
		pool_served(b.pool, 0);
	changed = b.config;
	changed.max_requests = 6;
	assert_int_equal(pool_configure(b.pool, &changed, &err), 0);
	pool_served(b.pool, 0);
	assert_true(await(&b, &b.deaths, 1, 3));
	assert_non_null(strstr(b.events, "recycled after 6 requests (max-requests 6)"));
	end(&b);
}

/* Front and mold have been measured, and no worker is there. */
static bool await_memory(struct bench *b, double seconds)
{
	static const unsigned never = 0;
	const struct board_bank *bank = &b->board->bank[0];
	struct board_app_memory m = {0};

	for (double waited = 0; waited < seconds; waited += 0.05) {
		m = (struct board_app_memory){0};
		board_add_memory(bank, &m);
		if (m.front.pss > 4096 && m.mold.pss > 4096 && m.front.rss > 4096 &&
		    m.mold.rss > 4096 && m.workers.held == 0)
			return true;
		(void)await(b, &never, 1, 0.05);
	}
	return false;
}

static void workers_come_for_a_request_that_waits_and_go_for_a_nap(_unused_ void **state)
{
	static struct bench b;
	uint64_t from;

	begin(&b, "", 2);
	b.config.cheap = true;
	b.config.idle_s = 1;
	start(&b);
	assert_true(await(&b, &b.ready, 1, 5));
	assert_int_equal(board_get(&b.board->bank[0].counters.spawned), 0);
	assert_true(pool_wants_pressure(b.pool));
	assert_true(await_memory(&b, 1));

	b.waiting = 1;
	b.oldest_ns = from = clock_now_ns();
	pool_pressure(b.pool);
	assert_true(await_text(&b, b.events, "worker 1 is ready", 3));
	assert_non_null(strstr(b.events, "awake: a request ends the nap"));
	b.waiting = 0;
	pool_served(b.pool, 0);
	assert_true(await_text(&b, b.events, "worker 2 is ready", 3));
	assert_false(pool_wants_pressure(b.pool));
	assert_true(await(&b, &b.deaths, 2, 5));
	assert_true(clock_now_ns() - from >= NS_PER_S);
	assert_int_equal(b.surprises, 0);
	assert_non_null(strstr(b.events, "nap: no request for 1 s"));
	assert_null(strstr(b.events, "has left"));
	assert_int_equal(board_get(&b.board->bank[0].counters.recycled), 0);
	/* what naps holds memory all the same, and nobody comes to look again */
	board_set(&b.board->bank[0].mold.pss, 0);
	assert_true(await_memory(&b, 3));
	end(&b);
	assert_int_equal(b.mold_left, 0);
}

static void a_stuck_request_that_eats_memory_is_killed_and_explained(_unused_ void **state)
{
	static struct bench b;
	unsigned slot;

	begin(&b, "stubborn", 1);
	b.config.evil_reload_on_rss_bytes = 4096;
	start(&b);
	assert_true(await(&b, &b.ready, 1, 5));
	exchange_submit(b.exchange, (unsigned)exchange_slot_get(b.exchange));
	assert_int_equal(exchange_take(b.exchange, 0, &slot), EXCHANGE_TAKEN);
	assert_true(await(&b, &b.deaths, 1, 6));
	assert_non_null(strstr(b.death.why, "over evil-reload-on-rss 0M for 3 checks, in a "
					    "request that does not end"));
	assert_int_equal(b.death.worker, 0);
	assert_false(b.death.expected);
	assert_non_null(strstr(b.output, "STACKS of a fake\n"));
	assert_non_null(strstr(b.events, "worker 1 killed: rss "));
	end(&b);
}

static void a_warmed_worker_becomes_the_parent_of_the_next_mold(_unused_ void **state)
{
	static struct bench b;
	pid_t parent;

	begin(&b, "", 2);
	b.config.refork = 3;
	start(&b);
	assert_true(await(&b, &b.ready, 1, 5));
	parent = pid_of(&b, 1);
	for (unsigned i = 0; i < 3; i++)
		pool_served(b.pool, 1);
	assert_true(await_text(&b, b.events, "worker 2 is the parent of a new mold", 4));
	/* the other one is replaced by a fork of the new mold, the old mold has gone */
	assert_true(await_text(&b, b.events, "worker 1 recycled after 0 requests (refork", 4));
	assert_int_equal(pid_of(&b, 1), parent);
	assert_int_equal(b.surprises, 0);
	assert_true(kill(pid_of(&b, 1), SIGKILL) == 0);
	assert_true(await(&b, &b.surprises, 1, 3));
	assert_true(await_text(&b, b.events, "worker 1 is ready", 4));
	/* once in a life */
	for (unsigned i = 0; i < 9; i++)
		pool_served(b.pool, 2);
	assert_false(await(&b, &b.surprises, 2, 5 * TICK_S));
	assert_null(strstr(strstr(b.events, "new mold") + 1, "new mold"));
	end(&b);
}

static void
before_the_first_nap_a_worker_that_has_answered_takes_the_mold_s_place(_unused_ void **state)
{
	static struct bench b;

	begin(&b, "", 2);
	b.config.idle_s = 1;
	b.config.idle_refork = true;
	start(&b);
	assert_true(await(&b, &b.ready, 1, 5));
	pool_served(b.pool, 1);
	assert_true(
		await_text(&b, b.events, "idle-refork: worker 2 is the parent of a new mold", 4));
	assert_true(await_text(&b, b.events, "nap: no request for 1 s", 4));
	assert_true(await(&b, &b.deaths, 2, 5));
	assert_int_equal(b.surprises, 0);
	assert_null(strstr(b.events, "recycled"));
	assert_true(await_memory(&b, 3));
	b.waiting = 1;
	b.oldest_ns = clock_now_ns();
	pool_pressure(b.pool);
	assert_true(await_text(&b, b.events, "awake: a request ends the nap", 3));
	b.waiting = 0;
	assert_true(await_text(&b, strstr(b.events, "awake"), "is ready", 3));
	/* once in a life */
	assert_null(strstr(strstr(b.events, "new mold") + 1, "new mold"));
	end(&b);
}

static void a_nap_comes_without_a_new_mold_where_none_can_be(_unused_ void **state)
{
	static const struct {
		const char *fake;
		unsigned served, deadlock_s;
		bool refork;
		const char *says; /* NULL: nothing */
	} cases[] = {
		{"refork-refuses", 1, 0, true,
		 "idle-refork: worker 1 cannot be forked from: it has 7 threads (not tried again)"},
		{"refork-dies", 1, 0, true,
		 "idle-refork: worker 1 cannot be forked from: the new mold"},
		{"", 0, 0, true, NULL},
		{"", 1, 60, true, NULL},
		{"", 1, 0, false, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		static struct bench b;

		begin(&b, cases[i].fake, 1);
		b.config.idle_s = 1;
		b.config.idle_refork = cases[i].refork;
		b.config.deadlock_timeout_s = cases[i].deadlock_s;
		start(&b);
		assert_true(await(&b, &b.ready, 1, 5));
		if (cases[i].served)
			pool_served(b.pool, 0);
		assert_true(await_text(&b, b.events, "nap: no request for 1 s", 5));
		if (cases[i].says)
			assert_non_null(strstr(b.events, cases[i].says));
		else
			assert_null(strstr(b.events, "refork"));
		assert_null(strstr(b.events, "is the parent"));
		end(&b);
	}
}

static void a_worker_that_cannot_be_forked_from_says_why_and_all_goes_on(_unused_ void **state)
{
	static const struct {
		const char *fake, *says;
	} cases[] = {
		{"refork-refuses", "worker 1 cannot be forked from: it has 7 threads"},
		{"refork-dies", "worker 1 cannot be forked from: the new mold"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		static struct bench b;

		begin(&b, cases[i].fake, 1);
		b.config.refork = 2;
		start(&b);
		assert_true(await(&b, &b.ready, 1, 5));
		for (unsigned n = 0; n < 9; n++)
			pool_served(b.pool, 0);
		assert_true(await_text(&b, b.events, cases[i].says, 4));
		assert_true(await_text(&b, b.events, "(not tried again)", 6));
		assert_non_null(strstr(b.board->bank[0].pool, cases[i].says));
		assert_int_equal(b.deaths, 0);
		end(&b);
	}
}

static void memory_over_its_limit_recycles_after_three_checks(_unused_ void **state)
{
	static struct bench b;

	begin(&b, "", 1);
	b.config.reload_on_rss_bytes = 4096;
	start(&b);
	assert_true(await(&b, &b.ready, 1, 5));
	pool_served(b.pool, 0);
	assert_false(await(&b, &b.deaths, 1, 1.5 * TICK_S));
	assert_true(board_get(&b.board->bank[0].worker[0].rss) > 4096);
	assert_true(board_get(&b.board->bank[0].worker[0].vsz) > 4096);
	assert_true(board_get(&b.board->bank[0].worker[0].pss) > 0);
	assert_true(await(&b, &b.deaths, 1, 4));
	assert_true(b.death.expected);
	assert_non_null(strstr(b.events, "over reload-on-rss 0M for 3 checks)"));
	/* The replacement has served nothing: it stays, and somebody is told. */
	assert_true(await_text(&b, b.events, "a worker that has served nothing already has", 5));
	assert_false(await(&b, &b.deaths, 2, 4.5 * TICK_S));
	end(&b);
}

static void a_kill_shows_the_stacks_before_the_death_is_told(_unused_ void **state)
{
	static struct bench b;
	uint64_t from;

	serve(&b, "stubborn", 1); /* as one that is stuck: told to go, it stays */
	from = clock_now_ns();
	pool_kill(b.pool, 0, "harakiri: 5 s in GET /slow");
	assert_true(await(&b, &b.deaths, 1, 2));
	assert_true(clock_now_ns() - from >= 150 * NS_PER_MS);
	assert_string_equal(b.death.why, "harakiri: 5 s in GET /slow");
	assert_false(b.death.expected);
	assert_non_null(strstr(b.output, "STACKS of a fake\n"));
	assert_non_null(strstr(b.events, "worker 1 killed: harakiri"));
	assert_int_equal(board_get(&b.board->bank[0].worker[0].harakiris), 1);
	assert_int_equal(board_get(&b.board->bank[0].counters.killed), 1);
	assert_int_equal(board_get(&b.board->bank[0].counters.crashed), 0);
	assert_true(await_text(&b, b.events, "worker 2 is ready", 2));
	end(&b);
}

static void a_worker_that_is_to_be_killed_takes_no_further_request(_unused_ void **state)
{
	static struct bench b;
	unsigned slot;

	serve(&b, "stubborn", 1);
	exchange_submit(b.exchange, (unsigned)exchange_slot_get(b.exchange));
	pool_kill(b.pool, 0, "harakiri: 5 s in GET /slow");
	/* a lane of it that had nothing to do until now */
	assert_int_equal(exchange_take(b.exchange, 0, &slot), EXCHANGE_RETIRE);
	assert_true(await(&b, &b.deaths, 1, 2));
	end(&b);
}

static void stacks_alone_harm_nobody(_unused_ void **state)
{
	static struct bench b;

	serve(&b, "", 1);
	pool_stacks(b.pool, 0);
	assert_true(await_text(&b, b.output, "STACKS of a fake\n", 2));
	assert_false(await(&b, &b.deaths, 1, 0.5));
	end(&b);
}

static void stacks_come_back_with_whose_they_are(_unused_ void **state)
{
	static struct bench b;
	char wanted[64];

	serve(&b, "", 2);
	pool_stacks(b.pool, 1);
	assert_int_equal(b.stacks, 0); /* told from the loop alone */
	assert_true(await(&b, &b.stacks, 1, 2));
	assert_int_equal(b.stacks_worker, 1);
	assert_int_equal(b.stacks_pid, b.board->bank[0].worker[1].pid);
	(void)snprintf(wanted, sizeof(wanted),
		       "Stack (most recent call first):\n  File \"%d.py\", line 1 in f\n",
		       (int)b.stacks_pid);
	assert_string_equal(b.stacks_text, wanted);
	end(&b);
}

/* A request of a worker with one thread runs on the main one; threads of the app's own are no matter of a look. */
static void a_look_is_answered_by_the_main_thread_whoever_else_would(_unused_ void **state)
{
	static struct bench b;
	char wanted[64];

	serve(&b, "two-threads", 1);
	pool_stacks(b.pool, 0);
	assert_true(await(&b, &b.stacks, 1, 2));
	(void)snprintf(wanted, sizeof(wanted), "%d.py", (int)b.stacks_pid);
	assert_non_null(strstr(b.stacks_text, wanted));
	end(&b);
}

static void stacks_of_those_killed_together_are_not_mixed(_unused_ void **state)
{
	static struct bench b;
	char wanted[64];

	serve(&b, "stubborn", 3);
	for (unsigned i = 0; i < 3; i++)
		pool_kill(b.pool, i, "harakiri");
	for (unsigned i = 1; i <= 3; i++) {
		assert_true(await(&b, &b.stacks, i, 2));
		(void)snprintf(wanted, sizeof(wanted), "%d.py", (int)b.stacks_pid);
		assert_non_null(strstr(b.stacks_text, wanted));
		assert_ptr_equal(strstr(b.stacks_text, ".py"), strrchr(b.stacks_text, '.'));
	}
	assert_int_equal(b.deaths, 0);
	assert_true(await(&b, &b.deaths, 3, 2));
	assert_null(strstr(b.output, CREW_STACKS_END));
	end(&b);
}

static void a_failed_import_is_told_in_its_own_words(_unused_ void **state)
{
	static const char *const fakes[] = {"mold-fails", "worker-fails"};

	for (size_t i = 0; i < ARRAY_SIZE(fakes); i++) {
		static struct bench b;

		begin(&b, fakes[i], 2);
		start(&b);
		assert_true(await(&b, &b.failed, 1, 10));
		assert_int_equal(b.phase, FAIL_IMPORT);
		assert_string_equal(b.fail_text, "ImportError: no module named nowhere");
		end(&b);
	}
}

static void a_silent_death_at_start_is_told_with_its_last_words(_unused_ void **state)
{
	static struct bench b;

	begin(&b, "mold-dies", 2);
	start(&b);
	assert_true(await(&b, &b.failed, 1, 10));
	assert_int_equal(b.phase, FAIL_ENGINE);
	assert_non_null(strstr(b.fail_text, "killed by signal 6"));
	assert_non_null(strstr(b.fail_text, "last words of a mold"));
	end(&b);

	begin(&b, "worker-dies", 1);
	start(&b);
	assert_true(await(&b, &b.failed, 1, 5));
	assert_int_equal(b.phase, FAIL_START);
	assert_non_null(strstr(b.fail_text, "exited with 3"));
	assert_non_null(strstr(b.fail_text, "last words of a worker"));
	assert_int_equal(b.deaths, 3);
	end(&b);

	begin(&b, "fork-fails", 1);
	start(&b);
	assert_true(await(&b, &b.failed, 1, 5));
	assert_int_equal(b.phase, FAIL_START);
	assert_non_null(strstr(b.fail_text, "Resource temporarily unavailable"));
	end(&b);
}

static void a_start_that_hangs_fails_with_the_stacks(_unused_ void **state)
{
	static const char *const fakes[] = {"mold-hangs", "worker-hangs"};

	for (size_t i = 0; i < ARRAY_SIZE(fakes); i++) {
		static struct bench b;

		begin(&b, fakes[i], 1);
		b.config.startup_timeout_s = 1;
		start(&b);
		assert_true(await(&b, &b.failed, 1, 20)); /* sanitizers are slow */
		assert_int_equal(b.phase, FAIL_START);
		assert_non_null(strstr(b.fail_text, "not ready within 1 s (startup-timeout)"));
		assert_non_null(strstr(b.fail_text, "STACKS of a fake"));
		end(&b);
	}
}

static void an_engine_that_does_not_run_fails_with_the_reason(_unused_ void **state)
{
	static struct bench b;
	int fd;

	begin(&b, "", 1);
	(void)unlink(b.engine);
	fd = open(b.engine, O_CREAT | O_WRONLY, 0755);
	(void)!write(fd, "no program", 10);
	(void)close(fd);
	start(&b);
	assert_true(await(&b, &b.failed, 1, 10));
	assert_int_equal(b.phase, FAIL_SPAWN);
	assert_non_null(strstr(b.fail_text, "cannot execute: Exec format error"));
	end(&b);

	begin(&b, "", 1);
	b.config.home = (char *)(uintptr_t) "/nowhere/venv";
	start(&b);
	assert_true(await(&b, &b.failed, 1, 10));
	assert_int_equal(b.phase, FAIL_ENGINE);
	assert_string_equal(b.fail_text, "virtualenv /nowhere/venv does not exist");
	end(&b);
}

static pid_t mold_pid(const struct bench *b)
{
	char path[64], line[256] = "";
	FILE *f;
	long pid = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)getpid(),
		       (int)getpid());
	f = fopen(path, "re");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	(void)fclose(f);
	for (char *p = line; (pid = strtol(p, &p, 10)) > 0;)
		if ((pid_t)pid != pid_of(b, 0) && (pid_t)pid != pid_of(b, 1))
			return (pid_t)pid;
	fail_msg("no mold among %s", line);
	return 0;
}

static void a_mold_that_dies_while_serving_is_made_again_and_harms_nobody(_unused_ void **state)
{
	static struct bench b;
	pid_t worker;

	serve(&b, "", 1);
	worker = pid_of(&b, 0);
	assert_int_equal(kill(mold_pid(&b), SIGKILL), 0);
	assert_true(await_text(&b, b.events, "a new mold is ready", 3));
	assert_int_equal(pid_of(&b, 0), worker);
	assert_int_equal(kill(worker, SIGKILL), 0);
	assert_true(await_text(&b, b.events, "worker 1 is ready", 3));
	assert_non_null(strstr(b.events, "not by us"));
	end(&b);
}

static void an_exit_before_the_pid_is_known_is_not_lost(_unused_ void **state)
{
	static struct bench b;

	serve(&b, "slow-forked", 1);
	(void)setenv("FAKE", "", 1);
	assert_int_equal(kill(pid_of(&b, 0), SIGKILL), 0);
	assert_true(await(&b, &b.surprises, 1, 2));
	assert_true(await_text(&b, b.events, "worker 1 is ready", 3));
	end(&b);

	/* Dies at once; the mold says FORKED only later. */
	begin(&b, "worker-dies", 1);
	start(&b);
	assert_true(await(&b, &b.failed, 1, 5));
	assert_int_equal(b.deaths, 3);
	end(&b);
}

static void a_death_after_ready_is_not_called_one_before_it(_unused_ void **state)
{
	static struct bench b;

	begin(&b, "ready-dies", 1);
	start(&b);
	while (board_get(&b.board->bank[0].counters.spawned) == 0)
		ev_run(b.loop, EVRUN_ONCE);
	(void)usleep(
		60000); /* its READY and its exit both wait for us; the mold says FORKED later */
	assert_true(await_text(&b, b.events, "worker 1 died", 5));
	assert_null(strstr(b.events, "worker 1 died before it was ready"));
	end(&b);
}

static void a_body_goes_to_the_worker_that_asks_and_to_no_other(_unused_ void **state)
{
	static struct bench b;

	serve(&b, "body", 2);
	assert_true(await_text(&b, b.output, "body: hello\n", 2));
	assert_true(await_text(&b, b.output, "body: \n", 2));
	assert_int_equal(b.bodies, 2);
	assert_non_null(
		strstr(b.events, "worker 2 asked for the body of a request that is not its"));
	end(&b);
}

static void a_flood_of_output_arrives_whole_in_bounded_lines(_unused_ void **state)
{
	static struct bench b;

	serve(&b, "print", 1);
	assert_true(await_text(&b, b.output, "unfinished", 10));
	assert_int_equal(b.output_n, 20000 * 65 + 40 * 490 + 1 + 10);
	assert_true(b.longest_line <= 16 * 1024);
	assert_true(b.calls >= 20000 + 2);
	end(&b);
}

static void a_worker_that_talks_nonsense_is_killed(_unused_ void **state)
{
	static struct bench b;

	begin(&b, "nonsense", 1);
	start(&b);
	assert_true(await(&b, &b.surprises, 1, 2));
	assert_non_null(strstr(b.events, "crew message"));
	end(&b);
}

static void a_worker_that_closes_its_channel_is_replaced(_unused_ void **state)
{
	static struct bench b;

	begin(&b, "closes", 1);
	start(&b);
	assert_true(await(&b, &b.ready, 1, 5));
	assert_true(await(&b, &b.deaths, 1, 6));
	assert_true(b.death.expected);
	assert_non_null(
		strstr(b.events, "worker 1 recycled after 0 requests (it had closed its channel"));
	end(&b);
}

static void a_mold_that_closes_its_channel_is_killed(_unused_ void **state)
{
	static struct bench b;

	begin(&b, "mold-closes", 1);
	start(&b);
	assert_true(await(&b, &b.failed, 1, 4));
	assert_int_equal(b.phase, FAIL_ENGINE);
	end(&b);
}

static void a_stop_before_ready_does_not_wait(_unused_ void **state)
{
	static const char *const fakes[] = {"mold-hangs", "worker-hangs"};

	for (size_t i = 0; i < ARRAY_SIZE(fakes); i++) {
		static struct bench b;

		begin(&b, fakes[i], 2);
		start(&b);
		assert_false(await(&b, &b.failed, 1, 0.3));
		pool_stop(b.pool, 60);
		assert_true(await(&b, &b.stopped, 1, 2));
		assert_int_equal(b.ready + b.failed, 0);
		assert_int_equal(b.surprises, 0);
		end(&b);
	}
}

static void a_worker_that_leaves_by_itself_is_told_and_does_not_storm(_unused_ void **state)
{
	static struct bench b;

	begin(&b, "leaves", 1);
	start(&b);
	/* It may be ready for an instant, or leave before: either way nothing spins. */
	(void)await(&b, &b.deaths, 1000, 2);
	assert_in_range(b.deaths, 1, 9);
	assert_non_null(strstr(b.events, "worker 1 left of its own will: sys.exit(0)"));
	end(&b);
}

#define TEST(fn) cmocka_unit_test_teardown(fn, clean_up)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(all_workers_come_up_with_no_descriptor_too_many),
		TEST(a_stop_lets_everyone_leave_by_himself),
		TEST(a_stubborn_worker_is_killed_when_the_grace_is_over),
		TEST(a_crashed_worker_is_reported_with_its_signal_and_replaced),
		TEST(max_requests_replaces_first_and_retires_then),
		TEST(a_running_pool_grows_and_shrinks_within_its_room),
		TEST(a_limit_that_changes_counts_for_workers_that_live),

		TEST(workers_come_for_a_request_that_waits_and_go_for_a_nap),
		TEST(a_stuck_request_that_eats_memory_is_killed_and_explained),
		TEST(a_warmed_worker_becomes_the_parent_of_the_next_mold),
		TEST(a_worker_that_cannot_be_forked_from_says_why_and_all_goes_on),
		TEST(before_the_first_nap_a_worker_that_has_answered_takes_the_mold_s_place),
		TEST(a_nap_comes_without_a_new_mold_where_none_can_be),
		TEST(memory_over_its_limit_recycles_after_three_checks),
		TEST(a_kill_shows_the_stacks_before_the_death_is_told),
		TEST(a_worker_that_is_to_be_killed_takes_no_further_request),
		TEST(stacks_alone_harm_nobody),
		TEST(stacks_come_back_with_whose_they_are),
		TEST(a_look_is_answered_by_the_main_thread_whoever_else_would),
		TEST(stacks_of_those_killed_together_are_not_mixed),
		TEST(a_failed_import_is_told_in_its_own_words),
		TEST(a_silent_death_at_start_is_told_with_its_last_words),
		TEST(a_start_that_hangs_fails_with_the_stacks),
		TEST(an_engine_that_does_not_run_fails_with_the_reason),
		TEST(a_mold_that_dies_while_serving_is_made_again_and_harms_nobody),
		TEST(an_exit_before_the_pid_is_known_is_not_lost),
		TEST(a_death_after_ready_is_not_called_one_before_it),
		TEST(a_body_goes_to_the_worker_that_asks_and_to_no_other),
		TEST(a_flood_of_output_arrives_whole_in_bounded_lines),
		TEST(a_worker_that_talks_nonsense_is_killed),
		TEST(a_worker_that_closes_its_channel_is_replaced),
		TEST(a_mold_that_closes_its_channel_is_killed),
		TEST(a_stop_before_ready_does_not_wait),
		TEST(a_worker_that_leaves_by_itself_is_told_and_does_not_storm),
	};

	if (argc == 1 && strcmp(argv[0], "test mold") == 0)
		fake_mold();
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

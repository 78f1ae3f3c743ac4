/*
 * bench - a pool whose engine is fake_engine.h; processes, signals and channels are real. The test is its front.
 */
#pragma once
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
	unsigned ready, failed, stopped, deaths, surprises, bodies, files;
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

static inline void on_ready(void *arg, uint64_t import_us, unsigned workers)
{
	struct bench *b = arg;

	b->ready++;
	b->import_us = import_us;
	assert_int_equal(workers, b->config.cheap ? 0 : b->config.processes);
}

static inline void on_failed(void *arg, enum fail_phase phase, const char *text)
{
	struct bench *b = arg;

	b->failed++;
	b->phase = phase;
	(void)snprintf(b->fail_text, sizeof(b->fail_text), "%s", text);
}

static inline void on_died(void *arg, const struct pool_death *death)
{
	struct bench *b = arg;

	b->deaths++;
	b->surprises += !death->expected;
	b->death = *death;
}

static inline int on_body(void *arg, unsigned worker, unsigned slot)
{
	struct bench *b = arg;

	b->bodies++;
	return worker == 0 && slot == 1 ? b->body_fd : -1;
}

static inline bool on_file(void *arg, unsigned worker, unsigned slot, int fd, uint64_t at)
{
	struct bench *b = arg;

	b->files++;
	return worker == 0 && slot == 1 && fd >= 0 && at == 7;
}

static inline void on_output(void *arg, const char *p, size_t n)
{
	struct bench *b = arg;

	b->calls++;
	b->longest_line = MAX(b->longest_line, n);
	assert_true(b->output_n + n < TEXT_MAX);
	memcpy(b->output + b->output_n, p, n);
	b->output_n += n;
}

static inline void on_event(void *arg, unsigned kind, unsigned worker, const char *text)
{
	struct bench *b = arg;

	b->events_n += (size_t)snprintf(b->events + b->events_n, TEXT_MAX - b->events_n,
					"%u/%u %s\n", kind, worker, text);
	assert_true(b->events_n < TEXT_MAX);
}

static inline void on_stopped(void *arg)
{
	struct bench *b = arg;

	b->stopped++;
}

static inline void on_stacks(void *arg, unsigned worker, pid_t pid, const char *text)
{
	struct bench *b = arg;

	b->stacks++;
	b->stacks_pid = pid;
	b->stacks_worker = worker;
	(void)snprintf(b->stacks_text, sizeof(b->stacks_text), "%s", text);
}

static inline unsigned on_waiting(void *arg, uint64_t *ret_oldest_ns)
{
	const struct bench *b = arg;

	*ret_oldest_ns = b->oldest_ns;
	return b->waiting;
}

static const struct pool_events events = {on_ready,   on_failed,  on_died,  on_body,
					  on_file,    on_output,  on_event, on_stacks,
					  on_stopped, on_waiting, NULL};

static inline void on_timeout(struct ev_loop *loop, _unused_ ev_timer *w, _unused_ int revents)
{
	ev_break(loop, EVBREAK_ALL);
}

/* Turns the loop until the number has reached want, or the time is over. */
static inline bool await(struct bench *b, const unsigned *n, unsigned want, double seconds)
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

static inline bool await_text(struct bench *b, const char *where, const char *what, double seconds)
{
	static const unsigned never = 0;

	for (double waited = 0; waited < seconds; waited += 0.05) {
		if (strstr(where, what))
			return true;
		(void)await(b, &never, 1, 0.05);
	}
	return strstr(where, what) != NULL;
}

static inline pid_t pid_of(const struct bench *b, unsigned worker)
{
	return (pid_t)atomic_load(&b->board->bank[0].worker[worker].pid);
}

static inline void begin(struct bench *b, const char *fake, unsigned processes)
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

static inline void start(struct bench *b)
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

static inline void end(struct bench *b)
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

static inline int clean_up(_unused_ void **state)
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

static inline void serve(struct bench *b, const char *fake, unsigned processes)
{
	begin(b, fake, processes);
	start(b);
	if (!await(b, &b->ready, 1, 5))
		fail_msg("not ready: %s %s", b->fail_text, b->output);
}

#define TEST(fn) cmocka_unit_test_teardown(fn, clean_up)

/*
 * rig - a front without processes: a real exchange, real connections over socket pairs, and the test itself as the
 * worker. The pool's calls that the modules under test make are wrapped (test_*.wrap) and counted.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/socket.h>

#include "shared/err.h"
#include "shared/vars.h"
#include "shared/vassal_config.h"
#include "vassal/front/answer.h"
#include "vassal/front/blame.h"
#include "vassal/front/conn.h"
#include "vassal/front/intake.h"
#include "vassal/front/loop.h"
#include "vassal/front/queue.h"
#include "vassal/front/state.h"
#include "vassal/pool/pool.h"

struct rig {
	struct vassal_config config;
	struct board_bank bank;
	struct scoreboard board; /* for rings: counters stand in bank */
	struct front front;
	unsigned served, killed, interrupted;
	struct rig *older; /* none is ever freed: a disk thread may wait in it */
};

static struct rig *the_rig;

void __wrap_pool_served(struct pool *pool, unsigned worker);
void __wrap_pool_kill(struct pool *pool, unsigned worker, const char *why);
void __wrap_pool_stacks(struct pool *pool, unsigned worker);
void __wrap_pool_interrupt(struct pool *pool, unsigned worker);

void __wrap_pool_served(_unused_ struct pool *pool, _unused_ unsigned worker)
{
	the_rig->served++;
}

void __wrap_pool_kill(_unused_ struct pool *pool, _unused_ unsigned worker,
		      _unused_ const char *why)
{
	the_rig->killed++;
}

void __wrap_pool_stacks(_unused_ struct pool *pool, _unused_ unsigned worker)
{
}

void __wrap_pool_look(struct pool *pool, unsigned worker, uint64_t since_ns, struct pool_look *ret);

void __wrap_pool_look(_unused_ struct pool *pool, _unused_ unsigned worker,
		      _unused_ uint64_t since_ns, struct pool_look *ret)
{
	*ret = (struct pool_look){.pid = 4711, .rss = 3000000, .rss_before = 1000000};
}

void __wrap_pool_interrupt(_unused_ struct pool *pool, _unused_ unsigned worker)
{
	the_rig->interrupted++;
}

unsigned __wrap_pool_processes(const struct pool *pool);

unsigned __wrap_pool_processes(_unused_ const struct pool *pool)
{
	return 1;
}

bool __wrap_pool_interrupt_waits(const struct pool *pool, unsigned worker);

bool __wrap_pool_interrupt_waits(_unused_ const struct pool *pool, _unused_ unsigned worker)
{
	return false;
}

static inline struct front *rig_make(unsigned slots, unsigned queue_size)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct front *f = &r->front;
	struct err err = {0};

	assert_non_null(r);
	r->older = the_rig;
	the_rig = r;
	r->config = (struct vassal_config){.keepalive_s = 75,
					   .header_timeout_s = 20,
					   .body_timeout_s = 30,
					   .socket_timeout_s = 30,
					   .queue_timeout_s = 60,
					   .queue_size = queue_size,
					   .buffer_size = 65536,
					   .limit_headers = 128,
					   .post_buffering = 65536,
					   .disable_logging = true};
	f->config = &r->config;
	f->board = &r->board;
	f->bank = &r->bank;
	f->count = &r->bank.counters;
	f->name = "rig";
	f->loop = ev_default_loop(0);
	f->heir_fd = f->gate.fd = -1;
	f->phase = PHASE_SERVING;
	f->shape = (struct exchange_shape){.slots = slots, .workers = 1, .threads = 1};
	f->out_limits = f->body_limits =
		(struct spool_limits){.memory = 65536, .file = 1 << 20, .tmpdir = "/tmp"};
	assert_int_equal(exchange_create(&f->exchange, &f->shape, &err), 0);
	assert_int_equal(logbook_init(&f->log, "", f->bank, -1, NULL), 0);
	diskpool_init(&f->disk, f->loop, DISKPOOL_THREADS);
	diskpool_init(&f->far_disk, f->loop, DISKPOOL_FAR_THREADS);
	conns_init(f);
	assert_int_equal(loop_init(f, &err), 0);
	/* the tests say themselves when a turn happens */
	ev_io_stop(f->loop, &f->epoll_io);
	ev_prepare_stop(f->loop, &f->before_sleep);
	return f;
}

static inline void rig_free(struct front *f)
{
	while (f->conns)
		conn_drop(f->conns);
	for (unsigned i = 0; i < f->shape.slots; i++)
		spool_done(&f->jobs[i].body);
	/* a kick that came outside a turn must not find the front gone */
	ev_idle_stop(f->loop, &f->more);
	ev_check_stop(f->loop, &f->after_sleep);
	ev_timer_stop(f->loop, &f->tick);
	blame_end(f);
	exchange_free(f->exchange);
	(void)close(f->epoll_fd);
}

/* A client that has sent this; *ret_end is its side. */
static inline struct conn *rig_client(struct front *f, const char *text, size_t n, int *ret_end)
{
	int ends[2];
	struct conn *c;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends),
			 0);
	c = conn_new(f, ends[0]);
	assert_non_null(c);
	c->protocol = PROTO_HTTP;
	c->own_listener = true;
	assert_int_equal(write(ends[1], text, n), n);
	c->readable = true;
	intake_run(c);
	*ret_end = ends[1];
	return c;
}

static inline struct conn *rig_ask(struct front *f, const char *text, int *ret_end)
{
	return rig_client(f, text, strlen(text), ret_end);
}

/* What has come to the client so far, NUL-terminated. True in *ret_closed: and the end. */
static inline size_t rig_read(int end, char *buf, size_t size, bool *ret_closed)
{
	size_t n = 0;
	ssize_t r = -1;

	while (n < size - 1 && (r = read(end, buf + n, size - 1 - n)) > 0)
		n += (size_t)r;
	buf[n] = '\0';
	*ret_closed = r == 0 || (r < 0 && errno == ECONNRESET);
	return n;
}

/* -- the worker's side */

static inline void worker_head(struct front *f, unsigned slot, unsigned status, int64_t length,
			       bool publish)
{
	struct frame_head h = {.status = (uint16_t)status, .length = length};

	memcpy(exchange_reply_room(f->exchange, 0, sizeof(h)), &h, sizeof(h));
	exchange_reply_commit(f->exchange, 0, slot, FRAME_HEAD, sizeof(h), publish);
}

static inline void worker_interim(struct front *f, unsigned slot, unsigned status,
				  const char *fields)
{
	struct frame_head h = {
		.status = (uint16_t)status, .fields_n = (uint32_t)strlen(fields), .length = -1};
	uint8_t *p = exchange_reply_room(f->exchange, 0, sizeof(h) + h.fields_n);

	memcpy(p, &h, sizeof(h));
	memcpy(p + sizeof(h), fields, h.fields_n);
	exchange_reply_commit(f->exchange, 0, slot, FRAME_INTERIM, sizeof(h) + h.fields_n, true);
}

static inline void worker_data(struct front *f, unsigned slot, const char *text, size_t n,
			       bool publish)
{
	uint8_t *p = exchange_reply_room(f->exchange, 0, n);

	assert_non_null(p);
	memcpy(p, text, n);
	exchange_reply_commit(f->exchange, 0, slot, FRAME_DATA, n, publish);
}

static inline void worker_ends(struct front *f, unsigned slot, enum frame_kind kind, uint32_t flags)
{
	struct frame_end e = {.flags = flags};

	memcpy(exchange_reply_room(f->exchange, 0, sizeof(e)), &e, sizeof(e));
	exchange_reply_commit(f->exchange, 0, slot, kind, sizeof(e), true);
}

static inline void worker_end(struct front *f, unsigned slot, uint32_t flags)
{
	worker_ends(f, slot, FRAME_END, flags);
}

static inline unsigned worker_take(struct front *f)
{
	unsigned slot = 0;

	assert_int_equal(exchange_take(f->exchange, 0, &slot), EXCHANGE_TAKEN);
	return slot;
}

/* Two looks: an answer without its end is left alone for one. */
static inline void rig_drain(struct front *f)
{
	(void)answer_drain(f);
	(void)answer_drain(f);
}

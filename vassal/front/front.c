/*
 * front - see front.h. Puts the parts together, and takes them apart.
 */
#include "vassal/front/front.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "shared/clock.h"
#include "shared/err.h"
#include "shared/log.h"
#include "shared/vassal_config.h"
#include "vassal/front/bare.h"
#include "vassal/front/beside.h"
#include "vassal/front/blame.h"
#include "vassal/front/conn.h"
#include "vassal/front/doors.h"
#include "vassal/front/error_pages.h"
#include "vassal/front/fusebox.h"
#include "vassal/front/lifecycle.h"
#include "vassal/front/link.h"
#include "vassal/front/live.h"
#include "vassal/front/loop.h"
#include "vassal/front/notes.h"
#include "vassal/front/routed.h"
#include "vassal/front/state.h"
#include "vassal/front/static_file.h"
#include "vassal/front/triggers.h"
#include "vassal/front/workers.h"
#include "vassal/pool/pool.h"

#define SPARE_SLOTS \
	64 /* requests that wait in shared memory, beyond those in work: workers never wait for the front */
#define FLUSH_MS 1000

/* As uWSGI means them. */
static void scale_by_one(struct front *f, bool up)
{
	unsigned now = f->pool ? pool_processes(f->pool) : 0;
	struct err err = {0};

	if (f->pool && pool_scale(f->pool, up ? now + 1 : now - 1, &err) < 0)
		logbook_say(&f->log, f->wall_ns, "%s: %s", up ? "SIGTTIN" : "SIGTTOU", err.text);
}

static void on_signal(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct front *f = w->data;

	(void)loop;
	(void)revents;
	if (w->signum == SIGHUP) {
		if (f->alone)
			log_warning("SIGHUP: only the emperor can reload; a vassal alone is "
				    "started anew");
		else
			link_say(f, MSG_WANT_RELOAD, 0, 0, "SIGHUP");
		return;
	}
	if (w->signum == SIGTTIN || w->signum == SIGTTOU) {
		scale_by_one(f, w->signum == SIGTTIN);
		return;
	}
	if (w->signum == SIGUSR1) {
		int r = logbook_reopen(&f->log, -1);

		if (r < 0)
			log_error("cannot reopen the log: %s", strerror(-r));
		return;
	}
	/* the second one means now */
	lifecycle_drain(f, f->phase >= PHASE_DRAINING ? 0 : f->config->graceful_timeout_s, -1);
}

static void watch_signals(struct front *f)
{
	static const int wanted[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGTTIN, SIGTTOU};

	_Static_assert(ARRAY_SIZE(wanted) == ARRAY_SIZE(((struct front *)0)->signals),
		       "one watcher each");
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		ev_signal_init(&f->signals[i], on_signal, wanted[i]);
		f->signals[i].data = f;
		ev_signal_start(f->loop, &f->signals[i]);
	}
	/* sendfile() has no MSG_NOSIGNAL */
	(void)signal(SIGPIPE, SIG_IGN);
}

static int make_exchange(struct front *f, struct err *err)
{
	const struct vassal_config *g = f->config;

	f->shape.workers = pool_worker_numbers(g);
	f->shape.threads = g->threads;
	f->shape.slots = MIN((unsigned)EXCHANGE_SLOTS_MAX,
			     f->shape.workers * f->shape.threads + MIN(g->queue_size, SPARE_SLOTS));
	return exchange_create(&f->exchange, &f->shape, err);
}

static void claim_bank(struct front *f)
{
	struct board_bank *b = f->bank;

	board_set(&b->generation, f->generation);
	atomic_store(&b->pid, (uint32_t)getpid());
	atomic_store(&b->workers, f->config->processes);
	atomic_store(&b->threads, f->config->threads);
	atomic_store(&b->state, FRONT_STARTING);
	board_set(&b->started_wall_ns, clock_wall_ns());
	/* what stands there is of an earlier generation's */
	b->front = (struct board_process){0};
	b->mold = (struct board_process){0};
}

static void set_limits(struct front *f)
{
	const char *tmp = getenv("TMPDIR");

	tmp = tmp && tmp[0] == '/' ? tmp : "/tmp";
	f->temp_bytes.limit = LIMIT_SPOOL_TOTAL;
	f->out_limits = (struct spool_limits){
		.file = LIMIT_SPOOL_FILE, .tmpdir = tmp, .budget = &f->temp_bytes};
	f->body_limits = (struct spool_limits){
		.file = UINT64_MAX / 4,
		.tmpdir = tmp,
		.budget = &f->temp_bytes,
		.refuse = true}; /* bodies that wait for each other would wait for ever */
}

static int start(struct front *f, const struct front_setup *setup, struct err *err)
{
	const struct pool_setup pool = {.config = f->config,
					.config_fd = setup->config_fd,
					.board_fd = setup->board_fd,
					.board = f->board,
					.bank = f->bank,
					.generation = f->generation,
					.name = f->name,
					.engine_dir = setup->engine_dir};
	struct pool_setup with_exchange = pool;
	int r = make_exchange(f, err);

	if (r < 0)
		return r;
	r = loop_init(f, err);
	if (r < 0)
		return r;
	diskpool_init(&f->disk, f->loop, DISKPOOL_THREADS);
	diskpool_init(&f->far_disk, f->loop, DISKPOOL_FAR_THREADS);
	conns_init(f);
	live_apply(f);
	if (error_pages_load(f) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	r = statics_open(f, &f->statics, err);
	if (r == 0)
		r = routing_open(f, err);
	if (r < 0)
		return r;
	r = doors_init(f, setup, err);
	if (r < 0)
		return r;
	if (triggers_start(f, &f->triggers) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	r = beside_init(f, setup, err);
	if (r < 0)
		return r;
	link_init(f, setup->link_fd);
	link_say(f, MSG_HELLO, (uint64_t)getpid(), 0, "");
	notes_passwords(f);
	if (bare_start(f))
		return 0;
	with_exchange.exchange = f->exchange;
	return pool_start(&f->pool, f->loop, &with_exchange, &workers_events, f, err);
}

int front_run(struct front_setup *setup, struct err *err)
{
	struct front *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return err_set(err, -ENOMEM, "out of memory");
	f->loop = ev_default_loop(0);
	if (!f->loop) {
		free(f);
		return err_set(err, -EIO, "cannot make an event loop");
	}
	setup->front = f;
	f->config = setup->config;
	f->name = setup->name;
	f->generation = setup->generation;
	f->bank_index = setup->bank;
	f->board = setup->board;
	f->bank = &setup->board->bank[setup->bank];
	f->count = &f->bank->counters;
	f->alone = setup->link_fd < 0;
	f->heir_fd = -1;
	request_id_seed(&f->ids);
	fusebox_start(f);
	claim_bank(f);
	set_limits(f);
	r = logbook_init(&f->log, f->alone ? "" : f->name, f->bank, setup->log_fd, setup->log_path);
	if (r == 0) {
		logbook_begin(&f->log, board_get(&f->bank->started_wall_ns));
		watch_signals(f);
		r = start(f, setup, err);
	}
	if (r == 0) {
		ev_run(f->loop, 0);
		r = f->exit_code;
	}
	blame_end(f);
	triggers_free(f->triggers);
	error_pages_free(f->pages);
	logbook_flush(&f->log, FLUSH_MS);
	log_flush(FLUSH_MS);
	return r;
}

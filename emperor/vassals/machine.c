/*
 * machine - what belongs to no app alone: workers of all apps together (max-workers), their memory (memory-budget), and what
 * the kernel does to apps with limit-memory. Once a second the figures are read from the scoreboards, budget.c decides,
 * and what it decides is done and told here. Scoreboards are the apps' word: clamped, and never more than their own app
 * can be harmed by a lie (it is put to sleep, or has a worker replaced).
 *
 * The timer runs only where one of these is set.
 */
#include "emperor/vassals/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/epoll.h>

#include "emperor/options.h"
#include "emperor/vassals/cgroup.h"
#include "shared/clock.h"
#include "shared/err.h"
#include "shared/log.h"
#include "shared/scoreboard.h"

#define TICK_S   1.
#define MIB      (1024 * 1024ULL)
#define PSI_FILE "/proc/pressure/memory"
/* Some process waited for memory for 150 ms of 2 s: well before a machine thrashes. The kernel wants whole 2 s. */
#define PSI_TRIGGER "some 150000 2000000"

static const struct emperor_options *options_of(const struct vassals *v)
{
	static const struct emperor_options none;

	return v->setup.rules->options ? v->setup.rules->options : &none;
}

/* -- workers -------------------------------------------------------------------------------------------- */

static unsigned has_now(const struct generation *g)
{
	if (!g)
		return 0;
	return g->scaled ? g->scaled : g->loaded->config.processes;
}

static unsigned workers_of(const struct app *a)
{
	return has_now(a->serving ? a->serving : a->candidate);
}

/* What its front is asked for has been given away, although it has not said yes yet. */
static unsigned asked_for(const struct generation *g)
{
	if (!g || g->serial == 0)
		return 0;
	return g->pending.loaded ? g->pending.loaded->config.processes : g->pending.processes;
}

/* All that it may come to: one that starts beside what serves has been granted its own number. */
static unsigned claims_of(const struct app *a)
{
	return MAX(MAX(has_now(a->serving), has_now(a->candidate)), asked_for(a->serving));
}

static unsigned used_by_others(const struct app *a)
{
	unsigned n = 0;

	for (size_t i = 0; i < a->v->n; i++)
		if (a->v->v[i] != a)
			n += claims_of(a->v->v[i]);
	return n;
}

unsigned machine_room(const struct app *a, unsigned wanted)
{
	return budget_grant(options_of(a->v)->max_workers, used_by_others(a), wanted);
}

static int set_processes(struct loaded *l, unsigned n, struct err *err)
{
	char text[16];

	l->config.processes = n;
	(void)snprintf(text, sizeof(text), "%u", n);
	return config_items_add(&l->items, "processes", text, "max-workers", 0, true, err);
}

int machine_cut(struct loaded *l, unsigned granted, struct err *err)
{
	l->wanted = l->config.processes;
	return set_processes(l, granted, err);
}

int machine_uncut(struct loaded *l, unsigned wanted, struct err *err)
{
	return wanted > 0 ? set_processes(l, wanted, err) : 0;
}

int machine_grant(const struct app *a, struct loaded *l, struct err *err)
{
	unsigned granted = machine_room(a, l->config.processes);

	return granted < l->config.processes ? machine_cut(l, granted, err) : 0;
}

void machine_took(struct app *a, const struct loaded *l)
{
	a->cut_from = l->wanted;
	a->cut_tried = l->wanted > 0 ? l->config.processes : 0;
}

void machine_explain(struct app *a)
{
	char text[160];

	if (a->cut_from == 0)
		return;
	(void)snprintf(text, sizeof(text),
		       "max-workers = %u: it has %u of %u processes, other apps have %u",
		       options_of(a->v)->max_workers, workers_of(a), a->cut_from,
		       used_by_others(a));
	app_put_text(&a->reason, "%s", text);
	log_warning("%s: %s", a->name, text);
	tell_change(a, EVENT_BUDGET, text);
}

/* Others have left: those that were given fewer get theirs. */
static void give_back_workers(struct app *a)
{
	struct err err = {0};
	unsigned now = workers_of(a);
	unsigned room;

	if (a->cut_from == 0 || a->state != APP_RUNNING || !a->serving)
		return;
	room = machine_room(a, a->cut_from);
	if (room <= now || room == a->cut_tried)
		return;
	/* Not just now: the next tick asks again. */
	if (limits_scale(a, room, "max-workers has room", &err) < 0)
		return;
	a->cut_tried = room;
}

void machine_scaled(struct app *a, unsigned processes)
{
	if (a->cut_from == 0 || processes < a->cut_from)
		return;
	a->cut_from = 0;
	app_put_text(&a->reason, "%s", "");
}

/* -- memory --------------------------------------------------------------------------------------------- */

static void find_fat(const struct board_bank *bank, struct budget_app *ret)
{
	unsigned rows = board_worker_rows(bank);

	for (unsigned i = 0; i < rows; i++) {
		const struct board_worker *w = &bank->worker[i];
		uint32_t state = atomic_load_explicit(&w->state, memory_order_relaxed);
		uint64_t bytes = board_worker_held(w);

		/* One that has served nothing is as large as its successor would be. */
		if (state != WORKER_IDLE || board_get(&w->delta_requests) == 0 || bytes <= ret->fat)
			continue;
		ret->fat = bytes;
		ret->fat_worker = i;
	}
}

/* All generations that live: one that starts or drains holds memory as well. */
static uint64_t memory_of(const struct app *a, const struct scoreboard *b)
{
	struct board_app_memory m = {0};

	for (const struct generation *g = a->generations; g; g = g->next)
		if (board_get(&b->bank[g->bank].generation) == g->number)
			board_add_memory(&b->bank[g->bank], &m);
	return board_memory_of_all(&m).held;
}

static void note_activity(struct app *a, const struct board_bank *bank, uint64_t now_ns)
{
	uint64_t events = board_get(&bank->counters.requests) +
			  board_get(&bank->counters.connections) + a->serving->number;

	if (a->active_ns > 0 && events == a->seen_events &&
	    atomic_load_explicit(&bank->busy, memory_order_relaxed) == 0)
		return;
	a->seen_events = events;
	a->active_ns = now_ns;
}

static void measure(struct app *a, struct budget_app *ret, uint64_t now_ns)
{
	const struct generation *g = a->serving;
	const struct scoreboard *b;

	*ret = (struct budget_app){.renewed_ns = a->renewed_ns, .asked_ns = a->asked_ns};
	if (!a->generations || board_map_readonly(a->board_ro_fd, &b, NULL) < 0)
		return;
	ret->memory = memory_of(a, b);
	if (g) {
		find_fat(&b->bank[g->bank], ret);
		note_activity(a, &b->bank[g->bank], now_ns);
	}
	board_unmap(b);
	if (!g)
		return;
	ret->idle_ns = now_ns - a->active_ns;
	ret->may_sleep =
		a->state == APP_RUNNING && sleep_may(g->loaded) &&
		g->loaded->config.tasks_n == 0; /* a front stays with what runs beside it */
}

static void say_over(const struct vassals *v, const struct budget_action *action, char *buf,
		     size_t size)
{
	uint64_t limit = options_of(v)->memory_budget;

	if (action->total > limit - limit / 10)
		(void)snprintf(buf, size,
			       "memory-budget = %" PRIu64 " MiB, %" PRIu64 " MiB are held",
			       (uint64_t)(limit / MIB), (uint64_t)(action->total / MIB));
	else
		(void)snprintf(buf, size, "the kernel says that processes wait for memory");
}

static void act(struct vassals *v, const struct budget_action *action, const struct budget_app *row,
		uint64_t now_ns)
{
	struct app *a = v->v[action->app];
	char over[96];
	char text[224];

	say_over(v, action, over, sizeof(over));
	switch (action->kind) {
	case BUDGET_REST:
		return;
	case BUDGET_HELPLESS:
		log_warning("%s: no app may sleep and no idle worker can be replaced", over);
		return;
	case BUDGET_SLEEP:
		(void)snprintf(text, sizeof(text), "%s: it is let sleep, idle for %" PRIu64 " s",
			       over, (uint64_t)(row->idle_ns / NS_PER_S));
		a->asked_ns = now_ns;
		generation_let_sleep(a->serving);
		break;
	case BUDGET_RENEW:
		(void)snprintf(text, sizeof(text),
			       "%s: its worker %u is replaced, idle with %" PRIu64 " MiB", over,
			       action->worker + 1, (uint64_t)(row->fat / MIB));
		a->renewed_ns = now_ns;
		generation_renew_worker(a->serving, action->worker);
		break;
	}
	log_info("%s: %s", a->name, text);
	tell_change(a, EVENT_BUDGET, text);
}

static void watch_memory(struct vassals *v, uint64_t now_ns)
{
	_cleanup_(freep) struct budget_app *rows = calloc(v->n + 1, sizeof(*rows));
	struct budget_action action;

	if (!rows)
		return;
	for (size_t i = 0; i < v->n; i++)
		measure(v->v[i], &rows[i], now_ns);
	action =
		budget_decide(&v->machine.budget, rows, v->n, options_of(v)->memory_budget, now_ns);
	act(v, &action, &rows[action.app], now_ns);
}

/* -- limit-memory --------------------------------------------------------------------------------------- */

static void watch_limit(struct app *a)
{
	const struct cgroup *c = a->v->setup.rules->cgroup;
	uint64_t limit = a->face ? a->face->config.limit_memory_bytes : 0;
	char text[160];
	uint64_t n;

	if (limit == 0 || !a->generations || cgroup_oom_kills(c, a->name, &n) < 0)
		return;
	/* what an emperor before us has told, or a group that was there already */
	if (n <= a->oom_kills || !a->oom_seen) {
		a->oom_kills = n;
		a->oom_seen = true;
		return;
	}
	(void)snprintf(text, sizeof(text),
		       "the kernel has killed %" PRIu64 " of its processes: limit-memory = %" PRIu64
		       " MiB were not enough",
		       n - a->oom_kills, (uint64_t)(limit / MIB));
	a->oom_kills = n;
	log_error("%s: %s", a->name, text);
	tell_change(a, EVENT_BUDGET, text);
}

int machine_enter(const struct app *a, const struct loaded *l, int *ret_procs_fd, struct err *err)
{
	const struct cgroup *c = a->v->setup.rules->cgroup;

	*ret_procs_fd = -1;
	/* Without one it runs unlimited, which its notes say. */
	if (!c || !c->dir || (l->config.limit_memory_bytes == 0 && !a->oom_seen))
		return 0;
	return cgroup_enter(c, a->name, l->config.limit_memory_bytes, ret_procs_fd, err);
}

/* What one holds that was started in no group would not count in a group that it came to now. */
bool machine_limit_is_live(const struct generation *g, const struct loaded *l)
{
	const struct cgroup *c = g->app->v->setup.rules->cgroup;

	return !c || !c->dir || l->config.limit_memory_bytes == 0 ||
	       g->loaded->config.limit_memory_bytes > 0 || g->app->oom_seen;
}

int machine_limit(const struct generation *g, const struct loaded *l, struct err *err)
{
	const struct cgroup *c = g->app->v->setup.rules->cgroup;
	uint64_t bytes = l->config.limit_memory_bytes;

	if (!c || !c->dir || bytes == g->loaded->config.limit_memory_bytes)
		return 0;
	return cgroup_limit(c, g->app->name, bytes, err);
}

void machine_left(const struct app *a)
{
	if (a->oom_seen && a->v->setup.rules->cgroup)
		cgroup_remove(a->v->setup.rules->cgroup, a->name);
}

/* -- the clock, the kernel's word ----------------------------------------------------------------------- */

static void on_tick(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct vassals *v = container_of(w, struct vassals, machine.tick);
	const struct emperor_options *o = options_of(v);
	uint64_t now_ns = clock_now_ns();

	(void)loop;
	(void)revents;
	if (v->shutting_down)
		return;
	for (size_t i = 0; i < v->n; i++) {
		if (v->setup.rules->cgroup)
			watch_limit(v->v[i]);
		if (o->max_workers > 0)
			give_back_workers(v->v[i]);
	}
	if (o->memory_budget > 0)
		watch_memory(v, now_ns);
}

static void on_stall(struct ev_loop *loop, ev_io *io, int revents)
{
	struct vassals *v = container_of(io, struct vassals, machine.stall_io);
	struct epoll_event ev;

	(void)revents;
	if (epoll_wait(v->machine.stall_epoll, &ev, 1, 0) != 1)
		return;
	if (ev.events & EPOLLERR) { /* the trigger has gone with its cgroup or file */
		ev_io_stop(loop, io);
		return;
	}
	budget_stalled(&v->machine.budget, clock_now_ns());
}

/* libev knows no POLLPRI: an epoll set in between does. */
static void watch_stalls(struct vassals *v)
{
	struct machine *m = &v->machine;
	struct epoll_event ev = {.events = EPOLLPRI};

	m->stall_fd = open(PSI_FILE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (m->stall_fd >= 0 &&
	    write(m->stall_fd, PSI_TRIGGER, sizeof(PSI_TRIGGER)) == (ssize_t)sizeof(PSI_TRIGGER))
		m->stall_epoll = epoll_create1(EPOLL_CLOEXEC);
	if (m->stall_epoll < 0 || epoll_ctl(m->stall_epoll, EPOLL_CTL_ADD, m->stall_fd, &ev) < 0) {
		log_info("memory-budget: " PSI_FILE
			 " cannot be used (%s): only the figures of the apps count",
			 strerror(errno));
		return;
	}
	ev_io_init(&m->stall_io, on_stall, m->stall_epoll, EV_READ);
	ev_io_start(v->setup.loop, &m->stall_io);
}

void machine_open(struct vassals *v)
{
	const struct emperor_options *o = options_of(v);
	const struct cgroup *c = v->setup.rules->cgroup;

	v->machine.stall_fd = -1;
	v->machine.stall_epoll = -1;
	ev_timer_init(&v->machine.tick, on_tick, TICK_S, TICK_S);
	if (o->memory_budget > 0)
		watch_stalls(v);
	if (o->memory_budget > 0 || o->max_workers > 0 || (c && c->dir))
		ev_timer_start(v->setup.loop, &v->machine.tick);
}

void machine_close(struct vassals *v)
{
	struct machine *m = &v->machine;

	ev_timer_stop(v->setup.loop, &m->tick);
	ev_io_stop(v->setup.loop, &m->stall_io);
	if (m->stall_epoll >= 0)
		(void)close(TAKE_FD(m->stall_epoll));
	if (m->stall_fd >= 0)
		(void)close(TAKE_FD(m->stall_fd));
}

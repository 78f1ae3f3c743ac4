/*
 * tasks - see tasks.h. Something happens (an exit, a timer, a call of the front), the plans note it, and one step later
 * what they want is carried out. Nothing is done from inside a call of the front, so callbacks never nest.
 */
#include "vassal/tasks/inner.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/wait.h>

#include "shared/clock.h"
#include "shared/err.h"
#include "vassal/pool/exits.h"
#include "vassal/tasks/minder.h"

#define WATCH_S    0.1  /* a predecessor's end */
#define TOUCH_S    1.0  /* touched files */
#define RELAY_S    1.0  /* by then the old generation has been told that it is one */
#define STEP_MIN_S 1e-3 /* the loop's clock may lag behind ours: no busy turn before a deadline */

static uint32_t random_word(void)
{
	uint32_t word = 0;

	if (getrandom(&word, sizeof(word), GRND_NONBLOCK) != (ssize_t)sizeof(word))
		word = (uint32_t)clock_now_ns();
	return word;
}

static time_t wall_now_s(void)
{
	return (time_t)(clock_wall_ns() / NS_PER_S);
}

static const char *kind_name(const struct task *t)
{
	return t->config->kind == TASK_CRON ? "cron" : "daemon";
}

void task_event(struct task *t, const char *fmt, ...)
{
	char text[BOARD_EVENT_TEXT];
	size_t n = (size_t)snprintf(text, sizeof(text), "%s %s ", kind_name(t), t->config->name);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text + n, sizeof(text) - n, fmt, ap);
	va_end(ap);
	t->tasks->events.event(t->tasks->arg, text);
}

void tasks_kick(struct tasks *ts)
{
	ev_feed_event(ts->loop, &ts->step, EV_CUSTOM);
}

/* -- touched files ---------------------------------------------------------------------------------------- */

static bool look_at_files(struct task *t)
{
	bool changed = false;

	for (size_t i = 0; i < MIN(t->config->touch.n, (size_t)LIMIT_TASK_TOUCH); i++) {
		struct timespec *seen = &t->touched[i];
		struct stat st = {0};

		(void)stat(t->config->touch.v[i], &st);
		changed |= seen->tv_sec != st.st_mtim.tv_sec || seen->tv_nsec != st.st_mtim.tv_nsec;
		*seen = st.st_mtim;
	}
	return changed;
}

/* -- predecessors ----------------------------------------------------------------------------------------- */

static bool must_wait(const struct task *t)
{
	return t->config->kind == TASK_DAEMON || t->config->unique;
}

/* True: it is worth another look. */
static bool look_at_predecessor(struct task *t)
{
	bool blocked;

	if (!must_wait(t) || t->plan.phase != PLAN_SERVING)
		return false;
	/* once it had its turn, nobody comes before it any more */
	if (t->config->kind == TASK_DAEMON && board_get(&t->row->starts) > 0)
		return false;
	blocked = row_predecessor(t);
	plan_block(&t->plan, blocked);
	if (blocked && t->config->kind == TASK_DAEMON && !t->queued_said)
		task_event(t, "waits: the older generation's has not ended yet");
	t->queued_said |= blocked;
	return blocked;
}

static void on_watch(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct tasks *ts = container_of(w, struct tasks, watch);
	bool waits = false, files = false;

	(void)revents;
	for (unsigned i = 0; i < ts->n; i++) {
		struct task *t = &ts->task[i];

		waits |= look_at_predecessor(t);
		files |= t->config->touch.n > 0;
		if (t->config->touch.n > 0 && look_at_files(t)) {
			task_event(t, "is started anew: a file of its touch has changed");
			plan_renew(&t->plan, clock_now_ns());
		}
	}
	tasks_kick(ts);
	w->repeat = waits ? WATCH_S : files ? TOUCH_S : 0.;
	ev_timer_again(loop, w);
}

/* -- actions ---------------------------------------------------------------------------------------------- */

static void start(struct task *t, unsigned number)
{
	struct err err = {0};

	if (run_start(t, number, &err) < 0) {
		task_event(t, "cannot be started: %s", err.text);
		board_add(&t->row->failures, 1);
		(void)plan_ended(&t->plan, number, false, clock_now_ns(), random_word());
		return;
	}
	board_add(&t->row->starts, 1);
	board_set(&t->row->started_wall_ns, clock_wall_ns());
	task_event(t, "started: %s", t->config->command);
}

static void kill_run(struct task *t, const struct plan_action *a)
{
	char why[TASK_WHY];

	if (!t->run[a->run])
		return;
	if (a->why == PLAN_WHY_HARAKIRI)
		(void)snprintf(why, sizeof(why), "it ran longer than %u s (harakiri)",
			       t->config->harakiri_s);
	else if (a->why == PLAN_WHY_STOP)
		(void)snprintf(why, sizeof(why), "its generation ends");
	else
		(void)snprintf(why, sizeof(why), "it did not end when it was told to");
	run_kill(t->run[a->run], why);
}

static void carry_out(struct task *t, const struct plan_action *a)
{
	switch (a->kind) {
	case PLAN_START:
		start(t, a->run);
		break;
	case PLAN_SIGNAL:
		if (t->run[a->run])
			run_signal(t->run[a->run], t->config->stop_signal);
		break;
	case PLAN_KILL:
		kill_run(t, a);
		break;
	case PLAN_SKIP:
		task_event(t, "is not started: it still runs");
		break;
	case PLAN_NOTHING:
		break;
	}
}

static void arm(struct tasks *ts)
{
	uint64_t now_ns = clock_now_ns(), wall_ns = clock_wall_ns(), wait_ns = UINT64_MAX;

	for (unsigned i = 0; i < ts->n; i++)
		wait_ns = MIN(wait_ns, plan_wait_ns(&ts->task[i].plan, now_ns, wall_ns));
	ev_timer_stop(ts->loop, &ts->step);
	if (wait_ns == UINT64_MAX)
		return;
	ev_timer_set(&ts->step, (double)wait_ns / 1e9 + STEP_MIN_S, 0.);
	ev_timer_start(ts->loop, &ts->step);
}

static void on_step(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct tasks *ts = container_of(w, struct tasks, step);
	struct plan_action a;

	(void)loop, (void)revents;
	for (unsigned i = 0; i < ts->n; i++) {
		struct task *t = &ts->task[i];

		while (plan_next(&t->plan, clock_now_ns(), wall_now_s(), &a))
			carry_out(t, &a);
		row_show(t);
	}
	arm(ts);
	if (!ts->drains || ts->over_said || !tasks_over(ts))
		return;
	ts->over_said = true;
	ts->events.over(ts->arg);
}

/* -- ends ------------------------------------------------------------------------------------------------- */

static void tell_end(struct task *t, const struct run *r, const char *how, bool good)
{
	bool told = t->plan.run[r->number].state != PLAN_RUN_RUNNING;

	if (r->why[0])
		task_event(t, "(%d) was killed: %s", (int)r->pid, r->why);
	else if (told || (t->config->kind == TASK_CRON && good))
		task_event(t, "(%d) has ended: %s", (int)r->pid, how);
	else
		task_event(t, "(%d) %s", (int)r->pid, how);
}

static void tell_retry(struct task *t, const char *how)
{
	char text[TASK_WHY];

	if (t->plan.broken)
		task_event(t, "is given up: it ended too early %u times (freq)", t->plan.early);
	if (!t->config->control || t->plan.phase != PLAN_SERVING)
		return;
	(void)snprintf(text, sizeof(text), "daemon %s %s, and the app ends with it (control)",
		       t->config->name, how);
	t->tasks->events.control_ended(t->tasks->arg, text);
}

void task_run_ended(struct task *t, struct run *r, int minder_status)
{
	char how[TASK_WHY];
	int status = r->has_status ? r->status : minder_status;
	bool own = t->plan.run[r->number].state == PLAN_RUN_RUNNING;
	bool ok = r->has_status && WIFEXITED(status) && WEXITSTATUS(status) == 0;

	exits_describe(status, how, sizeof(how));
	if (!r->has_status)
		(void)snprintf(how, sizeof(how), "was ended with its minder");
	tell_end(t, r, how, ok);
	t->run[r->number] = NULL;
	(void)plan_ended(&t->plan, r->number, ok, clock_now_ns(), random_word());
	row_ended(t, status, own && (t->config->kind == TASK_DAEMON || !ok));
	if (own && t->config->kind == TASK_DAEMON)
		tell_retry(t, how);
	run_free(r);
	row_show(t);
	tasks_kick(t->tasks);
}

/* -- the front's side ------------------------------------------------------------------------------------- */

static void init_task(struct tasks *ts, unsigned i)
{
	const struct vassal_config *c = ts->setup.config;
	struct task *t = &ts->task[i];

	t->tasks = ts;
	t->config = &c->tasks[i];
	t->row = &ts->setup.bank->task[i];
	plan_init(&t->plan, &(struct plan_config){
				    .cron = t->config->kind == TASK_CRON,
				    .unique = t->config->unique,
				    .attempts = t->config->attempts,
				    .harakiri_ns = t->config->harakiri_s * NS_PER_S,
				    .when = &t->config->when,
				    .mercy_ns = c->graceful_timeout_s * NS_PER_S,
			    });
	row_init(t);
	(void)look_at_files(t);
}

/* A moment after the swap: what the old generation has run is known by then, and it runs nothing more. */
static void on_relay(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct tasks *ts = container_of(w, struct tasks, relay);
	time_t now_s = wall_now_s();

	(void)revents;
	ev_timer_stop(loop, w);
	for (unsigned i = 0; i < ts->n; i++)
		if (ts->task[i].config->kind == TASK_CRON)
			plan_serve(&ts->task[i].plan, row_looked(&ts->task[i], now_s));
	ev_feed_event(loop, &ts->watch, EV_CUSTOM);
}

int tasks_new(struct tasks **ret, struct ev_loop *loop, const struct tasks_setup *setup,
	      const struct tasks_events *events, void *arg, struct err *err)
{
	_cleanup_(freep) struct tasks *ts = NULL;
	size_t n = MIN(setup->config->tasks_n, (size_t)LIMIT_TASKS);

	atomic_store_explicit(&setup->bank->tasks, 0, memory_order_release);
	*ret = NULL;
	if (n == 0)
		return 0;
	ts = calloc(1, sizeof(*ts));
	if (!ts || asprintf(&ts->minder, "%s/" MINDER_PROGRAM, setup->engine_dir) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	ts->loop = loop;
	ts->setup = *setup;
	ts->events = *events;
	ts->arg = arg;
	ts->n = (unsigned)n;
	for (unsigned i = 0; i < ts->n; i++)
		init_task(ts, i);
	atomic_store_explicit(&setup->bank->tasks, ts->n, memory_order_release);
	ev_init(&ts->step, on_step);
	ev_init(&ts->watch, on_watch);
	ev_init(&ts->relay, on_relay);
	*ret = TAKE_PTR(ts);
	return 0;
}

void tasks_serve(struct tasks *ts)
{
	if (!ts || ts->serves || ts->drains)
		return;
	ts->serves = true;
	for (unsigned i = 0; i < ts->n; i++)
		if (ts->task[i].config->kind == TASK_DAEMON)
			plan_serve(&ts->task[i].plan, 0);
	ev_timer_set(&ts->relay, RELAY_S, 0.);
	ev_timer_start(ts->loop, &ts->relay);
	ev_feed_event(ts->loop, &ts->watch, EV_CUSTOM);
}

void tasks_drain(struct tasks *ts, unsigned grace_s, bool swap)
{
	if (!ts)
		return;
	ts->drains = true;
	ev_timer_stop(ts->loop, &ts->watch);
	ev_timer_stop(ts->loop, &ts->relay);
	for (unsigned i = 0; i < ts->n; i++)
		plan_drain(&ts->task[i].plan, clock_now_ns(), grace_s * NS_PER_S, swap);
	tasks_kick(ts);
}

bool tasks_over(const struct tasks *ts)
{
	for (unsigned i = 0; ts && i < ts->n; i++)
		if (!plan_over(&ts->task[i].plan))
			return false;
	return true;
}

void tasks_free(struct tasks *ts)
{
	if (!ts)
		return;
	ev_clear_pending(ts->loop, &ts->step);
	ev_clear_pending(ts->loop, &ts->watch);
	ev_timer_stop(ts->loop, &ts->step);
	ev_timer_stop(ts->loop, &ts->watch);
	ev_timer_stop(ts->loop, &ts->relay);
	for (unsigned i = 0; i < ts->n; i++)
		for (unsigned k = 0; k < LIMIT_TASK_RUNS; k++)
			run_free(ts->task[i].run[k]);
	free(ts->minder);
	free(ts);
}

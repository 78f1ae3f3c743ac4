/*
 * generation - one process tree of an app: begun or adopted, timed and mourned.
 *
 * Its exit is the last word: what stands unread on the link is read first,
 * so that a reason that was given is never lost to the order of events.
 */
#include "emperor/vassals/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "emperor/vassals/rootpid.h"
#include "emperor/vassals/spawn.h"
#include "shared/clock.h"
#include "shared/err.h"
#include "shared/log.h"

static bool bank_is_free(const struct app *a, unsigned bank)
{
	for (const struct generation *g = a->generations; g; g = g->next)
		if (g->bank == bank)
			return false;
	return true;
}

/* The one after the last, so that what the previous generation left there is overwritten last. */
static int choose_bank(struct app *a, unsigned *ret_bank)
{
	for (unsigned i = 1; i <= LIMIT_BANKS; i++) {
		unsigned bank = (a->last_bank + i) % LIMIT_BANKS;

		if (bank_is_free(a, bank)) {
			*ret_bank = bank;
			return 0;
		}
	}
	return -EAGAIN;
}

void generation_set_timer(struct generation *g, double seconds)
{
	struct ev_loop *loop = g->app->v->setup.loop;

	ev_timer_stop(loop, &g->timer);
	ev_timer_set(&g->timer, seconds, 0);
	ev_timer_start(loop, &g->timer);
}

static void read_outcome(struct generation *g)
{
	struct err err = {0};
	int r = spawn_outcome(g->outcome_fd, &err);

	if (r == -EAGAIN)
		return;
	ev_io_stop(g->app->v->setup.loop, &g->outcome_io);
	(void)close(TAKE_FD(g->outcome_fd));
	if (r < 0)
		app_generation_failed(g, FAIL_SPAWN, err.text);
}

static void on_outcome(struct ev_loop *loop, ev_io *io, int revents)
{
	(void)loop;
	(void)revents;
	read_outcome(container_of(io, struct generation, outcome_io));
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct generation *g = container_of(timer, struct generation, timer);

	(void)loop;
	(void)revents;
	if (g->part == PART_CANDIDATE) {
		char text[96];

		(void)snprintf(text, sizeof(text), "not ready after %u s (startup-timeout)",
			       g->loaded->config.startup_timeout_s);
		app_generation_failed(g, FAIL_START, text);
	} else if (g->part == PART_LEAVING) {
		log_warning("%s: generation %" PRIu64 " (pid %d) is still there: killed",
			    g->app->name, g->number, (int)g->pid);
	} else {
		log_error("%s: generation %" PRIu64 " (pid %d) does not listen any more: killed",
			  g->app->name, g->number, (int)g->pid);
	}
	generation_kill(g);
}

static void describe_exit(int status, char *buf, size_t size)
{
	if (status == EXITS_UNKNOWN)
		(void)snprintf(buf, size, "ended; how, only the emperor before would know");
	else if (WIFSIGNALED(status))
		(void)snprintf(buf, size, "killed by signal %d (%s)", WTERMSIG(status),
			       strsignal(WTERMSIG(status)));
	else
		(void)snprintf(buf, size, "exited with %d", WEXITSTATUS(status));
}

static void stop_watching(struct generation *g)
{
	struct ev_loop *loop = g->app->v->setup.loop;

	ev_io_stop(loop, &g->link_io);
	ev_io_stop(loop, &g->outcome_io);
	exits_stop(&g->exits);
	ev_timer_stop(loop, &g->timer);
	ev_timer_stop(loop, &g->pause);
}

static void on_exit_of(struct exits *x, int status)
{
	struct generation *g = container_of(x, struct generation, exits);
	char how[96];

	if (g->outcome_fd >= 0)
		read_outcome(g);
	/* Bounded: a grandchild that kept the other end could write for ever. */
	if (g->link_fd >= 0)
		(void)generation_hear(g);
	stop_watching(g);
	rootpid_remove(g->loaded, g->pid);
	describe_exit(status, how, sizeof(how));
	g->pid = 0;
	logpipe_close(&g->log); /* its last words before ours about it */
	app_generation_exited(g, how, status == 0);
}

static void watch(struct generation *g)
{
	struct ev_loop *loop = g->app->v->setup.loop;

	generation_link_init(g);
	ev_io_init(&g->outcome_io, on_outcome, g->outcome_fd, EV_READ);
	ev_init(&g->timer, on_timer);
	ev_io_start(loop, &g->outcome_io);
	exits_watch(&g->exits, loop, g->pid, on_exit_of);
	generation_set_timer(g, g->loaded->config.startup_timeout_s);
}

int generation_spawn(struct app *a, struct loaded *l, struct ini *ini, const struct door_set *doors,
		     int log_fd, uint64_t number, struct generation **ret, struct err *err)
{
	struct generation *g = calloc(1, sizeof(*g));
	int r;

	if (!g)
		return err_set(err, -ENOMEM, "out of memory");
	*g = (struct generation){
		.app = a, .number = number, .link_fd = -1, .outcome_fd = -1, .log.fd = -1};
	g->loaded = loaded_ref(l);
	g->ini = ini_ref(ini);
	r = choose_bank(a, &g->bank);
	if (r < 0)
		(void)err_set(err, r, "%d generations are alive already", LIMIT_BANKS);
	else
		r = generation_birth(g, doors, log_fd, err);
	if (r < 0) {
		generation_free(g);
		return r;
	}
	a->last_bank = g->bank;
	watch(g);
	*ret = g;
	return 0;
}

int generation_adopt(struct app *a, struct loaded *l, struct ini *ini,
		     const struct generation_past *past, struct generation **ret, struct err *err)
{
	struct generation *g = calloc(1, sizeof(*g));
	struct ev_loop *loop = a->v->setup.loop;

	if (!g)
		return err_set(err, -ENOMEM, "out of memory");
	*g = (struct generation){
		.app = a,
		.number = past->number,
		.bank = past->bank,
		.pid = past->pid,
		.is = past->is,
		.part = past->part,
		.link_fd = past->link_fd,
		.outcome_fd = -1,
		.log.fd = -1,
		.spawned_ns = past->serving_ns,
		.serving_ns = past->serving_ns,
		.serving_wall_ns = past->serving_wall_ns,
		.passed = true, /* else rollback.c says so */
	};
	g->loaded = loaded_ref(l);
	g->ini = ini_ref(ini);
	ev_init(&g->timer, on_timer);
	ev_init(&g->outcome_io, on_outcome);
	generation_link_init(g);
	if (past->log_fd >= 0)
		logpipe_adopt(&g->log, loop, past->log_fd);
	exits_adopt(&g->exits, loop, g->pid, &past->is, past->pidfd, on_exit_of);
	*ret = g;
	return 0;
}

void generation_kill(const struct generation *g)
{
	/* pid is only ever reset when it has been reaped: it cannot be another process yet. */
	if (g->pid > 0)
		exits_signal(&g->exits, SIGKILL);
}

void generation_free(struct generation *g)
{
	if (!g)
		return;
	if (g->pid > 0)
		stop_watching(g);
	if (g->link_fd >= 0)
		(void)close(g->link_fd);
	if (g->outcome_fd >= 0)
		(void)close(g->outcome_fd);
	logpipe_close(&g->log);
	limits_done(&g->pending);
	free(g->config);
	free(g->notes);
	loaded_unref(g->loaded);
	ini_unref(g->ini);
	free(g);
}

/*
 * mold - the channel to the mold: its birth, what it says, its end. While the pool serves, a mold
 * that dies costs nothing but the next fork: workers live on, and policy makes another.
 */
#include "vassal/pool/inner.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>

#include "shared/err.h"
#include "shared/fd.h"
#include "shared/scoreboard.h"
#include "shared/vassal_config.h"
#include "vassal/exchange/crew.h"
#include "vassal/exchange/exchange.h"
#include "vassal/pool/spawn.h"

static void on_forked(struct pool *pool, const struct crew_msg *m)
{
	if (m->worker >= pool->policy.config.capacity) {
		pool_event(pool, EVENT_NOTE, 0,
			   "the mold speaks of worker %u, which does not exist", m->worker + 1);
		return;
	}
	if (m->kind == CREW_FORKED)
		worker_forked(pool, m->worker, m->a);
	else
		worker_fork_failed(pool, m->worker, m->text);
}

static void on_ready(struct pool *pool, const struct crew_msg *m)
{
	pool->mold.why[0] = '\0';
	if (!pool->served)
		pool->mold.import_us = m->a;
	if (m->text[0])
		pool_event(pool, EVENT_NOTE, 0, "mold: %s", m->text);
	if (pool->served)
		pool_event(pool, EVENT_NOTE, 0,
			   "a new mold is ready; workers forked from now on have the code of now");
	policy_mold_ready(&pool->policy);
	watch_house(pool);
}

/* For emperorctl status; of a traceback the last line. What is known already says more than the exit that follows. */
static void note_end(struct pool *pool, const char *what, const char *text)
{
	size_t n = strlen(text);
	const char *line;

	if (pool->mold.why[0])
		return;
	while (n > 0 && text[n - 1] == '\n')
		n--;
	line = memrchr(text, '\n', n);
	line = line ? line + 1 : text;
	(void)snprintf(pool->mold.why, sizeof(pool->mold.why), "%s (%.*s)", what,
		       (int)MIN((size_t)(n - (size_t)(line - text)), (size_t)80), line);
}

static void on_failed(struct pool *pool, const struct crew_msg *m)
{
	enum fail_phase phase =
		m->a > FAIL_NONE && m->a < FAIL_PHASE_COUNT ? (enum fail_phase)m->a : FAIL_ENGINE;

	pool_blame(pool, phase, "%s", m->text);
	note_end(pool, "the new mold could not start", m->text);
	if (pool->served)
		pool_event(pool, EVENT_NOTE, 0, "a new mold could not start (workers go on): %s",
			   m->text);
	policy_mold_failed(&pool->policy, clock_now_ns());
}

static void on_message(struct pool *pool, const struct crew_msg *m)
{
	switch (m->kind) {
	case CREW_MOLD_READY:
		on_ready(pool, m);
		break;
	case CREW_MOLD_FAILED:
		on_failed(pool, m);
		break;
	case CREW_FORKED:
	case CREW_FORK_FAILED:
		on_forked(pool, m);
		break;
	default:
		pool_event(pool, EVENT_NOTE, 0,
			   "the mold said \"%s\", which is not its to say: ignored",
			   crew_kind_name(m->kind));
	}
}

static void read_channel(struct pool *pool, unsigned most)
{
	struct crew_msg m;
	struct err err = {0};
	int fd = -1;

	while (most-- > 0 && pool->mold.fd >= 0) {
		int r = crew_recv(pool->mold.fd, &m, &fd, &err);

		if (r > 0) {
			on_message(pool, &m);
			fd_closep(&fd); /* of no kind that is the mold's to say */
			fd = -1;
		} else if (r == -EBADMSG) {
			pool_event(pool, EVENT_NOTE, 0, "mold: %s", err.text);
		} else {
			if (r == -EAGAIN)
				return;
			/* Its exit follows, or the app has closed descriptors that are not its own.
			 */
			ev_io_stop(pool->loop, &pool->mold.io);
			policy_mold_lost(&pool->policy, clock_now_ns());
			return;
		}
	}
}

static void on_readable(_unused_ struct ev_loop *loop, ev_io *w, _unused_ int revents)
{
	struct pool *pool = w->data;

	read_channel(pool, POOL_MSGS_TURN);
	pool_kick(pool);
}

static void listen_to(struct pool *pool, int fd)
{
	pool->mold.fd = fd;
	ev_io_init(&pool->mold.io, on_readable, fd, EV_READ);
	pool->mold.io.data = pool;
	ev_io_start(pool->loop, &pool->mold.io);
}

static int start(struct pool *pool, struct err *err)
{
	const struct pool_setup *s = &pool->setup;
	const char *proc = s->config->procname ? s->config->procname : s->name;
	char title[LIMIT_NAME + 8];
	int fds[2];
	int r = fd_seqpacket_pair(fds, false);

	if (r < 0)
		return err_set(err, r, "cannot make a socket pair: %s", strerror(-r));

	_cleanup_(fd_closep) int ours = fds[0];
	_cleanup_(fd_closep) int theirs = fds[1];

	r = fd_set_nonblock(ours, true);
	if (r < 0)
		return err_set(err, r, "cannot make a socket nonblocking: %s", strerror(-r));
	(void)snprintf(title, sizeof(title), "%.*s mold", LIMIT_NAME, proc);
	r = spawn_engine(&(struct spawn_setup){.path = pool->engine.path,
					       .title = title,
					       .mold_fd = theirs,
					       .config_fd = s->config_fd,
					       .exchange_fd = exchange_memory_fd(s->exchange),
					       .event_fd = exchange_event_fd(s->exchange),
					       .board_fd = s->board_fd,
					       .output_fd = pool->output.write_fd,
					       .limit_as_bytes = s->config->limit_as_bytes},
			 &pool->mold.pid, err);
	if (r < 0)
		return r;
	listen_to(pool, TAKE_FD(ours));
	return 0;
}

void mold_spawn(struct pool *pool)
{
	struct err err = {0};

	if (start(pool, &err) == 0)
		return;
	pool_blame(pool, FAIL_SPAWN, "%s", err.text);
	note_end(pool, "the new mold could not start", err.text);
	if (pool->served)
		pool_event(pool, EVENT_NOTE, 0, "a new mold could not start (workers go on): %s",
			   err.text);
	policy_mold_gone(&pool->policy, clock_now_ns());
}

void mold_quit(struct pool *pool)
{
	/* A mold that does not take the word sees the end of its channel, which means the same. */
	if (crew_send(pool->mold.fd, &(struct crew_msg){.kind = CREW_QUIT}, NULL, -1) < 0)
		(void)shutdown(pool->mold.fd, SHUT_WR);
}

void mold_kill(struct pool *pool, bool stacks)
{
	if (pool->mold.pid > 0)
		(void)kill(pool->mold.pid, stacks ? SIGRTMIN + CREW_STACKS_SIGNAL_OFFSET : SIGKILL);
}

void mold_close(struct pool *pool)
{
	if (pool->mold.fd < 0)
		return;
	ev_io_stop(pool->loop, &pool->mold.io);
	(void)close(TAKE_FD(pool->mold.fd));
}

static void forget_memory(struct pool *pool)
{
	board_set(&pool->setup.bank->mold.rss, 0);
	board_set(&pool->setup.bank->mold.pss, 0);
	pool->mold_pss_ns = 0;
}

void mold_take(struct pool *pool, pid_t pid, int fd)
{
	mold_close(pool);
	pool->mold.pid = pid;
	pool->mold.why[0] = '\0';
	forget_memory(pool);
	listen_to(pool, fd);
}

void mold_exited(struct pool *pool, int status)
{
	uint64_t limit_as = pool->setup.config->limit_as_bytes;
	char hint[64] = "";
	bool asked;
	char how[128];

	read_channel(pool, POOL_MSGS_DRAIN);
	output_drain(&pool->output);
	exits_describe(status, how, sizeof(how));
	if (limit_as)
		(void)snprintf(hint, sizeof(hint), " (limit-as is %llu MiB)",
			       (unsigned long long)limit_as >> 20);
	pool_blame(pool, FAIL_ENGINE, "the engine (%s) ended while it was starting: %s%s",
		   pool->engine.path, how, hint);
	asked = pool->policy.mold == MOLD_LEAVING || pool->policy.mold_killed;
	if (pool->served && !asked)
		pool_event(pool, EVENT_NOTE, 0,
			   "the mold died (%s); workers go on, another is made", how);
	if (!asked)
		note_end(pool, "the mold died", how);
	mold_close(pool);
	pool->mold.pid = 0;
	forget_memory(pool);
	worker_mold_gone(pool);
	policy_mold_gone(&pool->policy, clock_now_ns());
}

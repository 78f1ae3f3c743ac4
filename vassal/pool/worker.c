/*
 * worker - one number of the pool: the birth of a process, what it says, its end. What it says is
 * bounded and checked: the app's own code runs on the other side.
 *
 * A pid comes from the mold (FORKED) or from the worker itself (READY), whichever is first; an exit
 * may come before both, and is then looked for among those that nobody claimed. A number is free
 * again only when its process is known to be gone, or the mold is and the channel has ended.
 */
#include "vassal/pool/inner.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "shared/err.h"
#include "shared/fd.h"
#include "shared/scoreboard.h"
#include "shared/vassal_config.h"
#include "vassal/exchange/crew.h"
#include "vassal/exchange/exchange.h"

static struct board_worker *row_of(const struct worker *w)
{
	return &w->pool->setup.bank->worker[w->number];
}

static void set_state(const struct worker *w, enum worker_state state)
{
	atomic_store_explicit(&row_of(w)->state, state, memory_order_relaxed);
}

static struct policy_slot *slot_of(const struct worker *w)
{
	return &w->pool->policy.slot[w->number];
}

static void distrust(struct worker *w, const char *what)
{
	pool_event(w->pool, EVENT_NOTE, w->number + 1, "worker %u %s", w->number + 1, what);
	pool_kill(w->pool, w->number, what);
}

/* True: the process of this number is known. Its exit may already be: claim_exit(). */
static bool learn_pid(struct worker *w, uint64_t pid)
{
	if (w->pid)
		return (uint64_t)w->pid == pid;
	if (!pool_pid_sane(w->pool, pid))
		return false;
	w->pid = (pid_t)pid;
	policy_forked(&w->pool->policy, w->number);
	atomic_store_explicit(&row_of(w)->pid, (uint32_t)pid, memory_order_relaxed);
	if (slot_of(w)->killed)
		(void)kill(w->pid, SIGKILL);
	return true;
}

/* It may have gone before its pid was known; what the message said is taken down before its death. */
static void claim_exit(struct worker *w)
{
	int status;

	if (w->pid && exits_take(&w->pool->exits, w->pid, w->spawned_ns, &status))
		worker_exited(w->pool, w->number, status);
}

static void become_ready(struct worker *w, const struct crew_msg *m)
{
	struct pool *pool = w->pool;

	if (slot_of(w)->state != SLOT_STARTING)
		return;
	policy_ready(&pool->policy, w->number, clock_now_ns());
	watch_begin(w);
	set_state(w, WORKER_IDLE);
	if (pool->served)
		pool_event(pool, EVENT_WORKER_SPAWNED, w->number + 1,
			   "worker %u is ready (pid %d, %" PRIu64 " ms)", w->number + 1,
			   (int)w->pid, m->b / 1000);
}

static void on_ready(struct worker *w, const struct crew_msg *m)
{
	if (!learn_pid(w, m->a)) {
		distrust(w, "gave a process number that cannot be its own");
		return;
	}
	become_ready(w, m);
	claim_exit(w);
}

static void on_failed(struct worker *w, const struct crew_msg *m)
{
	enum fail_phase phase =
		m->a > FAIL_NONE && m->a < FAIL_PHASE_COUNT ? (enum fail_phase)m->a : FAIL_START;

	pool_blame(w->pool, phase, "%s", m->text);
	if (w->pool->served)
		pool_event(w->pool, EVENT_NOTE, w->number + 1, "worker %u could not start: %s",
			   w->number + 1, m->text);
	(void)snprintf(w->why, sizeof(w->why), "could not start: %.200s", m->text);
	policy_start_failed(&w->pool->policy, w->number, clock_now_ns());
}

static void on_want_body(struct worker *w, const struct crew_msg *m)
{
	_cleanup_(fd_closep) int empty = -1;
	struct crew_msg answer = {.kind = CREW_BODY, .worker = w->number, .a = m->a, .b = m->b};
	int fd = -1;

	if (m->a < exchange_get_shape(w->pool->setup.exchange)->slots)
		fd = w->pool->events.body(w->pool->arg, w->number, (unsigned)m->a);
	if (fd < 0) {
		/* It waits for an answer: an empty file is a body that ended too early, which the
		 * app can handle. */
		pool_event(w->pool, EVENT_NOTE, w->number + 1,
			   "worker %u asked for the body of a request that is not its",
			   w->number + 1);
		empty = open("/dev/null", O_RDONLY | O_CLOEXEC);
		fd = empty;
	}
	if (crew_send(w->fd, &answer, NULL, fd) < 0)
		distrust(w, "does not take the body that it asked for");
}

static void on_message(struct worker *w, const struct crew_msg *m, int fd)
{
	switch (m->kind) {
	case CREW_WORKER_READY:
		on_ready(w, m);
		break;
	case CREW_WORKER_FAILED:
		on_failed(w, m);
		break;
	case CREW_WANT_BODY:
		on_want_body(w, m);
		break;
	case CREW_WORKER_LEAVES:
		/* it has said so to the exchange itself, if it is as honest as it should be */
		exchange_worker_retire(w->pool->setup.exchange, w->number);
		if (slot_of(w)->state == SLOT_READY || slot_of(w)->state == SLOT_STARTING) {
			w->left = true;
			(void)snprintf(w->why, sizeof(w->why), "%.250s", m->text);
			set_state(w, WORKER_RETIRING);
		}
		policy_leaves(&w->pool->policy, w->number, clock_now_ns());
		break;
	case CREW_FILE:
		if (m->a >= exchange_get_shape(w->pool->setup.exchange)->slots ||
		    !w->pool->events.file(w->pool->arg, w->number, (unsigned)m->a, fd, m->b))
			distrust(w, "handed over a file that answers no request of its");
		break;
	case CREW_MODULES:
		w->pool->events.modules(w->pool->arg, fd);
		break;
	default:
		if (refork_message(w, m))
			break;
		distrust(w, "said something that is not a worker's to say");
	}
}

/* A number without a process that will never get one: the mold is gone or has answered, and nobody
 * holds the channel. */
static bool never_born(const struct worker *w)
{
	return slot_of(w)->state != SLOT_EMPTY && w->pid == 0 && w->answers_due == 0 && w->eof_ns;
}

static void read_channel(struct worker *w, unsigned most)
{
	struct crew_msg m;
	struct err err = {0};
	int fd = -1;

	while (most-- > 0 && w->fd >= 0) {
		int r = crew_recv(w->fd, &m, &fd, &err);

		if (r > 0) {
			on_message(w, &m, fd);
			fd_closep(&fd);
			fd = -1;
		} else if (r == -EBADMSG) {
			distrust(w, err.text);
		} else {
			if (r == -EAGAIN)
				return;
			ev_io_stop(w->pool->loop, &w->io);
			w->eof_ns = clock_now_ns();
			return;
		}
	}
}

void pool_hear(struct pool *pool, unsigned worker)
{
	read_channel(&pool->worker[worker], POOL_MSGS_TURN);
}

static void release(struct worker *w, enum worker_state state)
{
	struct board_worker *row = row_of(w);

	worker_close(w);
	w->pid = 0;
	set_state(w, state);
	atomic_store_explicit(&row->pid, 0, memory_order_relaxed);
	board_set(&row->rss, 0);
	board_set(&row->vsz, 0);
	board_set(&row->pss, 0);
}

static void never_came(struct worker *w, const char *text)
{
	struct pool *pool = w->pool;

	if (!pool->over)
		pool_event(pool, EVENT_NOTE, w->number + 1, "worker %u could not be forked: %s",
			   w->number + 1, text);
	(void)snprintf(pool->last_death, sizeof(pool->last_death),
		       "worker %u could not be forked: %.200s", w->number + 1, text);
	release(w, WORKER_DEAD);
	policy_gone(&pool->policy, w->number, clock_now_ns());
}

static void on_readable(_unused_ struct ev_loop *loop, ev_io *io, _unused_ int revents)
{
	struct worker *w = container_of(io, struct worker, io);

	read_channel(w, POOL_MSGS_TURN);
	if (never_born(w))
		never_came(w, "its channel ended");
	pool_kick(w->pool);
}

static int open_channel(struct worker *w, int *ret_theirs)
{
	int fds[2];
	int r = fd_seqpacket_pair(fds, false);

	if (r < 0)
		return r;
	r = fd_set_nonblock(fds[0], true);
	if (r < 0) {
		(void)close(fds[0]);
		(void)close(fds[1]);
		return r;
	}
	w->fd = fds[0];
	ev_io_init(&w->io, on_readable, w->fd, EV_READ);
	ev_io_start(w->pool->loop, &w->io);
	*ret_theirs = fds[1];
	return 0;
}

void worker_init(struct pool *pool, unsigned number)
{
	struct worker *w = &pool->worker[number];

	*w = (struct worker){.pool = pool, .number = number, .fd = -1};
	ev_init(&w->io, on_readable);
	release(w, WORKER_NONE);
}

void worker_close(struct worker *w)
{
	if (w->fd < 0)
		return;
	ev_io_stop(w->pool->loop, &w->io);
	(void)close(TAKE_FD(w->fd));
}

void worker_spawn(struct pool *pool, unsigned number)
{
	struct worker *w = &pool->worker[number];
	struct crew_msg m = {.kind = CREW_FORK, .worker = number};
	_cleanup_(fd_closep) int theirs = -1;
	int r;

	exchange_worker_begin(pool->setup.exchange, number);
	w->left = w->lingers = false;
	w->rss_ns = w->rss_before = w->rss_before_ns = 0;
	w->served = w->rss = w->eof_ns = w->kill_ns = w->pss_ns = 0;
	w->why[0] = '\0';
	w->spawned_ns = clock_now_ns();
	r = open_channel(w, &theirs);
	if (r == 0)
		r = crew_send(pool->mold.fd, &m, NULL, theirs);
	if (r < 0) {
		never_came(w, strerror(-r));
		return;
	}
	w->answers_due++;
	board_add(&pool->setup.bank->counters.spawned, 1);
	board_set(&row_of(w)->spawned_wall_ns, clock_wall_ns());
	if (w->once_spawned)
		board_add(&row_of(w)->respawns, 1);
	w->once_spawned = true;
	if (pool->served && !ev_is_active(&pool->tick))
		ev_timer_again(pool->loop, &pool->tick);
	set_state(w, WORKER_STARTING);
}

void worker_retire(struct pool *pool, unsigned number)
{
	set_state(&pool->worker[number], WORKER_RETIRING);
	exchange_worker_retire(pool->setup.exchange, number);
}

void worker_kill(struct pool *pool, unsigned number)
{
	struct worker *w = &pool->worker[number];

	w->kill_ns = clock_now_ns();
	if (w->pid > 0)
		(void)kill(w->pid, SIGKILL);
	else if (w->fd >= 0)
		(void)shutdown(w->fd,
			       SHUT_RDWR); /* whoever may still come to hold the other end leaves */
}

void worker_set_why(struct pool *pool, unsigned number, const char *why)
{
	struct worker *w = &pool->worker[number];

	(void)snprintf(w->why, sizeof(w->why), "%s", why);
}

void worker_forked(struct pool *pool, unsigned number, uint64_t pid)
{
	struct worker *w = &pool->worker[number];

	if (w->answers_due == 0) {
		pool_event(pool, EVENT_NOTE, number + 1,
			   "the mold forked worker %u, which nobody asked for", number + 1);
		return;
	}
	if (--w->answers_due > 0 || slot_of(w)->state == SLOT_EMPTY)
		return;
	if (!learn_pid(w, pid)) {
		pool_event(pool, EVENT_NOTE, number + 1,
			   "the mold gave a process number for worker %u that is not its",
			   number + 1);
		if (never_born(w))
			never_came(w, "its process is not known");
	}
	claim_exit(w);
}

void worker_fork_failed(struct pool *pool, unsigned number, const char *text)
{
	struct worker *w = &pool->worker[number];

	if (w->answers_due == 0 || --w->answers_due > 0 || slot_of(w)->state == SLOT_EMPTY)
		return;
	never_came(w, text);
}

/* For time alone, which is nobody's fault. */
static bool is_late(const char *why)
{
	return strncmp(why, POOL_HARAKIRI, sizeof(POOL_HARAKIRI) - 1) == 0 ||
	       strncmp(why, POOL_MERCY, sizeof(POOL_MERCY) - 1) == 0;
}

/* A signal that faulthandler catches, prints and raises again. */
static bool is_crash(int status)
{
	static const int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (WIFSIGNALED(status) && WTERMSIG(status) == numbers[i])
			return true;
	return false;
}

void worker_exited(struct pool *pool, unsigned number, int status)
{
	struct worker *w = &pool->worker[number];
	struct pool_death death = {.worker = number, .pid = w->pid, .status = status};

	/* What it said and printed before comes before its death. */
	read_channel(w, POOL_MSGS_DRAIN);
	output_drain(&pool->output);
	/* before the front buries it: afterwards it holds nothing */
	if (exchange_worker_holds(pool->setup.exchange, number))
		policy_worked(&pool->policy, number);
	death.stacks = is_crash(status) ? stacks_take_crash(&pool->stacks, clock_now_ns()) : "";
	/* its death ends its turn: what it was asked for is told before */
	stacks_drop(&pool->stacks, number);
	if (pool->stacks.how != STACKS_NONE && pool->stacks.worker == number)
		asks_tell(pool);
	death.killed = slot_of(w)->state == SLOT_KILLING;
	death.late = death.killed && (slot_of(w)->why == WHY_MERCY || is_late(w->why));
	death.expected = death_classify(w, status);
	(void)snprintf(death.why, sizeof(death.why), "%s", w->why);
	refork_worker_gone(pool, number);
	release(w, death.expected ? WORKER_NONE : WORKER_DEAD);
	pool->events.died(pool->arg, &death);
	policy_gone(&pool->policy, number, clock_now_ns());
}

void worker_mold_gone(struct pool *pool)
{
	for (unsigned i = 0; i < pool->policy.config.capacity; i++) {
		struct worker *w = &pool->worker[i];

		w->answers_due = 0;
		if (never_born(w))
			never_came(w, "the mold died before");
	}
}

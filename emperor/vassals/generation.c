/*
 * generation - one process tree of an app: how it is started, spoken to, timed and mourned.
 *
 * What the front says is believed only as far as it goes: kinds a front may send, from the generation it was started as.
 * Its texts are cleaned before they reach a log. Its exit is the last word: what stands unread on the link is read first,
 * so that a reason that was given is never lost to the order of events.
 */
#include "emperor/vassals/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "emperor/options.h"
#include "emperor/vassals/environment.h"
#include "emperor/vassals/logfile.h"
#include "emperor/vassals/spawn.h"
#include "shared/clock.h"
#include "shared/err.h"
#include "shared/fd.h"
#include "shared/handoff.h"
#include "shared/log.h"
#include "shared/scoreboard.h"
#include "shared/utf8.h"

#define MESSAGES_PER_TURN 32 /* a front that chatters does not hold the loop */
#define MESSAGES_PER_S \
	64 /* ... nor fills the log: one that means well has a few to say in its life */
#define HEIR_SNDBUF \
	(256 *      \
	 1024) /* the kernel doubles it: some 600 idle connections on their way, the rest follows */

/* Order of the descriptors from HANDOFF_FD on; the log and the listeners follow. */
enum { AT_CONFIG, AT_LINK, AT_BOARD, AT_GATE, AT_EPOCH, AT_REST };

struct parcel { /* what a front is given */
	struct handoff handoff;
	int fds[SPAWN_FDS]; /* borrowed, but for fds[AT_CONFIG] */
	size_t n;
};

_Static_assert(AT_REST + 1 + LIMIT_LISTENERS <= SPAWN_FDS, "a parcel holds every descriptor");

static int32_t put(struct parcel *p, int fd)
{
	p->fds[p->n] = fd;
	return (int32_t)(HANDOFF_FD + p->n++);
}

static void pack_descriptors(struct parcel *p, const struct app *a, const struct door_set *doors,
			     int gate_fd, int link_fd, int log_fd)
{
	struct handoff *h = &p->handoff;

	(void)put(p, -1); /* AT_CONFIG: made last, for it names all the others */
	h->link_fd = put(p, link_fd);
	h->scoreboard_fd = put(p, a->board_fd);
	h->gate_fd = put(p, gate_fd);
	h->routes_epoch_fd = put(p, a->v->epoch_ro_fd);
	h->log_fd = log_fd >= 0 ? put(p, log_fd) : -1;
	h->n_listeners = (uint32_t)doors->listeners_n;
	for (size_t i = 0; i < LIMIT_LISTENERS; i++)
		h->listener_fds[i] = i < doors->listeners_n ? put(p, doors->listeners[i]) : -1;
}

static int pack_config(struct parcel *p, struct generation *g, struct err *err)
{
	_cleanup_(freep) char *blob = NULL;
	size_t n;
	int r = config_items_encode(&g->loaded->items, &g->config, &g->config_n, err);

	if (r < 0)
		return r;
	n = g->config_n;
	if (n > LIMIT_CONFIG_BLOB)
		return err_set(err, -EFBIG, "configuration of %zu bytes: too large", n);
	blob = malloc(sizeof(p->handoff) + n);
	if (!blob)
		return err_set(err, -ENOMEM, "out of memory");
	p->handoff.config_n = (uint32_t)n;
	memcpy(blob, &p->handoff, sizeof(p->handoff));
	memcpy(blob + sizeof(p->handoff), g->config, n);
	r = fd_sealed_memfd(&p->fds[AT_CONFIG], "emperor-handoff", blob, sizeof(p->handoff) + n);
	return r < 0 ? err_set(err, r, "memfd: %s", strerror(-r)) : 0;
}

static void put_limits(struct spawn *s, const struct vassal_config *c)
{
	if (c->max_fd > 0)
		s->limits[s->limits_n++] = (struct spawn_limit){RLIMIT_NOFILE, c->max_fd};
	if (c->limit_nproc > 0)
		s->limits[s->limits_n++] = (struct spawn_limit){RLIMIT_NPROC, c->limit_nproc};
	if (c->limit_as_bytes > 0)
		s->limits[s->limits_n++] = (struct spawn_limit){RLIMIT_AS, c->limit_as_bytes};
	/* the right to be in a hurry, for its engine to use: the front itself stays as we are */
	if (c->prio < 0)
		s->limits[s->limits_n++] =
			(struct spawn_limit){RLIMIT_NICE, (rlim_t)(20 - c->prio)};
}

/* log_fd: its stderr; -1: ours. */
static int spawn_front(struct generation *g, const struct parcel *p, int log_fd, struct err *err)
{
	struct app *a = g->app;
	const struct vassal_config *c = &g->loaded->config;
	char program[] = "vassal";
	char *argv[] = {program, a->name, NULL};
	_cleanup_(freep) char **env =
		environment_make(a->v->setup.rules->environ_now, g->loaded->privs.uid,
				 HANDOFF_ENV "=" HANDOFF_VERSION);
	_cleanup_(freep) char *home = strdup(a->file);
	_cleanup_(fd_closep) int group_fd = -1;
	int r;
	char *slash = home ? strrchr(home, '/') : NULL;
	struct spawn s = {
		.path = a->v->setup.vassal_path,
		.argv = argv,
		.envp = env,
		.fds = p->fds,
		.fds_n = p->n,
		.privs = &g->loaded->privs,
		.no_new_privs = c->no_new_privs,
		.stderr_fd = log_fd > 0 ? log_fd : 0,
		.keep_hard = !g->loaded->roots,
		.umask = c->umask,
		.chdir = c->chdir && *c->chdir ? c->chdir : NULL,
	};

	if (!env || !home)
		return err_set(err, -ENOMEM, "out of memory");
	if (slash)
		slash[slash == home ? 1 : 0] = '\0';
	s.home_dir = home;
	put_limits(&s, c);
	r = machine_enter(a, g->loaded, &group_fd, err);
	if (r < 0)
		return r;
	s.group_fd = group_fd >= 0 ? group_fd : 0;
	return spawn_start(&s, &g->pid, &g->outcome_fd, err);
}

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

static void set_timer(struct generation *g, double seconds)
{
	struct ev_loop *loop = g->app->v->setup.loop;

	ev_timer_stop(loop, &g->timer);
	ev_timer_set(&g->timer, seconds, 0);
	ev_timer_start(loop, &g->timer);
}

static void take(struct generation *g, struct msg *m)
{
	struct app *a = g->app;

	if (m->generation != g->number) {
		log_warning("%s: \"%s\" from a front that takes itself for generation %" PRIu64
			    ", it is %" PRIu64 ": ignored",
			    a->name, msg_kind_name((enum msg_kind)m->kind), m->generation,
			    g->number);
		return;
	}
	/* From a less trusted process: one terminal must not obey what another wrote. */
	utf8_clean(m->text, "\n\t");
	switch (m->kind) {
	case MSG_HELLO:
		log_debug("%s: generation %" PRIu64 " says hello (pid %d)", a->name, g->number,
			  (int)g->pid);
		break;
	case MSG_READY:
		if (g->part == PART_CANDIDATE)
			app_generation_ready(g, m->a, m->b);
		break;
	case MSG_FAILED:
		app_generation_failed(g, (enum fail_phase)MIN(m->a, (uint64_t)FAIL_PHASE_COUNT),
				      m->text);
		break;
	case MSG_DRAINED:
		log_debug("%s: generation %" PRIu64 " has drained", a->name, g->number);
		if (g->part == PART_LEAVING)
			set_timer(g, VASSALS_LEAVE_S);
		break;
	case MSG_IDLE:
		app_generation_idle(g, m->a);
		break;
	case MSG_ASLEEP:
		app_generation_asleep(g, m->a);
		break;
	case MSG_STATE:
		if (m->a == FRONT_DRAINING && g->part == PART_LEAVING && !g->drains) {
			g->drains = true;
			tell_change(a, EVENT_NONE, NULL);
		}
		if (m->text_n > 0)
			log_info("%s: %s", a->name, m->text);
		break;
	case MSG_WANT_RELOAD:
		if (g->part == PART_SERVING)
			want_reload(a, *m->text ? m->text : "its front asks for it");
		break;
	case MSG_DONE:
		limits_answered(g, m->b, m->text);
		break;
	default:
		log_warning("%s: its front sent \"%s\", which is the emperor's to say: ignored",
			    a->name, msg_kind_name((enum msg_kind)m->kind));
	}
}

/* False once nothing more can come. */
static bool read_link(struct generation *g)
{
	for (unsigned i = 0; i < MESSAGES_PER_TURN; i++) {
		struct err err = {0};
		struct msg m;
		int fd;
		int r = msg_recv(g->link_fd, &m, &fd, &err);

		if (r == -EAGAIN)
			return true;
		if (r == -EBADMSG) {
			g->said++;
			log_warning("%s: from its front: %s", g->app->name, err.text);
			continue;
		}
		if (r <= 0)
			return false;
		if (fd >= 0)
			(void)close(fd);
		g->said++;
		take(g, &m);
	}
	return true;
}

static void on_pause_over(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct generation *g = container_of(timer, struct generation, pause);

	(void)revents;
	g->said = 0;
	ev_io_start(loop, &g->link_io);
}

/* What it has to say waits in the socket, and then with itself. */
static void bound_chatter(struct generation *g)
{
	struct ev_loop *loop = g->app->v->setup.loop;
	uint64_t now = clock_now_ns();

	if (now - g->said_ns >= NS_PER_S) {
		g->said_ns = now;
		g->said = 0;
	}
	if (g->said < MESSAGES_PER_S)
		return;
	if (!g->chatters)
		log_warning("%s: its front says more than %d things a second: from now on it is "
			    "heard once a second",
			    g->app->name, MESSAGES_PER_S);
	g->chatters = true;
	ev_io_stop(loop, &g->link_io);
	ev_timer_set(&g->pause, 1.0, 0);
	ev_timer_start(loop, &g->pause);
}

static void on_link(struct ev_loop *loop, ev_io *io, int revents)
{
	struct generation *g = container_of(io, struct generation, link_io);

	(void)revents;
	if (read_link(g)) {
		bound_chatter(g);
		return;
	}
	/* It is exiting, or it can no longer be told anything: then it must not live on beside its successor. */
	ev_io_stop(loop, io);
	set_timer(g, VASSALS_LEAVE_S);
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
		(void)read_link(g);
	stop_watching(g);
	describe_exit(status, how, sizeof(how));
	g->pid = 0;
	logpipe_close(&g->log); /* its last words before ours about it */
	app_generation_exited(g, how);
}

static void watch(struct generation *g)
{
	struct ev_loop *loop = g->app->v->setup.loop;

	ev_io_init(&g->link_io, on_link, g->link_fd, EV_READ);
	ev_io_init(&g->outcome_io, on_outcome, g->outcome_fd, EV_READ);
	ev_init(&g->timer, on_timer);
	ev_init(&g->pause, on_pause_over);
	ev_io_start(loop, &g->link_io);
	ev_io_start(loop, &g->outcome_io);
	exits_watch(&g->exits, loop, g->pid, on_exit_of);
	set_timer(g, g->loaded->config.startup_timeout_s);
}

static int start(struct generation *g, const struct door_set *doors, int log_fd, struct err *err)
{
	_cleanup_(fd_closep) int ours = -1;
	_cleanup_(fd_closep) int theirs = -1;
	_cleanup_(fd_closep) int stderr_fd = -1;
	struct parcel p = {
		.handoff = {.magic = HANDOFF_MAGIC,
			    .size = sizeof(struct handoff),
			    .generation = g->number,
			    .bank = g->bank},
	};
	int gate_fd;
	int fds[2];
	int r = fd_seqpacket_pair(fds, true);

	if (r < 0)
		return err_set(err, r, "link: %s", strerror(-r));
	ours = fds[0];
	theirs = fds[1];
	gate_fd = doors_front_end(&g->app->doors, err);
	if (gate_fd < 0)
		return gate_fd;
	memcpy(p.handoff.name, g->app->name, sizeof(p.handoff.name));
	pack_descriptors(&p, g->app, doors, gate_fd, theirs, log_fd);
	r = pack_config(&p, g, err);
	if (r < 0)
		return r;
	if (g->app->v->setup.rules->options && g->app->v->setup.rules->options->logto)
		r = logpipe_open(&g->log, g->app->v->setup.loop, &stderr_fd, err);
	if (r == 0)
		r = spawn_front(g, &p, stderr_fd, err);
	(void)close(p.fds[AT_CONFIG]);
	if (r < 0)
		return r;
	g->link_fd = TAKE_FD(ours);
	g->spawned_ns = clock_now_ns();
	(void)exits_identify(g->pid, &g->is);
	/* It may not have become its user yet. */
	if (g->loaded->privs.uid != (uid_t)-1)
		g->is.uid = g->loaded->privs.uid;
	return 0;
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
		r = start(g, doors, log_fd, err);
	if (r < 0) {
		generation_free(g);
		return r;
	}
	a->last_bank = g->bank;
	watch(g);
	*ret = g;
	return 0;
}

/*
 * A front that cannot be spoken to, because its emperor was of another build or took the link with it, knows one word: it
 * drains on TERM, as long as its graceful timeout says.
 */
static int tell_by_signal(const struct generation *g, enum msg_kind kind, uint64_t value)
{
	bool ends = kind == MSG_STOP || kind == MSG_RETIRE;

	if (ends)
		exits_signal(&g->exits, kind == MSG_STOP && value == 0 ? SIGKILL : SIGTERM);
	return ends ? 0 : -ENOTCONN;
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
		.passed = true, /* whatever it was compared with, nobody knows any more */
	};
	g->loaded = loaded_ref(l);
	g->ini = ini_ref(ini);
	ev_init(&g->timer, on_timer);
	ev_init(&g->pause, on_pause_over);
	ev_init(&g->outcome_io, on_outcome);
	ev_io_init(&g->link_io, on_link, g->link_fd, EV_READ);
	if (g->link_fd >= 0)
		ev_io_start(loop, &g->link_io);
	if (past->log_fd >= 0)
		logpipe_adopt(&g->log, loop, past->log_fd);
	exits_adopt(&g->exits, loop, g->pid, past->pidfd, on_exit_of);
	*ret = g;
	return 0;
}

static int tell_both(const struct generation *g, enum msg_kind kind, uint64_t value, uint64_t b,
		     int fd)
{
	struct msg m = {
		.kind = (uint16_t)kind,
		.bank = g->bank,
		.generation = g->number,
		.a = value,
		.b = b,
	};
	int r = g->link_fd < 0 ? tell_by_signal(g, kind, value)
			       : msg_send(g->link_fd, &m, NULL, fd);

	/* Gone already: its exit says all there is to say. */
	if (r < 0 && r != -EPIPE && r != -ECONNRESET)
		log_warning("%s: generation %" PRIu64 " cannot be told to %s: %s", g->app->name,
			    g->number, msg_kind_name(kind), strerror(-r));
	return r;
}

static int tell(const struct generation *g, enum msg_kind kind, uint64_t value, int fd)
{
	return tell_both(g, kind, value, kind == MSG_STOP && g->app->v->shutting_down, fd);
}

int generation_ask(struct generation *g, enum msg_kind kind, uint64_t value, int fd)
{
	int r = tell_both(g, kind, value, g->serials + 1, fd);

	if (r == 0)
		g->serial = ++g->serials;
	return r;
}

int generation_serve(struct generation *g)
{
	ev_timer_stop(g->app->v->setup.loop, &g->timer);
	g->serving_ns = clock_now_ns();
	g->serving_wall_ns = clock_wall_ns();
	/* Whoever comes after us must never take one that serves for one that only starts. */
	persist_now(g->app);
	return tell(g, MSG_SERVE, 0, -1);
}

void generation_serve_on(const struct generation *g)
{
	(void)tell(g, MSG_SERVE, 0, -1);
}

void generation_retire(struct generation *old)
{
	unsigned grace_s = old->loaded->config.graceful_timeout_s;

	old->part = PART_LEAVING;
	if (tell(old, MSG_RETIRE, grace_s, -1) < 0)
		generation_kill(old);
	set_timer(old, grace_s + VASSALS_LEAVE_S);
}

void generation_replace(struct generation *g, struct generation *old)
{
	unsigned grace_s = old->loaded->config.graceful_timeout_s;
	const int size = HEIR_SNDBUF;
	int fds[2];
	int r = fd_seqpacket_pair(fds, true);

	if (r < 0) {
		/* Its idle connections end with it; nothing else is lost. */
		log_warning("%s: no pair for idle connections: %s", g->app->name, strerror(-r));
		r = tell(old, MSG_RETIRE, grace_s, -1);
	} else {
		/* More than the system allows is cut to what it allows. */
		(void)setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		r = tell(g, MSG_ADOPT, 0, fds[0]);
		r = tell(old, MSG_RETIRE, grace_s, r == 0 ? fds[1] : -1);
		(void)close(fds[0]);
		(void)close(fds[1]);
	}
	if (r < 0)
		generation_kill(old);
	set_timer(old, grace_s + VASSALS_LEAVE_S);
}

void generation_end(struct generation *g, unsigned grace_s)
{
	if (tell(g, MSG_STOP, grace_s, -1) < 0)
		generation_kill(g);
	set_timer(g, grace_s + VASSALS_LEAVE_S);
}

void generation_let_sleep(struct generation *g)
{
	g->may_leave = tell(g, MSG_SLEEP, 0, -1) == 0;
}

void generation_renew_worker(struct generation *g, unsigned worker)
{
	(void)tell(g, MSG_RENEW, worker, -1);
}

void generation_leave(struct generation *g)
{
	g->part = PART_LEAVING;
	set_timer(g, g->loaded->config.graceful_timeout_s + VASSALS_LEAVE_S);
}

void generation_kill(const struct generation *g)
{
	/* pid is only ever reset when it has been reaped: it cannot be another process yet. */
	if (g->pid > 0)
		exits_signal(&g->exits, SIGKILL);
}

int generation_unfuse(const struct generation *g, struct err *err)
{
	int r = tell(g, MSG_UNFUSE, 0, -1);

	return r < 0 ? err_set(err, r, "%s: its front cannot be told: %s", g->app->name,
			       strerror(-r))
		     : 0;
}

int generation_reopen(const struct generation *g, struct err *err)
{
	_cleanup_(fd_closep) int fd = -1;
	int r = logfile_open(g->loaded, &fd, err);

	if (r < 0)
		return r;
	r = tell(g, MSG_REOPEN, 0, fd);
	return r < 0 ? err_set(err, r, "%s: its front cannot be told: %s", g->app->name,
			       strerror(-r))
		     : 0;
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
	loaded_unref(g->loaded);
	ini_unref(g->ini);
	free(g);
}

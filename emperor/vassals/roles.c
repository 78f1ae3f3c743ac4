/*
 * roles - see roles.h.
 *
 * A role runs /proc/self/exe: the very program that runs here, even if a package upgrade has replaced it on disk and
 * even if the role's user cannot reach its directory. So both ends of the link always speak one version.
 *
 * Here: their processes. What they are told, and whether they answer, is roles_link.c's; who has died, roles_deaths.c's.
 */
#include "emperor/vassals/roles_inner.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "emperor/vassals/environment.h"
#include "emperor/vassals/spawn.h"
#include "shared/err.h"
#include "shared/fd.h"
#include "shared/log.h"
#include "shared/privs.h"

/* Some 1,000 statements: a start with 100 apps passes without queueing. */
#define LINK_BYTES (512 * 1024)

const struct role_facts role_facts[ROLE_ID_COUNT] = {
	[ROLE_ID_GATE] = {"gate", "--role=gate", "emperor: gate", GATE_STOP, ROLES_NEEDED_WAIT_S},
	[ROLE_ID_STATS] = {"stats", "--role=stats", "emperor: stats", STATS_STOP,
			   ROLES_HISTORY_WAIT_S},
	[ROLE_ID_KEEPER] = {"keeper", "--role=keeper", "emperor: keeper", KEEPER_STOP,
			    ROLES_NEEDED_WAIT_S},
};

static void on_outcome(struct ev_loop *loop, ev_io *io, int revents)
{
	struct role *role = container_of(io, struct role, outcome_io);
	struct err err = {0};
	int r = spawn_outcome(role->outcome_fd, &err);

	(void)revents;
	if (r == -EAGAIN)
		return;
	if (r < 0)
		log_error("%s: %s", role_facts[role->id].name, err.text);
	ev_io_stop(loop, io);
	(void)close(TAKE_FD(role->outcome_fd));
}

/* ran: it was there, for a while; a start that failed is a failure however long ago the one before was. */
static void try_again(struct role *role, bool ran)
{
	uint64_t now = clock_now_ns();
	uint32_t random = 0;
	uint64_t at;

	(void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
	if (ran && backoff_ran(&role->backoff, role->started_ns, now))
		at = now;
	else
		at = backoff_failed(&role->backoff, now, random);
	role->timer.repeat = 0;
	ev_timer_set(&role->timer, (double)(at - now) / 1e9, 0);
	ev_timer_start(role->roles->setup.loop, &role->timer);
	if (at > now)
		log_info("%s: next try in %.1f s", role_facts[role->id].name,
			 (double)(at - now) / 1e9);
}

static void note_how_it_ended(struct role *role, int status)
{
	char how[sizeof(role->died.how)];

	if (status == EXITS_UNKNOWN)
		(void)snprintf(how, sizeof(how), "has ended");
	else if (WIFSIGNALED(status))
		(void)snprintf(how, sizeof(how), "killed by signal %d (%s)", WTERMSIG(status),
			       strsignal(WTERMSIG(status)));
	else
		(void)snprintf(how, sizeof(how), "exited with %d", WEXITSTATUS(status));
	role_note_death(role, how);
}

static void on_exit_of(struct exits *x, int status)
{
	struct role *role = container_of(x, struct role, exits);
	struct ev_loop *loop = role->roles->setup.loop;

	if (role->outcome_fd >= 0)
		on_outcome(loop, &role->outcome_io, 0);
	ev_timer_stop(loop, &role->timer);
	role->pid = 0;
	role_link_close(role);
	if (role->stopping) {
		role->roles->setup.gone(role->roles->setup.arg, role->id);
		return;
	}
	note_how_it_ended(role, status);
	try_again(role, true);
}

static int identity(const struct role *role, struct privs *ret, struct err *err)
{
	const char *user = role->roles->setup.users[role->id];

	/* What the keeper holds is the emperor's own. */
	if (geteuid() != 0 || role->id == ROLE_ID_KEEPER) {
		*ret = (struct privs){.uid = (uid_t)-1, .gid = (gid_t)-1};
		return 0;
	}
	return privs_lookup(user ? user : "nobody", NULL, NULL, 0, ret, err);
}

static int spawn(struct role *role, int theirs, struct err *err)
{
	char title[32];
	char *argv[] = {title, (char *)(uintptr_t)role_facts[role->id].arg, NULL};
	_cleanup_(freep) char **env = NULL;
	struct privs privs;
	struct spawn s = {
		.path = "/proc/self/exe",
		.argv = argv,
		.fds = &theirs,
		.fds_n = 1,
		.privs = &privs,
		.no_new_privs = true,
		.umask = (mode_t)-1,
		.home_dir = "/",
	};
	int r = identity(role, &privs, err);

	if (r < 0)
		return r;
	env = environment_make(role->roles->setup.environ_now, privs.uid, NULL);
	if (!env)
		return err_set(err, -ENOMEM, "out of memory");
	s.envp = env;
	(void)snprintf(title, sizeof(title), "%s", role_facts[role->id].title);
	return spawn_start(&s, &role->pid, &role->outcome_fd, err);
}

static int start(struct role *role, struct err *err)
{
	struct ev_loop *loop = role->roles->setup.loop;
	_cleanup_(fd_closep) int ours = -1;
	_cleanup_(fd_closep) int theirs = -1;
	int bytes = LINK_BYTES;
	int fds[2];
	int r = fd_seqpacket_pair(fds, true);

	if (r < 0)
		return err_set(err, r, "socketpair: %s", strerror(-r));
	ours = fds[0];
	theirs = fds[1];
	if (setsockopt(ours, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) < 0)
		(void)setsockopt(ours, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	r = spawn(role, theirs, err);
	if (r < 0)
		return r;
	role->link_fd = TAKE_FD(ours);
	exits_watch(&role->exits, loop, role->pid, on_exit_of);
	role_link_watch(role);
	ev_io_set(&role->outcome_io, role->outcome_fd, EV_READ);
	ev_io_start(loop, &role->outcome_io);
	return 0;
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct role *role = container_of(timer, struct role, timer);
	struct err err = {0};

	(void)revents;
	ev_timer_stop(loop, timer);
	if (role->stopping) {
		log_warning("%s: did not finish in %d s: killed", role_facts[role->id].name,
			    ROLES_STOP_S);
		exits_signal(&role->exits, SIGKILL);
		return;
	}
	if (role->pid == 0 && start(role, &err) < 0) {
		log_error("%s: cannot be started: %s", role_facts[role->id].name, err.text);
		try_again(role, false);
		return;
	}
	role->roles->setup.fresh(role->roles->setup.arg, role->id);
}

int roles_new(struct roles **ret_roles, const struct roles_setup *setup, struct err *err)
{
	struct roles *r = calloc(1, sizeof(*r));

	if (!r)
		return err_set(err, -ENOMEM, "roles: out of memory");
	r->setup = *setup;
	for (unsigned i = 0; i < ROLE_ID_COUNT; i++) {
		struct role *role = &r->role[i];

		role->roles = r;
		role->id = (enum role_id)i;
		role->outcome_fd = -1;
		role->backoff.max_ns = role_facts[i].wait_max_s * NS_PER_S;
		role_link_init(role);
		ev_init(&role->outcome_io, on_outcome);
		ev_init(&role->timer, on_timer);
	}
	*ret_roles = r;
	return 0;
}

int roles_adopt(struct roles *r, enum role_id id, pid_t pid, const struct exits_identity *is,
		int link_fd, struct err *err)
{
	struct role *role = &r->role[id];
	_cleanup_(fd_closep) int link = link_fd;
	int pidfd = exits_open(pid, is);

	if (pidfd == -ESRCH) {
		role_note_death(role, "ended while there was no emperor");
		return err_set(err, -ESRCH, "%s: another one follows", role_facts[id].name);
	}
	(void)fd_set_nonblock(link, true);
	role->pid = pid;
	role->ready = true;
	role->link_fd = TAKE_FD(link);
	exits_adopt(&role->exits, r->setup.loop, pid, is, pidfd, on_exit_of);
	role_link_watch(role);
	return 0;
}

void roles_start(struct roles *r)
{
	for (unsigned i = 0; i < ROLE_ID_COUNT; i++) {
		ev_timer_set(&r->role[i].timer, 0, 0);
		ev_timer_start(r->setup.loop, &r->role[i].timer);
	}
}

bool roles_ready(const struct roles *r)
{
	for (unsigned i = 0; i < ROLE_ID_COUNT; i++)
		if (!r->role[i].ready)
			return false;
	return true;
}

void roles_stop(struct roles *r, enum role_id id)
{
	struct role *role = &r->role[id];
	struct role_msg m = {.kind = role_facts[id].stop_kind, .a = 1};

	role->stopping = true;
	ev_timer_stop(r->setup.loop, &role->timer);
	if (role->pid == 0) {
		r->setup.gone(r->setup.arg, id);
		return;
	}
	roles_tell(r, id, &m, NULL, NULL, 0);
	ev_timer_set(&role->timer, ROLES_STOP_S, 0);
	ev_timer_start(r->setup.loop, &role->timer);
}

void roles_kill_all(struct roles *r)
{
	for (unsigned i = 0; i < ROLE_ID_COUNT; i++) {
		r->role[i].stopping = true;
		ev_timer_stop(r->setup.loop, &r->role[i].timer);
		exits_signal(&r->role[i].exits, SIGKILL);
	}
}

int roles_link(const struct roles *r, enum role_id id)
{
	return r->role[id].link_fd;
}

uint16_t roles_stop_kind(enum role_id id)
{
	return role_facts[id].stop_kind;
}

pid_t roles_pid(const struct roles *r, enum role_id id)
{
	return r->role[id].pid;
}

bool roles_alive(const struct roles *r)
{
	for (unsigned i = 0; i < ROLE_ID_COUNT; i++)
		if (r->role[i].pid > 0)
			return true;
	return false;
}

void roles_free(struct roles *r)
{
	if (!r)
		return;
	for (unsigned i = 0; i < ROLE_ID_COUNT; i++) {
		ev_timer_stop(r->setup.loop, &r->role[i].timer);
		exits_stop(&r->role[i].exits);
		role_link_close(&r->role[i]);
	}
	free(r);
}

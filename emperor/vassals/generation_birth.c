/*
 * generation_birth - what a front is given, and its process.
 *
 * One sealed memfd holds the handoff, which names every other descriptor, and the configuration. Our end of the link and of
 * the spawn's outcome are the generation's from then on; all else was borrowed from the app.
 */
#include "emperor/vassals/machine.h"

#include <errno.h>
#include <sys/resource.h>

#include "emperor/options.h"
#include "emperor/vassals/environment.h"
#include "emperor/vassals/spawn.h"
#include "shared/clock.h"
#include "shared/err.h"
#include "shared/fd.h"
#include "shared/handoff.h"

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

/* "EMPEROR_INI=/etc/...", or NULL. */
static char *name_ini(const char *file)
{
	char *text;

	return asprintf(&text, HANDOFF_INI_ENV "=%s", file) < 0 ? NULL : text;
}

/* log_fd: its stderr; -1: ours. */
static int spawn_front(struct generation *g, const struct parcel *p, int log_fd, struct err *err)
{
	struct app *a = g->app;
	const struct vassal_config *c = &g->loaded->config;
	char program[] = "vassal";
	char *argv[] = {program, a->name, NULL};
	_cleanup_(freep) char *ini = name_ini(a->file);
	const char *const extra[] = {HANDOFF_ENV "=" HANDOFF_VERSION, ini, NULL};
	_cleanup_(freep) char **env =
		environment_make(a->v->setup.rules->environ_now, g->loaded->privs.uid, extra);
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

	if (!ini || !env || !home)
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

int generation_birth(struct generation *g, const struct door_set *doors, int log_fd,
		     struct err *err)
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

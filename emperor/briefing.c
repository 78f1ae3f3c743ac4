/*
 * briefing - see briefing.h. Everything between ROLE_BEGIN and ROLE_END, so that what a role knows from before and hears
 * no more is forgotten there.
 */
#include "emperor/briefing.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "emperor/emperor.h"
#include "emperor/vassals/exits.h"
#include "emperor/vassals/vassals.h"
#include "shared/clock.h"
#include "shared/err.h"
#include "shared/log.h"
#include "shared/scoreboard.h"

static const char *const names[ROLE_ID_COUNT] = {
	[ROLE_ID_GATE] = "gate",
	[ROLE_ID_STATS] = "stats",
	[ROLE_ID_KEEPER] = "keeper",
};

const char *briefing_role_name(enum role_id id)
{
	return names[id];
}

void briefing_note_pid(const struct emperor *e, enum role_id id, pid_t pid)
{
	struct err err = {0};

	if (rundir_put_pid(&e->rundir, names[id], pid, &err) < 0)
		log_warning("%s", err.text);
}

static void tell_gate(struct emperor *e)
{
	const struct option_list *trusted = &e->options.trusted_proxies;
	struct role_msg trust = {.kind = GATE_TRUST};
	struct role_msg port = {.kind = GATE_PORT};
	char text[ROLE_TEXT] = "";
	size_t n = 0;

	/* they fit: see options.c */
	for (size_t i = 0; i < trusted->n && n < sizeof(text); i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", i > 0 ? " " : "",
				      trusted->v[i]);
	roles_tell(e->roles, ROLE_ID_GATE, &trust, text, NULL, 0);
	vassals_tell_role(e->vassals, ROLE_ID_GATE);
	/* Ports last: the first connection already finds its route. */
	for (size_t i = 0; i < e->ports_n; i++) {
		port.app = (uint32_t)i;
		roles_tell(e->roles, ROLE_ID_GATE, &port, e->options.http[i].text, &e->port_fds[i],
			   1);
	}
}

static void tell_event(struct emperor *e, const char *text, uint64_t wall_ns)
{
	const struct role_msg m = {.kind = STATS_EVENT, .a = EVENT_NOTE, .d = wall_ns};

	roles_tell(e->roles, ROLE_ID_STATS, &m, text, NULL, 0);
}

void briefing_birth(struct emperor *e, bool takes_over, unsigned running)
{
	char apps[64] = "has started";

	if (takes_over || running > 0)
		(void)snprintf(apps, sizeof(apps), "has taken over: %u app%s on", running,
			       running == 1 ? " runs" : "s run");
	(void)snprintf(e->birth, sizeof(e->birth), "emperor %s (pid %d) %s", EMPEROR_VERSION,
		       (int)getpid(), apps);
	e->birth_wall_ns = clock_wall_ns();
}

void briefing_end(struct emperor *e, const char *why)
{
	char text[160];

	(void)snprintf(text, sizeof(text), "emperor %s (pid %d) stops: %s", EMPEROR_VERSION,
		       (int)getpid(), why);
	tell_event(e, text, clock_wall_ns());
}

static void tell_stats(struct emperor *e)
{
	struct role_msg db = {.kind = STATS_DB, .a = (uint64_t)getpid()};
	struct role_msg listener = {.kind = STATS_LISTENER};

	roles_tell(e->roles, ROLE_ID_STATS, &db, e->options.db, NULL, 0);
	roles_tell(e->roles, ROLE_ID_STATS, &listener, "", &e->stats_fd, 1);
	if (e->extra_stats_fd >= 0)
		roles_tell(e->roles, ROLE_ID_STATS, &listener, "", &e->extra_stats_fd, 1);
	vassals_tell_role(e->vassals, ROLE_ID_STATS);
	if (e->birth[0])
		tell_event(e, e->birth, e->birth_wall_ns);
	e->birth[0] = '\0';
	roles_tell_deaths(e->roles);
}

static void keep(const struct emperor *e, const char *what, const char *name, int fd)
{
	const struct role_msg m = {.kind = KEEPER_KEEP};
	char text[KEPT_NAME_MAX];

	(void)snprintf(text, sizeof(text), "%s%s", what, name);
	roles_tell(e->roles, ROLE_ID_KEEPER, &m, text, &fd, 1);
}

int briefing_program(uint64_t *ret_device, uint64_t *ret_inode)
{
	struct stat st;

	if (stat("/proc/self/exe", &st) < 0)
		return -errno;
	*ret_device = st.st_dev;
	*ret_inode = st.st_ino;
	return 0;
}

void briefing_link(void *arg, enum role_id id, int fd)
{
	const struct emperor *e = arg;
	struct role_msg m = {.kind = fd >= 0 ? KEEPER_KEEP : KEEPER_DROP};
	struct exits_identity is = {0};
	char text[KEPT_NAME_MAX];

	if (fd >= 0 && exits_identify(roles_pid(e->roles, id), &is) < 0)
		return; /* it has ended already, as we are about to hear */
	m.a = (uint64_t)roles_pid(e->roles, id);
	m.b = is.start;
	(void)briefing_program(&m.c, &m.d);
	(void)snprintf(text, sizeof(text), KEPT_ROLE "%s", names[id]);
	roles_tell(e->roles, ROLE_ID_KEEPER, &m, text, &fd, fd >= 0 ? 1 : 0);
}

static void tell_keeper(struct emperor *e)
{
	const struct role_msg listener = {.kind = KEEPER_LISTENER};

	for (unsigned i = 0; i < ROLE_ID_COUNT; i++) {
		int fd = roles_link(e->roles, (enum role_id)i);

		if (i != ROLE_ID_KEEPER && fd >= 0)
			briefing_link(e, (enum role_id)i, fd);
	}
	for (size_t i = 0; i < e->ports_n; i++)
		keep(e, KEPT_PORT, e->options.http[i].text, e->port_fds[i]);
	keep(e, KEPT_STATS, e->stats_path, e->stats_fd);
	if (e->extra_stats_fd >= 0)
		keep(e, KEPT_STATS, e->options.stats, e->extra_stats_fd);
	vassals_keep_all(e->vassals);
	/* Last: who knocks finds everything. */
	if (e->keeper_fd < 0)
		return;
	keep(e, KEPT_KNOCK, "", e->keeper_fd);
	roles_tell(e->roles, ROLE_ID_KEEPER, &listener, NULL, &e->keeper_fd, 1);
}

void briefing_tell(void *arg, enum role_id id)
{
	static void (*const tell[ROLE_ID_COUNT])(struct emperor * e) = {
		[ROLE_ID_GATE] = tell_gate,
		[ROLE_ID_STATS] = tell_stats,
		[ROLE_ID_KEEPER] = tell_keeper,
	};
	const struct role_msg begin = {.kind = ROLE_BEGIN};
	const struct role_msg end = {.kind = ROLE_END};
	struct emperor *e = arg;

	briefing_note_pid(e, id, roles_pid(e->roles, id));
	roles_tell(e->roles, id, &begin, NULL, NULL, 0);
	tell[id](e);
	roles_tell(e->roles, id, &end, NULL, NULL, 0);
}

/*
 * tell - what the gate, the stats role and observers hear about an app. Statements of how things are, so saying one
 * twice does no harm and a role that was restarted is told all of them again.
 */
#include "emperor/vassals/internal.h"

#include "emperor/vassals/release.h"
#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/fd.h"
#include "shared/ini_mask.h"
#include "shared/log.h"
#include "shared/scoreboard.h"

#define RETRY_STOPPED_S 60 /* nobody knows when a person starts it again */
#define RETRY_SOON_S    2

static void to(const struct app *a, enum role_id id, const struct role_msg *m, const char *text,
	       const int *fds, int nfds)
{
	struct role_msg named = *m;

	named.app = a->id;
	/* One that has no door yet (descriptors are few) is nobody to them: see app_open(). */
	if (a->v->setup.roles && a->board_fd >= 0 && a->doors.gate_end >= 0)
		roles_tell(a->v->setup.roles, id, &named, text, fds, nfds);
}

static unsigned retry_after_s(const struct app *a)
{
	uint64_t now = clock_now_ns();

	if (a->state == APP_STOPPED || a->state == APP_STOPPING)
		return RETRY_STOPPED_S;
	if (a->state == APP_BACKOFF && a->restart.backoff.next_ns > now)
		return (unsigned)((a->restart.backoff.next_ns - now) / NS_PER_S) + RETRY_SOON_S;
	return RETRY_SOON_S;
}

/*
 * While an app starts, its clients wait at the door; where no generation can come soon, nobody waits: see restart.h.
 */
static bool is_absent(const struct app *a)
{
	switch (a->state) {
	case APP_STOPPED:
	case APP_STOPPING:
		return true;
	case APP_BACKOFF:
	case APP_STARTING:
		return restart_refuses(&a->restart);
	default:
		return false;
	}
}

static void tell_gate_state(const struct app *a)
{
	struct role_msg m = {
		.kind = GATE_STATE,
		.a = is_absent(a) ? GATE_DOWN : GATE_SERVING,
		.b = retry_after_s(a),
	};

	to(a, ROLE_ID_GATE, &m, a->reason ? a->reason : "", NULL, 0);
}

/* As which protocol the gate is to stand in at this door; -1: not at all. */
static int protocol_of(const struct loaded *l, const struct address *address)
{
	static const enum gate_protocol protocols[] = {
		[LISTENER_HTTP] = GATE_HTTP,       [LISTENER_UWSGI] = GATE_UWSGI,
		[LISTENER_FASTCGI] = GATE_FASTCGI, [LISTENER_SCGI] = GATE_SCGI,
		[LISTENER_ANY] = GATE_ANY,
	};

	for (size_t i = 0; l && i < l->config.listeners_n; i++)
		if (address_equal(&l->config.listeners[i].address, address))
			return (int)protocols[l->config.listeners[i].protocol];
	return -1;
}

/* The app's own listeners: lent while it is absent, taken back when it comes. Tells only what has changed. */
static void tell_gate_listeners(const struct app *a)
{
	bool absent = is_absent(a);

	for (size_t i = 0; i < a->doors.n; i++) {
		struct door *door = &a->doors.v[i];
		int lent = absent ? protocol_of(a->face, &door->address) : -1;
		struct role_msg m = {.kind = GATE_LISTENER_GONE, .b = door->number};

		if (lent == door->lent)
			continue;
		if (lent >= 0) {
			m.kind = GATE_LISTENER;
			m.a = (uint64_t)lent;
			m.c = retry_after_s(a);
		}
		door->lent = lent;
		to(a, ROLE_ID_GATE, &m, NULL, &door->fd, lent >= 0 ? 1 : 0);
	}
}

void tell_gate_of_move(const struct app *a)
{
	for (size_t i = 0; i < a->doors.n; i++) {
		struct door *door = &a->doors.v[i];
		const struct role_msg m = {.kind = GATE_LISTENER_GONE, .b = door->number};

		if (door->lent < 0)
			continue;
		door->lent = -1;
		to(a, ROLE_ID_GATE, &m, NULL, NULL, 0);
	}
}

void tell_gate(const struct app *a)
{
	tell_gate_state(a);
	tell_gate_listeners(a);
}

static void tell_stats_state(const struct app *a, const struct app_info *info)
{
	struct role_msg m = {
		.kind = STATS_STATE,
		.a = a->state,
		.b = info->generation,
		.c = (uint64_t)info->pid,
		.d = info->since_wall_ns,
		.e = (uint64_t)info->uid << 32 | a->restarts,
	};

	to(a, ROLE_ID_STATS, &m, a->reason ? a->reason : "", NULL, 0);
}

static void tell_gate_app(const struct app *a)
{
	struct role_msg m = {.kind = GATE_APP, .a = a->face ? a->face->uid : geteuid()};
	const int ends[2] = {a->doors.gate_end, a->doors.front_end};

	to(a, ROLE_ID_GATE, &m, a->name, ends, 2);
}

static void tell_stats_app(const struct app *a)
{
	struct role_msg m = {.kind = STATS_APP};

	to(a, ROLE_ID_STATS, &m, a->name, &a->board_ro_fd, 1);
}

void tell_app(const struct app *a)
{
	persist_mark(a);
	tell_gate_app(a);
	tell_stats_app(a);
}

void tell_stats_door(const struct app *a)
{
	struct role_msg m = {.kind = STATS_LISTENER};
	int fd = a->face ? doors_find(&a->doors, &a->face->stats) : -1;

	if (fd >= 0)
		to(a, ROLE_ID_STATS, &m, a->name, &fd, 1);
}

/* The role has no right to secrets, and the history is a file that others may read. */
void tell_ini(const struct app *a, uint64_t since_wall_ns)
{
	const struct generation *g = a->serving;
	_cleanup_(fd_closep) int fd = -1;
	struct buf shown = {0};
	struct role_msg m = {.kind = STATS_INI, .b = g->number, .d = since_wall_ns};
	struct span bytes;
	char release[PATH_MAX];
	int r;

	if (!a->v->setup.roles || !g->ini)
		return;
	r = ini_mask(span_of(g->ini->bytes, g->ini->n), LIMIT_INI_SHOWN, &shown);
	bytes = buf_span(&shown);
	m.a = fingerprint_digest(bytes.p, bytes.n);
	if (r == 0 && bytes.n > 0)
		r = fd_sealed_memfd(&fd, "emperor-ini", bytes.p, bytes.n);
	buf_done(&shown);
	release_path(span_of(g->config, g->config ? g->config_n : 0), release);
	if (fd >= 0)
		to(a, ROLE_ID_STATS, &m, release, &fd, 1);
	else if (r < 0)
		log_warning("%s: its ini is not in the history: %s", a->name, strerror(-r));
}

static void observe(const struct app *a, const struct app_info *info, bool gone,
		    unsigned event_kind, const char *text)
{
	for (size_t i = 0; i < a->v->observers_n; i++)
		a->v->observers[i].fn(a->v->observers[i].arg, info, gone, event_kind, text);
}

void tell_gone(const struct app *a)
{
	struct role_msg gate = {.kind = GATE_APP_GONE};
	struct role_msg stats = {.kind = STATS_APP_GONE};
	struct app_info info;

	app_fill_info(a, &info);
	to(a, ROLE_ID_GATE, &gate, NULL, NULL, 0);
	to(a, ROLE_ID_STATS, &stats, NULL, NULL, 0);
	observe(a, &info, true, 0, "");
}

/* Of a traceback the end says what happened: where there is no room for all, whole lines of its beginning are left out. */
static const char *fit(const char *text)
{
	size_t n = strlen(text);
	const char *newline;

	if (n < ROLE_TEXT)
		return text;
	newline = strchr(text + n - (ROLE_TEXT - 1), '\n');
	return newline && newline[1] ? newline + 1 : text;
}

void tell_change_of(const struct app *a, uint64_t number, unsigned event_kind, const char *text)
{
	struct app_info info;

	persist_mark(a);
	app_fill_info(a, &info);
	tell_gate(a);
	tell_stats_state(a, &info);
	if (event_kind != EVENT_NONE) {
		struct role_msg m = {
			.kind = STATS_EVENT,
			.a = event_kind,
			.b = number > 0 ? number : info.generation,
			.d = clock_wall_ns(),
		};

		to(a, ROLE_ID_STATS, &m, fit(text), NULL, 0);
	}
	observe(a, &info, false, event_kind, text);
}

void tell_change(const struct app *a, unsigned event_kind, const char *text)
{
	tell_change_of(a, 0, event_kind, text);
}

void tell_app_to(const struct app *a, enum role_id role)
{
	struct app_info info;

	if (role == ROLE_ID_GATE) {
		tell_gate_app(a);
		for (size_t i = 0; i < a->doors.n; i++)
			a->doors.v[i].lent = -1;
		tell_gate(a);
		return;
	}
	app_fill_info(a, &info);
	tell_stats_app(a);
	tell_stats_state(a, &info);
	tell_stats_door(a);
	if (a->serving)
		tell_ini(a, a->serving->serving_wall_ns);
}

/*
 * tell - what the gate, the stats role and observers hear about an app. Statements of how things are, so saying one
 * twice does no harm and a role that was restarted is told all of them again.
 */
#include "emperor/vassals/internal.h"

#include "shared/clock.h"
#include "shared/scoreboard.h"

#define RETRY_STOPPED_S 60 /* nobody knows when a person starts it again */
#define RETRY_SOON_S    2

static void to(const struct app *a, enum role_id id, const struct role_msg *m, const char *text,
	       const int *fds, int nfds)
{
	struct role_msg named = *m;

	named.app = a->id;
	if (a->v->setup.roles)
		roles_tell(a->v->setup.roles, id, &named, text, fds, nfds);
}

static unsigned retry_after_s(const struct app *a)
{
	uint64_t now = clock_now_ns();

	if (a->state == APP_STOPPED || a->state == APP_STOPPING)
		return RETRY_STOPPED_S;
	if (a->state == APP_BACKOFF && a->backoff.next_ns > now)
		return (unsigned)((a->backoff.next_ns - now) / NS_PER_S) + RETRY_SOON_S;
	return RETRY_SOON_S;
}

/* While an app starts, its clients wait at the door; where no generation can come soon, nobody waits. */
static enum gate_state gate_state_of(const struct app *a)
{
	switch (a->state) {
	case APP_STOPPED:
	case APP_STOPPING:
	case APP_BACKOFF:
		return GATE_DOWN;
	default:
		return GATE_SERVING;
	}
}

static void tell_gate_state(const struct app *a)
{
	struct role_msg m = {
		.kind = GATE_STATE,
		.a = gate_state_of(a),
		.b = retry_after_s(a),
	};

	to(a, ROLE_ID_GATE, &m, a->reason ? a->reason : "", NULL, 0);
}

static void tell_stats_state(const struct app *a, const struct app_info *info)
{
	struct role_msg m = {
		.kind = STATS_STATE,
		.a = a->state,
		.b = info->generation,
		.c = (uint64_t)info->pid,
		.d = a->since_wall_ns,
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
	tell_gate_app(a);
	tell_stats_app(a);
}

void tell_stats_door(const struct app *a, const struct door_set *set)
{
	struct role_msg m = {.kind = STATS_LISTENER};

	if (set->stats >= 0)
		to(a, ROLE_ID_STATS, &m, a->name, &set->stats, 1);
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

void tell_change(const struct app *a, unsigned event_kind, const char *text)
{
	struct app_info info;

	app_fill_info(a, &info);
	tell_gate_state(a);
	tell_stats_state(a, &info);
	if (event_kind != EVENT_NONE) {
		struct role_msg m = {
			.kind = STATS_EVENT,
			.a = event_kind,
			.b = info.generation,
			.d = clock_wall_ns(),
		};

		to(a, ROLE_ID_STATS, &m, text, NULL, 0);
	}
	observe(a, &info, false, event_kind, text);
}

void tell_app_to(const struct app *a, enum role_id role)
{
	struct app_info info;

	if (role == ROLE_ID_GATE) {
		tell_gate_app(a);
		tell_gate_state(a);
		return;
	}
	app_fill_info(a, &info);
	tell_stats_app(a);
	tell_stats_state(a, &info);
	if (a->face) {
		struct door_set set = {.stats = doors_find(&a->doors, &a->face->stats)};

		tell_stats_door(a, &set);
	}
}

/*
 * scoreboard_names - what the numbers on a board are called: the table of counters, and states and kinds in a word.
 */
#include "shared/scoreboard.h"

/* clang-format off */
#define FIELD(name, unit, text)		{ #name, unit, text, offsetof(struct board_totals, name) }
#define CLASS(n, name, text)		{ name, "", text, offsetof(struct board_totals, responses[n]) }

const struct board_field board_fields[] = {
	FIELD(connections,	"",	 "connections accepted or received from the gate"),
	FIELD(requests,		"",	 "requests answered, by whomever"),
	CLASS(0, "status_none",		 "requests for which no response could be sent"),
	CLASS(1, "status_1xx",		 "responses with a 1xx status"),
	CLASS(2, "status_2xx",		 "responses with a 2xx status"),
	CLASS(3, "status_3xx",		 "responses with a 3xx status"),
	CLASS(4, "status_4xx",		 "responses with a 4xx status"),
	CLASS(5, "status_5xx",		 "responses with a 5xx status"),
	FIELD(bad_requests,	"",	 "malformed requests that the front refused"),
	FIELD(rejected,		"",	 "503: queue full, or waited too long"),
	FIELD(read_timeouts,	"",	 "408: the request came too slowly"),
	FIELD(write_timeouts,	"",	 "answers cut because the client did not read them"),
	FIELD(queue_timeouts,	"",	 "503: waited longer than queue-timeout"),
	FIELD(crowded,		"",	 "connections closed at their limit, for new ones"),
	FIELD(idle_timeouts,	"",	 "connections closed because no request came"),
	FIELD(timeouts,		"",	 "504: ran longer than harakiri or interrupt-timeout allow"),
	FIELD(interrupts,	"",	 "of those, interrupted by an exception in the app"),
	FIELD(fused,		"",	 "503: the request had killed two workers"),
	FIELD(worker_deaths,	"",	 "502: the worker died while it held the request"),
	FIELD(exceptions,	"",	 "500: the app raised"),
	FIELD(client_gone,	"",	 "the client left before its answer"),
	FIELD(static_requests,	"",	 "answered from files"),
	FIELD(handed_back,	"",	 "connections returned to the gate"),
	FIELD(bytes_in,		"bytes", "received, heads included"),
	FIELD(bytes_out,	"bytes", "sent, heads included"),
	FIELD(queue_us,		"us",	 "time requests waited for a worker, summed"),
	FIELD(app_us,		"us",	 "time requests spent in the app, summed"),
	FIELD(spawned,		"",	 "workers started"),
	FIELD(recycled,		"",	 "workers replaced on purpose"),
	FIELD(killed,		"",	 "workers killed because they were stuck or too large"),
	FIELD(crashed,		"",	 "workers that died by themselves"),
	FIELD(log_dropped,	"",	 "log lines that found no room"),
};
/* clang-format on */
const size_t board_fields_n = ARRAY_SIZE(board_fields);

static const char *name_of(const char *const *names, size_t n, unsigned i)
{
	return i < n && names[i] ? names[i] : "?";
}

const char *board_front_state_name(unsigned state)
{
	static const char *const names[FRONT_STATE_COUNT] = {
		[FRONT_NONE] = "none",       [FRONT_STARTING] = "starting", [FRONT_READY] = "ready",
		[FRONT_SERVING] = "serving", [FRONT_DRAINING] = "draining", [FRONT_GONE] = "gone",
	};

	return name_of(names, ARRAY_SIZE(names), state);
}

const char *board_worker_state_name(unsigned state)
{
	static const char *const names[WORKER_STATE_COUNT] = {
		[WORKER_NONE] = "none", [WORKER_STARTING] = "starting", [WORKER_IDLE] = "idle",
		[WORKER_BUSY] = "busy", [WORKER_RETIRING] = "retiring", [WORKER_DEAD] = "dead",
	};

	return name_of(names, ARRAY_SIZE(names), state);
}

const char *board_task_kind_name(unsigned kind)
{
	return kind == BOARD_TASK_CRON ? "cron" : "daemon";
}

const char *board_task_state_name(unsigned state)
{
	static const char *const names[TASK_STATE_COUNT] = {
		[TASK_NONE] = "none",       [TASK_WAITING] = "waiting",
		[TASK_QUEUED] = "queued",   [TASK_RUNNING] = "running",
		[TASK_BACKOFF] = "backoff", [TASK_STOPPING] = "stopping",
		[TASK_BROKEN] = "broken",   [TASK_STOPPED] = "stopped",
	};

	return name_of(names, ARRAY_SIZE(names), state);
}

const char *board_event_name(unsigned kind)
{
	static const char *const names[EVENT_KIND_COUNT] = {
		[EVENT_NONE] = "none",
		[EVENT_STARTED] = "started",
		[EVENT_RELOADED] = "reloaded",
		[EVENT_FAILED] = "failed",
		[EVENT_STOPPED] = "stopped",
		[EVENT_BACKOFF] = "backoff",
		[EVENT_ASLEEP] = "asleep",
		[EVENT_WOKEN] = "woken",
		[EVENT_BUDGET] = "budget",
		[EVENT_TASK] = "task",
		[EVENT_WORKER_SPAWNED] = "spawned",
		[EVENT_WORKER_RECYCLED] = "recycled",
		[EVENT_WORKER_KILLED] = "killed",
		[EVENT_WORKER_CRASHED] = "crashed",
		[EVENT_HARAKIRI] = "harakiri",
		[EVENT_NOTE] = "note",
		[EVENT_FUSED] = "fused",
		[EVENT_LIMITS] = "limits",
		[EVENT_REFUSED] = "refused",
		[EVENT_ROLLED_BACK] = "rolled back",
		[EVENT_ROLE_DIED] = "role died",
	};

	return name_of(names, ARRAY_SIZE(names), kind);
}

/*
 * view - see view.h. Names and types are uWSGI's where it has them; where we have no such thing (signals, locks,
 * offloading, routing) the key is there with its empty value, because clients look it up without asking.
 */
#include "emperor/stats/view.h"

#include <stdio.h>
#include <sys/stat.h>

#include "emperor/app_state.h"
#include "emperor/stats/collect.h"
#include "emperor/stats/store.h"
#include "shared/board_json.h"
#include "shared/clock.h"
#include "shared/json.h"

static void put_zeros(json_t *obj, const char *const *keys, size_t n)
{
	for (size_t i = 0; i < n; i++)
		json_put_u64(obj, keys[i], 0);
}

/* The group is in no message; the kernel tells it of a process that lives. */
static uint64_t gid_of(uint32_t pid)
{
	char path[32];
	struct stat st;

	(void)snprintf(path, sizeof(path), "/proc/%u", pid);
	return pid > 0 && stat(path, &st) == 0 ? st.st_gid : 0;
}

/* -- ours, of an app ------------------------------------------------------------------------------------ */

static void put_window(json_t *obj, const struct app *a, const struct board_totals *totals,
		       uint64_t now_s)
{
	struct board_totals window;
	uint64_t gauges[GAUGE_COUNT] = {0};

	collect_subtract(totals, &a->window_base, &window);
	collect_percentiles(&window, gauges);
	json_put_u64(obj, "window_s", now_s > a->window_base_s ? now_s - a->window_base_s : 0);
	json_put_u64(obj, "window_requests", window.requests);
	for (size_t i = GAUGE_P50; i < GAUGE_COUNT; i++)
		json_put_u64(obj, record_gauge_names[i], gauges[i]);
}

static void put_app_fields(json_t *obj, const struct app *a, const struct board_totals *totals,
			   uint64_t now_s)
{
	struct collect_now now;

	collect_read_now(a->board, &now);
	json_put_text(obj, "name", a->name);
	json_put_text(obj, "state", app_state_name(a->state));
	json_put_text(obj, "reason", app_text(a->reason));
	json_put_u64(obj, "since", a->since_wall_ns / NS_PER_S);
	json_put_u64(obj, "generation", a->generation);
	json_put_u64(obj, "restarts", a->restarts);
	json_put_text(obj, "last_error", app_text(a->last_error));
	json_put_u64(obj, "workers_n", now.workers);
	json_put_u64(obj, "busy", now.busy);
	json_put_u64(obj, "queue", now.queue);
	json_put_u64(obj, "queue_size", now.queue_size);
	json_put_u64(obj, "open_connections", now.connections);
	board_json_memory(obj, &now.memory);
	for (size_t i = 0; i < board_fields_n; i++) {
		uint64_t n;

		memcpy(&n, (const char *)totals + board_fields[i].totals_offset, sizeof(n));
		json_put_u64(obj, board_fields[i].name, n);
	}
	put_window(obj, a, totals, now_s);
}

/* -- uWSGI's, of an app --------------------------------------------------------------------------------- */

struct lane_clock {
	uint64_t wall_ns, mono_ns;
};

/* A request line of a lane is "METHOD target"; both are what the client sent. */
static json_t *make_vars(const char *line)
{
	json_t *vars = json_array();
	const char *space = strchr(line, ' ');
	size_t method_n = space ? (size_t)(space - line) : strlen(line);
	char text[BOARD_LINE + 32];
	int n;

	n = snprintf(text, sizeof(text), "REQUEST_METHOD=%.*s", (int)method_n, line);
	json_push(vars, json_text(text, (size_t)n));
	n = snprintf(text, sizeof(text), "REQUEST_URI=%s", space ? space + 1 : "");
	json_push(vars, json_text(text, (size_t)n));
	json_push(vars, json_text("", 0));
	return vars;
}

static json_t *make_req_info(uint64_t started_ns, const char *request_id,
			     const struct lane_clock *clock)
{
	json_t *info = json_object();
	/* The start is the app's word: one in the future counts as just now. */
	uint64_t running_ns = clock->mono_ns > started_ns ? clock->mono_ns - started_ns : 0;

	json_put_u64(info, "request_start",
		     clock->wall_ns > running_ns ? (clock->wall_ns - running_ns) / NS_PER_S : 0);
	json_put_u64(info, "running_us", running_ns / NS_PER_US);
	json_put_text(info, "request_id", request_id);
	return info;
}

static json_t *make_core(unsigned id, const struct board_lane *lane, const struct lane_clock *clock)
{
	static const char *const zeros[] = {
		"static_requests", "routed_requests", "offloaded_requests",
		"write_errors",    "read_errors",
	};
	json_t *core = json_object();
	char line[BOARD_LINE];
	char request_id[LIMIT_REQUEST_ID];
	uint64_t started_ns = 0;
	bool busy = board_read_lane(lane, line, request_id, &started_ns);

	json_put_u64(core, "id", id);
	json_put_u64(core, "requests", board_get(&lane->requests));
	put_zeros(core, zeros, ARRAY_SIZE(zeros));
	json_put_u64(core, "in_request", busy);
	json_put(core, "vars", busy ? make_vars(line) : json_array());
	json_put(core, "req_info",
		 busy ? make_req_info(started_ns, request_id, clock) : json_object());
	return core;
}

static const char *uwsgi_status(uint32_t state)
{
	switch (state) {
	case WORKER_IDLE:
		return "idle";
	case WORKER_BUSY:
		return "busy";
	case WORKER_STARTING:
	case WORKER_RETIRING:
		return "pause"; /* there, but takes no request */
	default:
		return "cheap"; /* no process */
	}
}

static json_t *make_worker_apps(uint64_t requests, uint64_t exceptions)
{
	json_t *apps = json_array();
	json_t *app = json_object();

	json_put_u64(app, "id", 0);
	json_put_u64(app, "modifier1", 0);
	json_put_text(app, "mountpoint", "");
	json_put_u64(app, "startup_time", 0);
	json_put_u64(app, "requests", requests);
	json_put_u64(app, "exceptions", exceptions);
	json_put_text(app, "chdir", "");
	json_push(apps, app);
	return apps;
}

static json_t *make_cores(const struct board_bank *bank, unsigned number,
			  const struct lane_clock *clock)
{
	json_t *cores = json_array();
	uint32_t threads = atomic_load_explicit(&bank->threads, memory_order_relaxed);

	threads = MAX(1U, MIN(threads, (uint32_t)LIMIT_THREADS));
	for (unsigned t = 0; t < threads; t++) {
		unsigned lane = number * threads + t;

		if (lane < LIMIT_LANES)
			json_push(cores, make_core(t, &bank->lane[lane], clock));
	}
	return cores;
}

static json_t *make_worker(const struct board_bank *bank, unsigned number,
			   const struct lane_clock *clock)
{
	static const char *const zeros[] = {"signals", "signal_queue"};
	const struct board_worker *w = &bank->worker[number];
	uint32_t state = atomic_load_explicit(&w->state, memory_order_relaxed);
	bool lives = board_worker_lives(w);
	uint64_t requests = board_get(&w->requests);
	uint64_t exceptions = board_get(&w->exceptions);
	json_t *o = json_object();

	json_put_u64(o, "id", number + 1);
	json_put_u64(o, "pid", lives ? atomic_load_explicit(&w->pid, memory_order_relaxed) : 0);
	json_put_u64(o, "accepting", state == WORKER_IDLE || state == WORKER_BUSY);
	json_put_u64(o, "requests", requests);
	json_put_u64(o, "delta_requests", board_get(&w->delta_requests));
	json_put_u64(o, "exceptions", exceptions);
	json_put_u64(o, "harakiri_count", board_get(&w->harakiris));
	put_zeros(o, zeros, ARRAY_SIZE(zeros));
	json_put_text(o, "status", uwsgi_status(state));
	json_put_u64(o, "rss", lives ? board_get(&w->rss) : 0);
	json_put_u64(o, "vsz", lives ? board_get(&w->vsz) : 0);
	json_put_u64(o, "running_time", board_get(&w->running_us));
	json_put_u64(o, "last_spawn", board_get(&w->spawned_wall_ns) / NS_PER_S);
	json_put_u64(o, "respawn_count", board_get(&w->respawns));
	json_put_u64(o, "tx", board_get(&w->tx));
	json_put_u64(o, "avg_rt", board_get(&w->avg_us));
	json_put_text(o, "state", board_worker_state_name(state));
	json_put_u64(o, "pss", lives ? board_get(&w->pss) : 0);
	json_put(o, "apps", make_worker_apps(requests, exceptions));
	json_put(o, "cores", make_cores(bank, number, clock));
	return o;
}

static json_t *make_workers(const struct board_bank *bank, const struct lane_clock *clock)
{
	json_t *workers = json_array();
	unsigned rows = bank ? board_worker_rows(bank) : 0;
	uint32_t configured = bank ? atomic_load_explicit(&bank->workers, memory_order_relaxed) : 0;

	/* Those above the configured number are replacements, shown while they live. */
	for (unsigned i = 0; i < rows; i++)
		if (i < configured || board_worker_lives(&bank->worker[i]))
			json_push(workers, make_worker(bank, i, clock));
	return workers;
}

/* Our queue stands where uWSGI has its sockets' backlog: it is what clients draw as "waiting". */
static json_t *make_sockets(const struct app *a, uint64_t queue, uint64_t queue_size)
{
	json_t *sockets = json_array();
	json_t *o = json_object();

	json_put_text(o, "name", a->name);
	json_put_text(o, "proto", "queue");
	json_put_u64(o, "queue", queue);
	json_put_u64(o, "max_queue", queue_size);
	json_put_u64(o, "shared", 0);
	json_put_u64(o, "can_offload", 0);
	json_push(sockets, o);
	return sockets;
}

/* As uWSGI shows its attached daemons. */
static json_t *make_daemons(const struct board_bank *bank)
{
	json_t *daemons = json_array();
	struct board_task_now t;

	for (unsigned i = 0; bank && board_read_task(bank, i, &t); i++) {
		json_t *o;

		if (t.kind != BOARD_TASK_DAEMON)
			continue;
		o = json_object();
		json_put_text(o, "cmd", t.name);
		json_put_u64(o, "pid", t.pid);
		json_put_u64(o, "respawns", t.starts > 0 ? t.starts - 1 : 0);
		json_push(daemons, o);
	}
	return daemons;
}

json_t *view_app(const struct app *a, uint64_t wall_ns, uint64_t mono_ns)
{
	const struct lane_clock clock = {wall_ns, mono_ns};
	const struct board_bank *bank = collect_bank(a);
	struct board_totals totals;
	struct collect_now now;
	json_t *root = json_object();

	board_read_totals(a->board, &totals);
	collect_read_now(a->board, &now);
	json_put_text(root, "version", EMPEROR_VERSION);
	json_put_u64(root, "listen_queue", now.queue);
	json_put_u64(root, "listen_queue_errors", totals.rejected);
	json_put_u64(root, "signal_queue", 0);
	json_put_u64(root, "load", now.queue);
	json_put_u64(root, "pid", a->pid);
	json_put_u64(root, "uid", a->uid);
	json_put_u64(root, "gid", gid_of(a->pid));
	json_put_text(root, "cwd", "");
	json_put(root, "locks", json_array());
	json_put(root, "sockets", make_sockets(a, now.queue, now.queue_size));
	json_put(root, "workers", make_workers(bank, &clock));
	json_put(root, "daemons", make_daemons(bank));
	json_put(root, "tasks", bank ? board_json_tasks(bank) : json_array());
	put_app_fields(root, a, &totals, wall_ns / NS_PER_S);
	board_trim(a->board);
	return root;
}

/* -- the emperor's -------------------------------------------------------------------------------------- */

static json_t *make_vassal(const struct app *a, uint64_t wall_ns)
{
	static const char *const zeros[] = {"last_mod", "last_heartbeat", "cursed"};
	static const char *const empty[] = {"zerg", "on_demand", "monitor"};
	struct board_totals totals;
	uint64_t since_s = a->since_wall_ns / NS_PER_S;
	bool serves = a->state == APP_RUNNING || a->state == APP_REPLACING;
	json_t *o = json_object();

	json_put_text(o, "id", a->name);
	json_put_u64(o, "pid", a->pid);
	json_put_u64(o, "born", a->first_run_wall_ns / NS_PER_S);
	put_zeros(o, zeros, ARRAY_SIZE(zeros));
	json_put_u64(o, "loyal", serves);
	json_put_u64(o, "ready", serves);
	json_put_u64(o, "accepting", serves);
	json_put_u64(o, "last_loyal", serves ? since_s : 0);
	json_put_u64(o, "last_ready", serves ? since_s : 0);
	json_put_u64(o, "last_accepting", serves ? since_s : 0);
	json_put_u64(o, "first_run", a->first_run_wall_ns / NS_PER_S);
	json_put_u64(o, "last_run", since_s);
	for (size_t i = 0; i < ARRAY_SIZE(empty); i++)
		json_put_text(o, empty[i], "");
	json_put_u64(o, "uid", a->uid);
	json_put_u64(o, "gid", gid_of(a->pid));
	json_put_u64(o, "respawns", a->restarts);
	board_read_totals(a->board, &totals);
	put_app_fields(o, a, &totals, wall_ns / NS_PER_S);
	board_trim(a->board);
	return o;
}

static json_t *make_blacklisted(const struct app *a)
{
	json_t *o = json_object();

	json_put_text(o, "id", a->name);
	json_put_u64(o, "throttle_level", 0);
	json_put_u64(o, "attempt", a->restarts);
	json_put_u64(o, "first_attempt", a->first_run_wall_ns / NS_PER_S);
	json_put_u64(o, "last_attempt", a->since_wall_ns / NS_PER_S);
	return o;
}

static json_t *make_history(const struct view_emperor *e)
{
	json_t *o = json_object();

	json_put_text(o, "database", e->database);
	json_put_u64(o, "stored", e->status ? e->status->stored : 0);
	json_put_u64(o, "dropped", e->status ? e->status->dropped : 0);
	json_put_u64(o, "failing", e->status && e->status->failing);
	json_put_text(o, "last_error", e->status ? e->status->last_error : "");
	return o;
}

json_t *view_emperor(const struct registry *r, const struct view_emperor *e, uint64_t wall_ns)
{
	json_t *root = json_object();
	json_t *vassals = json_array();
	json_t *blacklist = json_array();

	for (size_t i = 0; i < r->apps_n; i++) {
		json_push(vassals, make_vassal(r->apps[i], wall_ns));
		if (r->apps[i]->state == APP_BACKOFF)
			json_push(blacklist, make_blacklisted(r->apps[i]));
	}
	json_put_text(root, "version", EMPEROR_VERSION);
	json_put_u64(root, "pid", e->pid);
	json_put_u64(root, "uid", e->uid);
	json_put_u64(root, "gid", e->gid);
	json_put_text(root, "cwd", "");
	json_put(root, "emperor", json_array());
	json_put_u64(root, "emperor_tyrant", 0);
	json_put_u64(root, "throttle_level", 0);
	json_put(root, "vassals", vassals);
	json_put(root, "blacklist", blacklist);
	json_put(root, "history", make_history(e));
	return root;
}

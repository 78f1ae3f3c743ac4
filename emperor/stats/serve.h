/*
 * serve - the stats sockets: answers whoever connects to a listener that the emperor sent.
 *
 * One socket, two ways: a client that says nothing for LIMIT_STATS_SNIFF_MS (or shuts its sending side) gets bare JSON
 * and end of file, as uWSGI's clients expect; a client that sends anything gets HTTP/1.1, one request per connection.
 *
 * GET and HEAD only. Every answer, errors too, is JSON; errors are {"error": "text"} with 400 (not HTTP, or a bad
 * number), 404 (no such path or app), 405, 408, 431 (head above LIMIT_STATS_HEAD), 503 (history is not available: no
 * database, or its disk is too slow), 500 (no memory). Integers only, no floats, no nulls. Times are seconds since
 * 1970 unless the name ends in _ns.
 *
 * Paths, on the emperor's own socket (on an app's socket the same, but of that app alone: "/" is its app view, "app"
 * defaults to it, and any other name is 404):
 *
 * /				   the emperor view:
 *   {"version", "pid", "uid", "gid", "cwd": "", "emperor": [], "emperor_tyrant": 0, "throttle_level": 0,	uWSGI's
 *    "vassals": [{
 *       "id": name, "pid", "born", "last_mod", "last_heartbeat", "loyal", "ready", "accepting", "last_loyal",
 *       "last_ready", "last_accepting", "first_run", "last_run", "cursed", "zerg": "", "on_demand": "", "uid", "gid",
 *       "monitor": "", "respawns",
 *       APP FIELDS (below)}],
 *    "blacklist": [{"id", "throttle_level", "attempt", "first_attempt", "last_attempt"}],	apps in back-off
 *    "history": {"database": path or "", "stored", "dropped", "failing": 0/1, "last_error": text}}		ours
 *
 * /apps/NAME			   the app view:
 *   {"version", "listen_queue", "listen_queue_errors", "signal_queue", "load", "pid", "uid", "gid", "cwd": "",
 *    "locks": [], "sockets": [{"name", "proto", "queue", "max_queue", "shared", "can_offload"}],
 *    "workers": [{"id": 1.., "pid" (0: none), "accepting", "requests", "delta_requests", "exceptions",
 *       "harakiri_count", "signals", "signal_queue", "status": "idle"|"busy"|"cheap"|"pause", "rss", "vsz" (bytes),
 *       "running_time" (us), "last_spawn", "respawn_count", "tx", "avg_rt" (us), "state": "starting"..., "pss",
 *       "apps": [{"id", "modifier1", "mountpoint", "startup_time", "requests", "exceptions", "chdir"}],
 *       "cores": [{"id", "requests", "static_requests", "routed_requests", "offloaded_requests", "write_errors",
 *          "read_errors", "in_request": 0/1, "vars": [] or ["REQUEST_METHOD=GET", "REQUEST_URI=/x", ""],
 *          "req_info": {} or {"request_start": s, "running_us": us, "request_id": text}}]}],
 *    APP FIELDS}
 *
 * APP FIELDS:
 *   "name", "state": "running"... (app_state_name), "reason", "since", "generation", "restarts", "last_error",
 *   "workers_n" (live processes), "busy", "queue", "queue_size", "open_connections",
 *   "memory" (bytes of front, mold and workers: shares where they were measured), "rss", "pss" (sums over the same),
 *   "front_memory", "mold_memory", "workers_memory", "front_rss", "front_pss", "mold_rss", "mold_pss", "workers_rss", "workers_pss",
 *   every counter of board_fields[] since the app was first seen ("requests", "status_2xx", "exceptions", ...),
 *   "window_s" (seconds that the next fields look back, 0 to 120), "window_requests",
 *   "p50_us", "p95_us", "p99_us" (time in the app), "queue_p50_us", "queue_p95_us", "queue_p99_us"
 *
 * /events?app=NAME&n=N&after=ID   what happened, oldest first; app and after may be left out. N 1 to 1000, default 50.
 *				   The last N events, or with after the N that were stored first of those whose id is greater (to
 *				   follow: after is the largest id so far, for what is stored late may have happened early).
 *   {"events": [{"id", "time", "time_ns", "app", "generation", "kind": board_event_name, "worker" (0: none), "text"}]}
 *
 * /blame?app=NAME&n=N	   requests that went wrong, newest first; app may be left out. N 1 to 100, default 10.
 *   {"blames": [{"id", "time", "time_ns", "app", "generation", "kind": board_blame_name, "request": "GET /path?query",
 *    "request_id", "status" (0: none), "reason", "worker", "pid", "signal" (0: none), "age_us", "queue_us", "rss",
 *    "rss_growth" (bytes; may be negative), "stacks", "log"}]}
 *
 * /inis?app=NAME		   on the emperor's own socket: the last inis that the app ran by, newest first, at most 20.
 *   {"app": NAME, "inis": [{"id", "time", "time_ns" (since when), "generation", "digest": 16 hexadecimal digits, "bytes"}]}
 * /inis?app=NAME&generation=N	   the last one of that generation, with "ini": its bytes, secrets masked, cut at 32 KB.
 *
 * /history?app=NAME&minutes=N	   N 1 to 1440, default 60; a minute without a request may be missing (idle apps have one
 *				   row in ten minutes). Oldest first.
 *   {"app": NAME, "minutes": [{"time", every counter of board_fields[] in that minute, "workers", "busy", "rss",
 *    "p50_us", "p95_us", "p99_us", "queue_p50_us", "queue_p95_us", "queue_p99_us"}]}
 */
#pragma once
#include "shared/base.h"

struct ev_loop;
struct err;
struct registry;
struct serve;
struct store;

/* Borrows loop and registry until serve_free. */
int serve_new(struct serve **ret_serve, struct ev_loop *loop, struct registry *registry,
	      struct err *err);
/* Where history is from now on; borrowed; NULL and "" = nowhere. Call it before the old store is freed. */
/* Whom the emperor's view is about. */
void serve_set_emperor(struct serve *s, uint32_t pid);
void serve_set_store(struct serve *s, struct store *store, const char *path);
void serve_free(struct serve *s);

/*
 * Takes fd, a listening socket, for this app ("" = the emperor's view). The same socket again changes nothing. An app has
 * one: a new one replaces the old. A listener that somebody shut down is closed at once.
 */
int serve_add_listener(struct serve *s, const char *app, int fd, struct err *err);
/* Called before each question to the history: what has happened and is not stored yet can be. */
void serve_before_history(struct serve *s, void (*fn)(void *arg), void *arg);
/* Closes every listener of this app. Answers that are under way are finished. */
void serve_drop_listeners(struct serve *s, const char *app);

/*
 * app - one app: what lifecycle.c decides is done here. Events come in, one action each goes out; whatever an action
 * finds out (a file that cannot be parsed, a process that cannot be started) is an event again.
 *
 * Which bytes are started: the file's, as it is now. If they fail while older bytes have served, those older ones are
 * tried in turn with them whenever nothing runs any more: a broken edit must not turn a crash into an outage.
 */
#include "emperor/vassals/internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "emperor/vassals/logfile.h"
#include "shared/clock.h"
#include "shared/err.h"
#include "shared/log.h"
#include "shared/scoreboard.h"

struct ini *ini_ref(struct ini *ini)
{
	if (ini)
		ini->refs++;
	return ini;
}

void ini_unref(struct ini *ini)
{
	if (!ini || --ini->refs > 0)
		return;
	free(ini->bytes);
	free(ini);
}

/* Keeps what was there if memory has run out: an old text is better than none. */
_printf_(2, 3) static void set_text(char **text, const char *fmt, ...)
{
	char *fresh;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&fresh, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	free(*text);
	*text = fresh;
}

/* A reason may be a traceback: each of its lines is a line of the log. */
static void log_lines(const struct app *a, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n");

		if (n > 0)
			log_error("%s:   | %.*s", a->name, (int)n, text);
		text += n + (text[n] == '\n');
	}
}

/* The line of a traceback that says what happened is its last one; a reason without one has one line. */
static void short_reason(const char *text, char *buf, size_t size)
{
	size_t n = strlen(text);
	const char *start;

	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
		n--;
	start = memrchr(text, '\n', n);
	start = start ? start + 1 : text;
	(void)snprintf(buf, size, "%.*s", (int)(n - (size_t)(start - text)), start);
}

static void drop_candidate(struct app *a)
{
	struct generation *g = TAKE_PTR(a->candidate);

	vassals_unqueue(a->v, a);
	if (!g)
		return;
	g->part = PART_LEAVING;
	generation_end(g, 0);
}

/* Who the app is to others, now that nothing or something else serves. */
static void show_face(struct app *a, struct loaded *l)
{
	uid_t was = a->face ? a->face->uid : (uid_t)-1;
	struct loaded *old = a->face;

	a->v->name_freed |= old && !str_eq(old->domains, l->domains);
	a->face = loaded_ref(l);
	loaded_unref(old);
	a->v->routes_changed = true;
	if (was != l->uid)
		tell_app(a);
}

static void prune_doors(struct app *a)
{
	const struct loaded *keep[] = {
		a->face,
		a->serving ? a->serving->loaded : NULL,
		a->candidate ? a->candidate->loaded : NULL,
	};

	doors_prune(&a->doors, keep, ARRAY_SIZE(keep));
}

static void do_nothing(struct app *a, const char *why)
{
	(void)a;
	(void)why;
}

static void do_start(struct app *a, const char *why)
{
	ev_timer_stop(a->v->setup.loop, &a->retry);
	log_info("%s: %s: %s", a->name, why,
		 a->serving ? "a new generation starts beside the old one" : "starting");
	vassals_queue_start(a->v, a);
}

static void do_restart(struct app *a, const char *why)
{
	drop_candidate(a);
	do_start(a, why);
}

static void begin_serving(struct app *a)
{
	struct generation *g = TAKE_PTR(a->candidate);

	a->serving = g;
	g->part = PART_SERVING;
	ini_unref(a->good);
	a->good = ini_ref(g->ini);
	free(TAKE_PTR(a->last_error));
	set_text(&a->reason, "%s",
		 a->good == a->wanted
			 ? ""
			 : "its ini as it is now does not start; an older version of it serves");
	if (generation_serve(g) < 0)
		generation_kill(g);
	show_face(a, g->loaded);
}

static void do_serve(struct app *a, const char *why)
{
	begin_serving(a);
	prune_doors(a);
	log_info("%s: generation %" PRIu64 " serves (pid %d, uid %u): %s", a->name,
		 a->serving->number, (int)a->serving->pid, (unsigned)a->serving->loaded->uid, why);
	tell_change(a, EVENT_STARTED, why);
}

static void do_swap(struct app *a, const char *why)
{
	struct generation *old = a->serving;

	begin_serving(a);
	old->part = PART_LEAVING;
	generation_replace(a->serving, old);
	prune_doors(a);
	log_info("%s: generation %" PRIu64 " serves (pid %d): %s; generation %" PRIu64 " drains",
		 a->name, a->serving->number, (int)a->serving->pid, why, old->number);
	tell_change(a, EVENT_RELOADED, why);
}

static void do_keep_old(struct app *a, const char *why)
{
	log_warning("%s: generation %" PRIu64 " keeps serving", a->name, a->serving->number);
	set_text(&a->reason, "the new generation failed, the old one keeps serving: %s", why);
	prune_doors(a);
	tell_change(a, EVENT_FAILED, a->last_error ? a->last_error : why);
}

static void do_back_off(struct app *a, const char *why)
{
	uint64_t now = clock_now_ns();
	uint32_t random = 0;
	double wait_s;
	char text[ERR_TEXT_MAX];

	(void)getrandom(&random, sizeof(random), GRND_NONBLOCK);
	wait_s = (double)(backoff_failed(&a->backoff, now, random) - now) / 1e9;
	ev_timer_stop(a->v->setup.loop, &a->retry);
	ev_timer_set(&a->retry, wait_s, 0);
	ev_timer_start(a->v->setup.loop, &a->retry);
	/* The two versions take turns, so that whichever can start does. */
	a->use_good = a->good && a->good != a->wanted && !a->use_good;
	set_text(&a->reason, "%s", why);
	prune_doors(a);
	(void)snprintf(text, sizeof(text), "failure %u in a row, next try in %.1f s",
		       a->backoff.failures, wait_s);
	log_warning("%s: %s; a change of %s or a command tries at once", a->name, text, a->file);
	tell_change(a, EVENT_FAILED, a->last_error ? a->last_error : why);
	tell_change(a, EVENT_BACKOFF, text);
}

static void do_stop(struct app *a, const char *why)
{
	struct generation *serving = TAKE_PTR(a->serving);

	ev_timer_stop(a->v->setup.loop, &a->retry);
	drop_candidate(a);
	a->v->routes_changed |= a->gone;
	log_info("%s: %s: stopping", a->name, why);
	/* The gate hears first: what arrives from now on is answered by it, not left in the door. */
	tell_change(a, EVENT_NONE, "");
	if (serving) {
		serving->part = PART_LEAVING;
		generation_end(serving, serving->loaded->config.graceful_timeout_s);
	}
	if (!a->generations)
		app_event(a, LIFE_EMPTY, why);
}

static void do_close(struct app *a, const char *why)
{
	doors_prune(&a->doors, NULL, 0);
	/* Why it was stopped stands in its reason since then; why says only that it has come true. */
	log_info("%s: stopped (%s)", a->name, a->reason ? a->reason : why);
	tell_change(a, EVENT_STOPPED, a->reason ? a->reason : why);
	if (!a->gone)
		return;
	a->dead = true;
	a->v->routes_changed = true;
	tell_gone(a);
}

static void (*const actions[DO_COUNT])(struct app *a, const char *why) = {
	[DO_NOTHING] = do_nothing,   [DO_START] = do_start, [DO_RESTART] = do_restart,
	[DO_SERVE] = do_serve,       [DO_SWAP] = do_swap,   [DO_KEEP_OLD] = do_keep_old,
	[DO_BACK_OFF] = do_back_off, [DO_STOP] = do_stop,   [DO_CLOSE] = do_close,
};

void app_event(struct app *a, enum life_event event, const char *why)
{
	const struct life_step *s = lifecycle_next(a->state, event);
	enum app_state was = a->state;

	if (!s) {
		log_error("%s: \"%s\" cannot happen to an app that is %s: ignored (%s)", a->name,
			  lifecycle_event_name(event), app_state_name(a->state), why);
		return;
	}
	if (event == LIFE_START || event == LIFE_CHANGE) {
		backoff_reset(&a->backoff);
		a->use_good = false;
	}
	if (s->to != was) {
		a->state = s->to;
		a->since_wall_ns = clock_wall_ns();
		if (event != LIFE_EMPTY)
			set_text(&a->reason, "%s", why);
	}
	actions[s->action](a, why);
	/* An action that ended in another event, or told more itself, has said so already; this is for the rest. */
	if (a->state == s->to && s->to != was && (s->action == DO_START || s->action == DO_NOTHING))
		tell_change(a, EVENT_NONE, "");
}

/* Keeps the text for people, and writes it down once. */
static void note_failure(struct app *a, uint64_t number, enum fail_phase phase, const char *text)
{
	set_text(&a->last_error, "%s", text);
	log_error("%s: generation %" PRIu64 " failed (%s)%s", a->name, number,
		  msg_phase_name(phase), *text ? ":" : "");
	log_lines(a, text);
}

static void candidate_failed(struct app *a, uint64_t number, enum fail_phase phase,
			     const char *text)
{
	char reason[256];
	char why[320];

	note_failure(a, number, phase, text);
	short_reason(text, reason, sizeof(reason));
	(void)snprintf(why, sizeof(why), "%s: %s", msg_phase_name(phase), reason);
	app_event(a, LIFE_FAILED, why);
}

void app_generation_ready(struct generation *g, uint64_t import_us, uint64_t workers)
{
	char why[128];

	(void)snprintf(why, sizeof(why), "%" PRIu64 " workers, imported in %" PRIu64 " ms",
		       MIN(workers, (uint64_t)LIMIT_WORKERS), import_us / 1000);
	app_event(g->app, LIFE_READY, why);
}

static void serving_lost(struct app *a, struct generation *g, const char *how)
{
	uint64_t now = clock_now_ns();
	bool healthy = backoff_ran(&a->backoff, g->serving_ns, now);
	char why[320];

	a->serving = NULL;
	g->part = PART_LEAVING;
	a->restarts++;
	(void)snprintf(why, sizeof(why), "its front was lost after %" PRIu64 " s: %s",
		       (uint64_t)((now - g->serving_ns) / NS_PER_S), how);
	log_error("%s: %s", a->name, why);
	set_text(&a->last_error, "%s", why);
	app_event(a, healthy ? LIFE_LOST : LIFE_LOST_EARLY, why);
	if (a->state == APP_STARTING)
		tell_change(a, EVENT_NOTE, why);
}

void app_generation_failed(struct generation *g, enum fail_phase phase, const char *text)
{
	struct app *a = g->app;

	if (g == a->candidate) {
		a->candidate = NULL;
		g->part = PART_LEAVING;
		/* It exits by itself; it is not waited for longer than that. */
		generation_end(g, 0);
		candidate_failed(a, g->number, phase, text);
	} else if (g == a->serving) {
		note_failure(a, g->number, phase, text);
		generation_end(g, g->loaded->config.graceful_timeout_s);
		serving_lost(a, g, text);
	} else {
		log_debug("%s: generation %" PRIu64 " failed while it was leaving: %s", a->name,
			  g->number, text);
	}
}

static void unlink_generation(struct app *a, struct generation *g)
{
	struct generation **at = &a->generations;

	while (*at && *at != g)
		at = &(*at)->next;
	if (*at)
		*at = g->next;
}

void app_generation_exited(struct generation *g, const char *how)
{
	struct app *a = g->app;

	unlink_generation(a, g);
	vassals_bury(a->v, g);
	if (g == a->candidate) {
		char text[160];

		a->candidate = NULL;
		(void)snprintf(text, sizeof(text), "its front %s before it was ready", how);
		candidate_failed(a, g->number, FAIL_START, text);
	} else if (g == a->serving) {
		serving_lost(a, g, how);
	} else {
		log_info("%s: generation %" PRIu64 " is gone (%s)", a->name, g->number, how);
	}
	if (!a->generations)
		app_event(a, LIFE_EMPTY, "all its processes have gone");
}

/* -- launch --------------------------------------------------------------------------------------------- */

static void say_notes(struct app *a, const struct loaded *l)
{
	if (a->notes && str_eq(a->notes, l->notes))
		return; /* a retry says nothing new */
	set_text(&a->notes, "%s", l->notes);
	for (const char *p = l->notes; *p;) {
		size_t n = strcspn(p, "\n");

		log_warning("%s: %.*s", a->name, (int)n, p);
		p += n + (p[n] == '\n');
	}
}

static int load(struct app *a, struct ini *ini, struct loaded **ret, struct err *err)
{
	struct load_source source = {.file = a->file, .dir = a->dir};
	struct loaded *l;
	int r;

	if (!ini)
		return err_set(err, -EINVAL, "%s: %s", a->file,
			       a->problem ? a->problem : "no memory to read it");
	source.bytes = ini->bytes;
	source.n = ini->n;
	source.owner = ini->owner;
	source.roots = ini->roots;
	r = load_ini(&source, a->v->setup.rules, &l, err);
	if (r < 0)
		return r;
	say_notes(a, l);
	r = routes_check(a->v, a, l, err);
	if (r < 0) {
		a->conflict = true;
		loaded_unref(l);
		return r;
	}
	*ret = l;
	return 0;
}

static int spawn(struct app *a, struct loaded *l, struct ini *ini, uint64_t number, struct err *err)
{
	_cleanup_(fd_closep) int log_fd = -1;
	struct door_set set;
	bool clamped;
	int r = doors_open(&a->doors, l, &set, &clamped, err);

	if (r < 0)
		return r;
	if (clamped)
		log_warning("%s: listen = %u is more than net.core.somaxconn allows: clamped",
			    a->name, l->config.listen);
	r = logfile_open(l, &log_fd, err);
	if (r < 0)
		return r;
	r = generation_spawn(a, l, ini, &set, log_fd, number, &a->candidate, err);
	if (r < 0)
		return r;
	a->candidate->next = a->generations;
	a->generations = a->candidate;
	tell_stats_door(a, &set);
	return 0;
}

void app_launch(struct app *a)
{
	struct ini *ini = a->use_good ? a->good : a->wanted;
	uint64_t number = ++a->numbers;
	struct loaded *l = NULL;
	struct err err = {0};
	int r;

	a->conflict = false;
	r = load(a, ini, &l, &err);
	if (r < 0) {
		candidate_failed(a, number, FAIL_CONFIG, err.text);
		return;
	}
	assert(l); /* load's promise */
	/* Before anything serves, the gate must know whose names these are: their clients wait. */
	if (!a->serving)
		show_face(a, l);
	r = spawn(a, l, ini, number, &err);
	loaded_drop_items(l);
	loaded_unref(l);
	if (r < 0)
		candidate_failed(a, number, FAIL_SPAWN, err.text);
	else
		tell_change(a, EVENT_NONE, "");
}

static void on_retry(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct app *a = container_of(timer, struct app, retry);

	(void)loop;
	(void)revents;
	app_event(a, LIFE_RETRY, "trying again");
}

/* -- life ----------------------------------------------------------------------------------------------- */

static int open_board(struct app *a, struct err *err)
{
	struct scoreboard *board;
	char path[64];
	int r = board_create(&a->board_fd, &board, a->name, err);

	if (r < 0)
		return r;
	/* The emperor only keeps it alive; who wants to know maps it. */
	board_unmap(board);
	/* A memfd is born 0777: whoever is given it to read could reopen it for writing. */
	if (fchmod(a->board_fd, 0644) < 0)
		return err_set(err, -errno, "scoreboard: %s", strerror(errno));
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", a->board_fd);
	a->board_ro_fd = open(path, O_RDONLY | O_CLOEXEC);
	return a->board_ro_fd < 0 ? err_set(err, -errno, "scoreboard: %s", strerror(errno)) : 0;
}

int app_new(struct app **ret, struct vassals *v, const char *name, const char *file,
	    const char *dir, struct err *err)
{
	struct app *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return err_set(err, -ENOMEM, "%s: out of memory", name);
	a->v = v;
	a->id = ++v->ids;
	a->dir = dir;
	a->state = APP_STOPPED;
	a->last_bank = LIMIT_BANKS - 1;
	a->since_wall_ns = clock_wall_ns();
	a->board_fd = -1;
	a->board_ro_fd = -1;
	doors_init(&a->doors);
	ev_init(&a->retry, on_retry);
	(void)snprintf(a->name, sizeof(a->name), "%s", name);
	a->file = strdup(file);
	r = a->file ? 0 : err_set(err, -ENOMEM, "%s: out of memory", name);
	if (r == 0)
		r = open_board(a, err);
	if (r == 0)
		r = doors_open_gate(&a->doors, err);
	if (r < 0) {
		app_free(a);
		return r;
	}
	tell_app(a);
	*ret = a;
	return 0;
}

void app_free(struct app *a)
{
	if (!a)
		return;
	ev_timer_stop(a->v->setup.loop, &a->retry);
	vassals_unqueue(a->v, a);
	while (a->generations) {
		struct generation *g = a->generations;

		a->generations = g->next;
		generation_kill(g);
		generation_free(g);
	}
	doors_done(&a->doors);
	if (a->board_fd >= 0)
		(void)close(a->board_fd);
	if (a->board_ro_fd >= 0)
		(void)close(a->board_ro_fd);
	loaded_unref(a->face);
	ini_unref(a->wanted);
	ini_unref(a->good);
	free(a->file);
	free(a->problem);
	free(a->reason);
	free(a->last_error);
	free(a->notes);
	free(a);
}

void app_fill_info(const struct app *a, struct app_info *ret)
{
	const struct generation *g = a->serving ? a->serving : a->candidate;
	const struct loaded *l = a->serving ? a->serving->loaded : a->face;
	uint64_t now = clock_now_ns();
	bool waits = a->state == APP_BACKOFF;

	*ret = (struct app_info){
		.id = a->id,
		.name = a->name,
		.file = a->file,
		.state = a->state,
		.reason = a->reason ? a->reason : "",
		.last_error = a->last_error ? a->last_error : "",
		.since_wall_ns = a->since_wall_ns,
		.next_try_wall_ns =
			waits ? clock_wall_ns() +
					(a->backoff.next_ns > now ? a->backoff.next_ns - now : 0)
			      : 0,
		.generation = g ? g->number : a->numbers,
		.pid = g ? g->pid : 0,
		.uid = l ? l->uid : geteuid(),
		.gid = l ? l->gid : getegid(),
		.restarts = a->restarts,
		.failures = a->backoff.failures,
		.domains = l ? l->domains : "",
		.addresses = l ? l->addresses : "",
		.board_fd = a->board_ro_fd,
	};
	for (const char *p = a->notes ? a->notes : ""; *p; p++)
		ret->warnings += *p == '\n';
}

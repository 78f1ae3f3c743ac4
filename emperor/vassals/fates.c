/*
 * fates - what becomes of an app's generations: ready, failed, lost, gone. Each is turned into an event of lifecycle, with
 * a reason that people can read.
 */
#include "emperor/vassals/machine.h"

#include <inttypes.h>
#include <stdio.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "shared/scoreboard.h"

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

/*
 * Keeps the text for people, and writes n bytes of it down. A traceback is one record: the log indents its later lines.
 */
static void note_failure(struct app *a, uint64_t number, enum fail_phase phase, const char *text,
			 size_t n)
{
	app_put_text(&a->last_error, "%s", text);
	a->failed = number;
	log_error("%s: generation %" PRIu64 " failed (%s)%s%.*s", a->name, number,
		  msg_phase_name(phase), n > 0 ? ": " : "", (int)n, text);
}

/*
 * What of a front's text is not in the emperor's log yet: below its first line it is what the app's own processes had
 * said, and where the app has no file for that, it comes there by itself.
 */
static size_t unsaid(const struct generation *g, const char *text)
{
	return g->loaded->config.logto ? strlen(text) : strcspn(text, "\n");
}

static void candidate_failed(struct app *a, enum fail_phase phase, const char *text)
{
	char reason[256];
	char why[320];

	if (a->state == APP_STARTING)
		restart_unready(&a->restart);
	short_reason(text, reason, sizeof(reason));
	(void)snprintf(why, sizeof(why), "%s: %s", msg_phase_name(phase), reason);
	app_event(a, LIFE_FAILED, why);
}

void app_candidate_failed(struct app *a, uint64_t number, enum fail_phase phase, const char *text)
{
	note_failure(a, number, phase, text, strlen(text));
	candidate_failed(a, phase, text);
}

void app_generation_ready(struct generation *g, uint64_t import_us, uint64_t workers)
{
	uint64_t n = MIN(workers, (uint64_t)LIMIT_WORKERS);
	char why[128];

	(void)snprintf(why, sizeof(why), "%" PRIu64 " worker%s, imported in %" PRIu64 " ms", n,
		       PLURAL(n), import_us / 1000);
	app_event(g->app, LIFE_READY, why);
}

/* What served has gone, or is leaving; asked: because somebody told it to. */
static void serving_left(struct app *a, struct generation *g, bool asked, const char *why)
{
	enum app_state was = a->state;
	bool at_once = restart_lost(&a->restart, asked, g->serving_ns, clock_now_ns());

	rollback_leaves(a);
	a->serving = NULL;
	a->failed = g->number;
	g->part = PART_LEAVING;
	a->restarts++;
	/* Where the file's bytes have failed already, those that have served come first. */
	if (at_once && was == APP_RUNNING)
		a->use_good = a->good && a->good != a->wanted;
	app_event(a, at_once ? LIFE_LOST : LIFE_LOST_AGAIN, why);
	if (a->state == APP_STARTING) /* of a back-off it is told why */
		tell_change_of(a, g->number,
			       asked || was == APP_REPLACING ? EVENT_NOTE : EVENT_FAILED, why);
}

/* said: how stands in the log already. */
static void serving_lost(struct app *a, struct generation *g, const char *how, bool said)
{
	char why[320];

	(void)snprintf(why, sizeof(why), "its front was lost after %" PRIu64 " s: %s",
		       (uint64_t)((clock_now_ns() - g->serving_ns) / NS_PER_S), how);
	if (!said)
		log_error("%s: %s", a->name, why);
	app_put_text(&a->last_error, "%s", why);
	serving_left(a, g, false, why);
}

/* An operator's TERM, or the app's own. */
static void serving_ended(struct app *a, struct generation *g)
{
	char why[160];

	(void)snprintf(why, sizeof(why),
		       "its front was told to end by a signal, after %" PRIu64 " s",
		       (uint64_t)((clock_now_ns() - g->serving_ns) / NS_PER_S));
	serving_left(a, g, true, why);
}

void app_generation_leaves(struct generation *g)
{
	struct app *a = g->app;

	/* One that may go to sleep says next that it does so. */
	if (g != a->serving || g->may_leave || a->v->shutting_down)
		return;
	generation_leave(g);
	serving_ended(a, g);
}

void app_generation_failed(struct generation *g, enum fail_phase phase, const char *text)
{
	struct app *a = g->app;

	if (g == a->candidate) {
		a->candidate = NULL;
		g->part = PART_LEAVING;
		/* It exits by itself; it is not waited for longer than that. */
		generation_end(g, 0);
		note_failure(a, g->number, phase, text, unsaid(g, text));
		candidate_failed(a, phase, text);
	} else if (g == a->serving) {
		note_failure(a, g->number, phase, text, unsaid(g, text));
		generation_end(g, g->loaded->config.graceful_timeout_s);
		serving_lost(a, g, text, true);
	} else {
		log_debug("%s: generation %" PRIu64 " failed while it was leaving: %s", a->name,
			  g->number, text);
	}
}

/*
 * A front that says so too often would be a loop of starts: it is believed once it has served for as long as it must have
 * been idle. While another generation starts, it stays: that one may fail.
 */
void app_generation_idle(struct generation *g, uint64_t idle_ms)
{
	const struct app *a = g->app;
	uint64_t after_ns = g->loaded->config.sleep_after_s * NS_PER_S;

	if (g != a->serving || a->state != APP_RUNNING || a->v->shutting_down || after_ns == 0 ||
	    clock_now_ns() - g->serving_ns < after_ns || idle_ms < after_ns / NS_PER_MS)
		return;
	generation_let_sleep(g);
}

void app_generation_asleep(struct generation *g, uint64_t idle_ms)
{
	struct app *a = g->app;
	char why[96];

	if (g != a->serving || !g->may_leave) {
		log_warning("%s: generation %" PRIu64 " says that it sleeps, which nobody allowed: "
			    "ignored",
			    a->name, g->number);
		return;
	}
	rollback_leaves(a);
	a->serving = NULL;
	generation_leave(g);
	(void)snprintf(why, sizeof(why), "no request for %" PRIu64 " s", idle_ms / 1000);
	app_event(a, LIFE_ASLEEP, why);
}

static void unlink_generation(struct app *a, struct generation *g)
{
	struct generation **at = &a->generations;

	while (*at && *at != g)
		at = &(*at)->next;
	if (*at)
		*at = g->next;
}

void app_generation_exited(struct generation *g, const char *how, bool in_order)
{
	struct app *a = g->app;

	unlink_generation(a, g);
	vassals_bury(a->v, g);
	persist_mark(a);
	if (g == a->candidate) {
		char text[160];

		a->candidate = NULL;
		(void)snprintf(text, sizeof(text), "its front %s before it was ready", how);
		app_candidate_failed(a, g->number, FAIL_START, text);
	} else if (g == a->serving && g->drains && in_order) {
		serving_ended(a, g);
	} else if (g == a->serving) {
		serving_lost(a, g, how, false);
	} else {
		log_info("%s: generation %" PRIu64 " is gone (%s)", a->name, g->number, how);
		if (!g->drains)
			tell_change(a, EVENT_NONE, NULL);
	}
	if (!a->generations)
		machine_left(a);
	if (!a->generations)
		app_event(a, LIFE_EMPTY, "all its processes have gone");
	if (!a->generations && a->begun_later) {
		a->begun = a->begun_later = false;
		if (!a->gone && !a->dead && !a->v->shutting_down)
			app_event(a, LIFE_START, "its doors are free");
	}
}

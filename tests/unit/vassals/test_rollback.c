/*
 * test_rollback - who is on trial, what there is to come back to, and that the next emperor knows both. app_event and
 * tell_change are wrapped: what lifecycle would be told is kept.
 */
#include "emperor/vassals/internal.h"

#include <errno.h>

#include "emperor/vassals/saved.h"
#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/scoreboard.h"
#include "tests/unit/vassals/fixture.h"

struct world {
	struct vassals v;
	struct load_rules rules;
	struct app app;
	struct scoreboard *board;
	struct ini *ini[4]; /* of generation n + 1 */
	struct generation *g[4];
};

static unsigned changes;
static char change_why[320];
static unsigned events[2]; /* rolled back; anything else */

void __wrap_app_event(struct app *a, enum life_event event, const char *why);
void __wrap_tell_change(const struct app *a, unsigned event_kind, const char *text);

void __wrap_app_event(struct app *a, enum life_event event, const char *why)
{
	(void)a;
	assert_int_equal(event, LIFE_CHANGE);
	changes++;
	(void)snprintf(change_why, sizeof(change_why), "%s", why);
}

void __wrap_tell_change(const struct app *a, unsigned event_kind, const char *text)
{
	(void)a;
	(void)text;
	events[event_kind != EVENT_ROLLED_BACK]++;
}

/* Says who it is in a path of its own: where the code of that release lies. */
static struct ini *make_ini(unsigned number, unsigned probation_s)
{
	struct ini *ini = calloc(1, sizeof(*ini));
	int n;

	assert_non_null(ini);
	*ini = (struct ini){.refs = 1, .owner = 1000 + number, .roots = true};
	n = asprintf(&ini->bytes,
		     "[vassal]\nmodule = x\nuid = root\nchdir = /srv/current\nprobation = %u\n"
		     "env = NUMBER=%u\n",
		     probation_s, number);
	assert_true(n > 0);
	ini->n = (size_t)n;
	return ini;
}

/* As it would have been started: its link led to /srv/rN then. */
static struct generation *make_generation(struct world *w, unsigned i, unsigned probation_s)
{
	struct generation *g = calloc(1, sizeof(*g));
	struct config_items items = {0};

	assert_non_null(g);
	w->ini[i] = make_ini(i + 1, probation_s);
	*g = (struct generation){.app = &w->app, .number = i + 1, .bank = i};
	g->ini = ini_ref(w->ini[i]);
	g->loaded = fixture_load(g->ini->bytes);
	assert_int_equal(config_items_append(&items, &g->loaded->items, NULL), 0);
	for (size_t k = 0; k < items.n; k++)
		if (str_eq(items.v[k].key, "chdir")) {
			free(items.v[k].value);
			assert_true(asprintf(&items.v[k].value, "/srv/r%u", i + 1) > 0);
		}
	assert_int_equal(config_items_encode(&items, &g->config, &g->config_n, NULL), 0);
	config_items_done(&items);
	w->g[i] = g;
	return g;
}

static int make_world(void **state, unsigned probation_s)
{
	static char *env[] = {NULL};
	static char file[] = "/etc/emperor/vassals/blog.ini";
	struct world *w = calloc(1, sizeof(*w));
	struct app *a;

	if (!w)
		return -1;
	a = &w->app;
	w->rules = (struct load_rules){.default_uid = "nobody", .environ_now = env, .cpus = 2};
	w->v.setup.loop = ev_loop_new(EVFLAG_AUTO);
	w->v.setup.rules = &w->rules;
	*a = (struct app){.v = &w->v, .name = "blog", .file = file, .dir = "/etc/emperor/vassals"};
	a->board_fd = -1;
	assert_int_equal(board_create(&a->board_ro_fd, &w->board, "blog", NULL), 0);
	rollback_init(a);
	for (unsigned i = 0; i < ARRAY_SIZE(w->g); i++)
		(void)make_generation(w, i, probation_s);
	changes = events[0] = events[1] = 0;
	*state = w;
	return 0;
}

static int set_up(void **state)
{
	return make_world(state, 30);
}

static int set_up_without_probation(void **state)
{
	return make_world(state, 0);
}

static int tear_down(void **state)
{
	struct world *w = *state;

	rollback_done(&w->app);
	for (unsigned i = 0; i < ARRAY_SIZE(w->g); i++) {
		free(w->g[i]->config);
		loaded_unref(w->g[i]->loaded);
		ini_unref(w->g[i]->ini);
		ini_unref(w->ini[i]);
		free(w->g[i]);
	}
	board_unmap(w->board);
	(void)close(w->app.board_ro_fd);
	free(w->app.reason);
	ev_loop_destroy(w->v.setup.loop);
	free(w);
	return 0;
}

/* As begin_serving() and do_swap() do it. */
static void serve(struct world *w, unsigned i)
{
	struct app *a = &w->app;
	bool swaps = a->serving != NULL;

	rollback_begins(a, w->g[i]);
	a->serving = w->g[i];
	a->serving->serving_ns = clock_now_ns();
	a->state = APP_RUNNING;
	if (swaps)
		rollback_swapped(a);
}

static void count(struct world *w, unsigned i, unsigned requests, unsigned errors)
{
	board_add(&w->board->bank[i].counters.requests, requests);
	board_add(&w->board->bank[i].counters.responses[5], errors);
}

/* A second later. */
static void look(struct world *w)
{
	if (ev_is_active(&w->app.probation))
		ev_invoke(w->v.setup.loop, &w->app.probation, EV_TIMER);
}

static bool is_watched(const struct world *w)
{
	return ev_is_active(&w->app.probation);
}

static void the_first_that_serves_is_not_on_trial(void **state)
{
	struct world *w = *state;
	struct err err = {0};

	serve(w, 0);
	assert_true(w->g[0]->passed);
	assert_false(is_watched(w));
	assert_null(rollback_previous(&w->app));
	assert_int_equal(rollback_by_command(&w->app, &err), -ENOENT);
	assert_non_null(strstr(err.text, "no older version is known"));
}

static void one_that_replaces_another_is_and_that_is_what_to_come_back_to(void **state)
{
	struct world *w = *state;

	serve(w, 0);
	count(w, 0, 100, 2);
	serve(w, 1);
	assert_false(w->g[1]->passed);
	assert_true(is_watched(w));
	assert_ptr_equal(rollback_previous(&w->app), w->ini[0]);
	assert_int_equal(w->app.old_count.requests, 100);
	assert_int_equal(w->app.old_count.errors, 2);
	look(w);
	assert_true(is_watched(w));
	assert_int_equal(changes, 0);
}

static void without_probation_nobody_is_judged_but_there_is_a_way_back(void **state)
{
	struct world *w = *state;

	serve(w, 0);
	serve(w, 1);
	assert_true(w->g[1]->passed);
	assert_false(is_watched(w));
	assert_ptr_equal(rollback_previous(&w->app), w->ini[0]);
}

static void one_that_was_never_trusted_is_nothing_to_come_back_to(void **state)
{
	struct world *w = *state;

	serve(w, 0);
	serve(w, 1);
	serve(w, 2);
	assert_ptr_equal(rollback_previous(&w->app), w->ini[0]);
	w->g[2]->passed = true;
	serve(w, 3);
	assert_ptr_equal(rollback_previous(&w->app), w->ini[2]);
}

static void one_that_passes_is_written_down_as_such(void **state)
{
	struct world *w = *state;

	serve(w, 0);
	serve(w, 1);
	w->app.unsaved = false;
	w->g[1]->serving_ns = clock_now_ns() - 31 * NS_PER_S;
	look(w);
	assert_true(w->g[1]->passed);
	assert_true(w->app.unsaved);
	assert_false(is_watched(w));
	assert_int_equal(changes, 0);
}

static void one_that_fails_is_rolled_back_once(void **state)
{
	struct world *w = *state;
	struct err err = {0};

	serve(w, 0);
	/* counters of a bank are those of whoever had it before, too */
	count(w, 1, 5000, 4000);
	serve(w, 1);
	count(w, 1, 40, 30);
	look(w);
	assert_int_equal(changes, 1);
	assert_int_equal(events[0], 1);
	assert_string_equal(change_why,
			    "generation 2 is rolled back to what generation 1 ran: 30 of its first "
			    "40 requests failed; of 0 before, 0 did");
	assert_ptr_equal(rollback_ini(&w->app), w->ini[0]);
	assert_null(rollback_previous(&w->app));
	assert_false(is_watched(w));
	assert_int_equal(rollback_by_command(&w->app, &err), -EALREADY);
	look(w);
	assert_int_equal(changes, 1);
}

static void nobody_is_judged_while_another_starts(void **state)
{
	struct world *w = *state;

	serve(w, 0);
	serve(w, 1);
	count(w, 1, 40, 30);
	w->app.candidate = w->g[2];
	look(w);
	w->app.candidate = NULL;
	w->app.queued = true;
	look(w);
	w->app.queued = false;
	w->app.state = APP_REPLACING;
	look(w);
	assert_int_equal(changes, 0);
	w->app.state = APP_RUNNING;
	look(w);
	assert_int_equal(changes, 1);
}

static void what_came_back_is_trusted_and_leads_nowhere_further(void **state)
{
	struct world *w = *state;

	serve(w, 0);
	serve(w, 1);
	assert_int_equal(rollback_by_command(&w->app, NULL), 0);
	serve(w, 2);
	assert_true(w->g[2]->passed);
	assert_null(w->app.previous);
	assert_non_null(w->app.rolled);
	count(w, 2, 100, 100);
	look(w);
	assert_false(is_watched(w));
	assert_int_equal(changes, 1);
}

/* The one that was to go was lost before: then nothing is swapped. */
static void what_came_back_after_a_loss_has_come_back_too(void **state)
{
	struct world *w = *state;
	struct saved s = {0};

	serve(w, 0);
	serve(w, 1);
	assert_int_equal(rollback_by_command(&w->app, NULL), 0);
	w->app.serving = NULL;
	serve(w, 2);
	rollback_describe(&w->app, &s);
	assert_int_equal(s.rolled, 1);
	assert_int_equal(s.old_number, 0);
}

static void a_rollback_by_command_needs_one_that_runs(void **state)
{
	struct world *w = *state;

	serve(w, 0);
	serve(w, 1);
	for (int i = 0; i < APP_STATE_COUNT; i++) {
		struct err err = {0};

		w->app.state = (enum app_state)i;
		if (i == APP_RUNNING)
			continue;
		assert_int_equal(rollback_by_command(&w->app, &err), -EAGAIN);
		assert_non_null(strstr(err.text, app_state_name(w->app.state)));
	}
	w->app.state = APP_RUNNING;
	assert_int_equal(rollback_by_command(&w->app, NULL), 0);
	assert_string_equal(change_why, "rolled back by command to what generation 1 ran");
}

static void expect_chdir(struct world *w, const char *path)
{
	struct loaded *l = NULL;
	struct err err = {0};

	if (rollback_load(&w->app, &l, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(l->config.chdir, path);
	/* the next front is told by these */
	assert_string_equal(config_items_get(&l->items, "chdir"), path);
	loaded_unref(l);
}

static void the_release_that_ran_comes_back_wherever_its_link_leads(void **state)
{
	struct world *w = *state;

	serve(w, 0);
	serve(w, 1);
	assert_int_equal(rollback_by_command(&w->app, NULL), 0);
	expect_chdir(w, "/srv/r1");
}

static void expect_processes(struct world *w, unsigned n)
{
	struct loaded *l = NULL;
	struct err err = {0};

	assert_int_equal(rollback_load(&w->app, &l, &err), 0);
	assert_int_equal(l->config.processes, n);
	assert_int_equal(strtoul(config_items_get(&l->items, "processes"), NULL, 10), n);
	loaded_unref(l);
}

/* max-workers had left it 1 of 8: when it comes back it asks for 8 again, and is granted what there is then. */
static void what_was_cut_comes_back_with_all_that_its_ini_wants(void **state)
{
	struct world *w = *state;

	w->g[0]->loaded->wanted = 8;
	serve(w, 0);
	serve(w, 1);
	assert_int_equal(rollback_by_command(&w->app, NULL), 0);
	expect_processes(w, 8);
}

/* -- the next emperor ----------------------------------------------------------------------------------- */

/* What is written down of w is read by an emperor that knows nothing else; out holds the bytes it points into. */
static void hand_over(struct world *w, struct buf *out, struct saved *ret)
{
	struct saved s = {.state = (uint64_t)w->app.state, .reason = "why it is so"};

	if (w->app.serving)
		s.config = span_of(w->app.serving->config, w->app.serving->config_n);
	rollback_describe(&w->app, &s);
	assert_int_equal(saved_encode(&s, out), 0);
	assert_int_equal(saved_decode(buf_span(out), ret, NULL), 0);
}

/* serving: which of its generations is the front that was taken over, or -1; served: whose bytes served last. */
static void take_over(struct world *next, const struct saved *s, int serving, unsigned served)
{
	struct ini *old = s->old_number > 0 ? next->ini[s->old_number - 1] : NULL;

	rollback_go_on(&next->app, s, next->ini[served], old);
	next->app.state = serving >= 0 ? APP_RUNNING : APP_SLEEPING;
	if (serving < 0)
		return;
	next->app.serving = next->g[serving];
	next->app.serving->passed = true;
	next->app.serving->serving_ns = clock_now_ns();
}

static void a_probation_goes_on_with_all_its_counts(void **state)
{
	struct world *w = *state;
	struct world *next;
	struct buf out = {0};
	struct saved s;

	serve(w, 0);
	count(w, 0, 100, 1);
	count(w, 1, 7, 7); /* of its bank's owner before */
	serve(w, 1);
	count(w, 1, 15, 4);
	look(w);
	hand_over(w, &out, &s);
	assert_int_equal(set_up((void **)&next), 0);
	take_over(next, &s, 1, 1);
	/* the same board */
	count(next, 1, 7 + 15, 7 + 4);
	rollback_watch_on(&next->app, &s, true);
	assert_false(next->g[1]->passed);
	look(next);
	assert_int_equal(changes, 0);
	count(next, 1, 10, 10);
	look(next);
	assert_string_equal(change_why,
			    "generation 2 is rolled back to what generation 1 ran: 14 of its first "
			    "25 requests failed; of 100 before, 1 did");
	expect_chdir(next, "/srv/r1");
	assert_int_equal(tear_down((void **)&next), 0);
	buf_done(&out);
}

static void counters_that_begin_anew_are_counted_from_there(void **state)
{
	struct world *w = *state;
	struct world *next;
	struct buf out = {0};
	struct saved s;

	serve(w, 0);
	count(w, 1, 1000, 0);
	serve(w, 1);
	hand_over(w, &out, &s);
	assert_int_equal(set_up((void **)&next), 0);
	take_over(next, &s, 1, 1);
	rollback_watch_on(&next->app, &s, false);
	count(next, 1, 30, 30);
	look(next);
	assert_int_equal(changes, 1);
	assert_int_equal(tear_down((void **)&next), 0);
	buf_done(&out);
}

static void one_that_ended_long_ago_is_not_judged(void **state)
{
	static const struct {
		unsigned age_s;
		bool goes_on;
	} cases[] = {{0, true}, {30, true}, {59, true}, {60, false}, {100, false}};
	struct world *w = *state;
	struct buf out = {0};
	struct saved s;

	serve(w, 0);
	serve(w, 1);
	hand_over(w, &out, &s);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world *next;

		assert_int_equal(set_up((void **)&next), 0);
		take_over(next, &s, 1, 1);
		next->g[1]->serving_ns -= cases[i].age_s * NS_PER_S;
		rollback_watch_on(&next->app, &s, true);
		assert_int_equal(!next->g[1]->passed, cases[i].goes_on);
		assert_int_equal(is_watched(next), cases[i].goes_on);
		/* the way back stays open */
		assert_ptr_equal(rollback_previous(&next->app), next->ini[0]);
		assert_int_equal(tear_down((void **)&next), 0);
	}
	buf_done(&out);
}

static void a_rollback_that_was_only_begun_is_still_to_come(void **state)
{
	struct world *w = *state;
	struct world *next;
	struct buf out = {0};
	struct saved s;

	w->g[0]->loaded->wanted = 8; /* max-workers had left it fewer */
	serve(w, 0);
	serve(w, 1);
	assert_int_equal(rollback_by_command(&w->app, NULL), 0);
	hand_over(w, &out, &s);
	assert_int_equal(set_up((void **)&next), 0);
	take_over(next, &s, 1, 1);
	rollback_watch_on(&next->app, &s, true);
	assert_ptr_equal(rollback_ini(&next->app), next->ini[0]);
	expect_processes(next, 8);
	assert_string_equal(next->app.rolled_why,
			    "rolled back by command to what generation 1 ran");
	expect_chdir(next, "/srv/r1");
	/* nobody rolls back what is about to go, nor is it trusted if that fails */
	assert_false(is_watched(next));
	assert_false(next->g[1]->passed);
	serve(next, 2);
	assert_null(next->app.previous);
	assert_int_equal(tear_down((void **)&next), 0);
	buf_done(&out);
}

static void what_came_back_is_what_starts_whether_it_runs_or_sleeps(void **state)
{
	struct world *w = *state;

	w->g[0]->loaded->wanted = 8;
	serve(w, 0);
	serve(w, 1);
	assert_int_equal(rollback_by_command(&w->app, NULL), 0);
	/* generation 3 runs the bytes and the release of generation 1 */
	free(w->g[2]->config);
	w->g[2]->config = malloc(w->g[0]->config_n);
	assert_non_null(w->g[2]->config);
	w->g[2]->config_n = w->g[0]->config_n;
	memcpy(w->g[2]->config, w->g[0]->config, w->g[0]->config_n);
	serve(w, 2);
	for (int serving = 2; serving >= -1; serving -= 3) {
		struct world *next;
		struct buf out = {0};
		struct saved s;

		w->app.serving = serving >= 0 ? w->g[2] : NULL;
		hand_over(w, &out, &s);
		assert_int_equal(set_up((void **)&next), 0);
		take_over(next, &s, serving, 0);
		rollback_watch_on(&next->app, &s, true);
		assert_ptr_equal(rollback_ini(&next->app), next->ini[0]);
		assert_null(next->app.previous);
		assert_false(is_watched(next));
		expect_chdir(next, "/srv/r1");
		expect_processes(next, 8);
		assert_int_equal(tear_down((void **)&next), 0);
		buf_done(&out);
	}
}

/* As the emperor has it that was stopped: nothing serves any more, config is what did. */
static void stop(struct world *w, struct buf *out, struct saved *ret)
{
	struct saved s = {.ended = 1, .begun = 1, .numbers = 7, .served = 2};
	const struct generation *g = w->app.serving;

	s.config = span_of(g->config, g->config_n);
	rollback_describe(&w->app, &s);
	assert_int_equal(saved_encode(&s, out), 0);
	assert_int_equal(saved_decode(buf_span(out), ret, NULL), 0);
}

static void after_a_stop_the_same_code_has_the_same_way_back_and_other_code_what_ended(void **state)
{
	struct world *w = *state;

	serve(w, 0);
	serve(w, 1);
	for (unsigned starts = 1; starts <= 2; starts++) {
		struct world *next;
		struct buf out = {0};
		struct saved s;

		stop(w, &out, &s);
		assert_int_equal(set_up((void **)&next), 0);
		rollback_go_on(&next->app, &s, next->ini[1], next->ini[0]);
		serve(next, starts);
		assert_true(next->g[starts]->passed);
		assert_ptr_equal(rollback_previous(&next->app), next->ini[starts == 1 ? 0 : 1]);
		assert_null(next->app.ended);
		assert_int_equal(tear_down((void **)&next), 0);
		buf_done(&out);
	}
}

static void what_was_rolled_back_from_is_held_until_the_ini_leads_elsewhere(void **state)
{
	static const char *const links[] = {"/srv/r2", "/srv/r3"};
	struct world *w = *state;

	serve(w, 0);
	serve(w, 1);
	assert_int_equal(rollback_by_command(&w->app, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		struct world *next;
		struct buf out = {0};
		struct saved s;
		struct ini *ini;

		stop(w, &out, &s);
		assert_int_equal(s.bad_number, 2);
		assert_int_equal(set_up((void **)&next), 0);
		rollback_go_on(&next->app, &s, next->ini[1], next->ini[0]);
		/* what the file leads to by now; other limits are no other code */
		ini = make_ini(2, 5);
		free(ini->bytes);
		assert_true(asprintf(&ini->bytes,
				     "[vassal]\nmodule = x\nuid = root\nchdir = %s\n"
				     "probation = 5\nenv = NUMBER=2\n",
				     links[i]) > 0);
		ini->n = strlen(ini->bytes);
		next->app.wanted = ini;
		rollback_rested(&next->app);
		assert_int_equal(next->app.rolled != NULL, i == 0);
		ini_unref(TAKE_PTR(next->app.wanted));
		assert_int_equal(tear_down((void **)&next), 0);
		buf_done(&out);
	}
}

/* Version 1 of what is written down had neither a configuration nor the reason. */
static void of_an_emperor_that_said_less_the_ini_counts(void **state)
{
	static const struct {
		enum app_state state;
		const char *reason, *why;
	} cases[] = {
		{APP_RUNNING, "rolled back: bad", "rolled back: bad"},
		{APP_RUNNING, "", "rolled back before: an older version serves"},
		{APP_SLEEPING, "no request for 60 s",
		 "rolled back before: an older version serves"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct saved s = {.state = (uint64_t)cases[i].state, .rolled = 1};
		struct world *next;

		(void)snprintf(s.reason, sizeof(s.reason), "%s", cases[i].reason);
		assert_int_equal(set_up((void **)&next), 0);
		rollback_go_on(&next->app, &s, next->ini[0], NULL);
		assert_string_equal(next->app.rolled_why, cases[i].why);
		expect_chdir(next, "/srv/current");
		assert_int_equal(tear_down((void **)&next), 0);
	}
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_first_that_serves_is_not_on_trial),
		CASE(one_that_replaces_another_is_and_that_is_what_to_come_back_to),
		cmocka_unit_test_setup_teardown(
			without_probation_nobody_is_judged_but_there_is_a_way_back,
			set_up_without_probation, tear_down),
		CASE(one_that_was_never_trusted_is_nothing_to_come_back_to),
		CASE(one_that_passes_is_written_down_as_such),
		CASE(one_that_fails_is_rolled_back_once),
		CASE(nobody_is_judged_while_another_starts),
		CASE(what_came_back_is_trusted_and_leads_nowhere_further),
		CASE(what_came_back_after_a_loss_has_come_back_too),
		CASE(a_rollback_by_command_needs_one_that_runs),
		CASE(the_release_that_ran_comes_back_wherever_its_link_leads),
		CASE(what_was_cut_comes_back_with_all_that_its_ini_wants),
		CASE(a_probation_goes_on_with_all_its_counts),
		CASE(counters_that_begin_anew_are_counted_from_there),
		CASE(one_that_ended_long_ago_is_not_judged),
		CASE(a_rollback_that_was_only_begun_is_still_to_come),
		CASE(what_came_back_is_what_starts_whether_it_runs_or_sleeps),
		CASE(after_a_stop_the_same_code_has_the_same_way_back_and_other_code_what_ended),
		CASE(what_was_rolled_back_from_is_held_until_the_ini_leads_elsewhere),
		CASE(of_an_emperor_that_said_less_the_ini_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

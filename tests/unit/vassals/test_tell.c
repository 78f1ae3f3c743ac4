/*
 * test_tell - what the gate and the stats role hear about an app in each of its states. roles_tell is wrapped: what
 * would be sent is kept.
 */
#include "emperor/vassals/internal.h"

#include <errno.h>
#include <sys/stat.h>

#include "shared/clock.h"
#include "shared/scoreboard.h"
#include "tests/unit/vassals/fixture.h"

#define SAID_MAX 32

struct said {
	enum role_id id;
	struct role_msg m;
	char text[ROLE_TEXT];
	ino_t fd;        /* of the first descriptor; 0: none */
	char shown[128]; /* what a STATS_INI has in it */
	int nfds;
};

static struct said said[SAID_MAX];
static size_t said_n;

void __wrap_roles_tell(struct roles *r, enum role_id id, const struct role_msg *m, const char *text,
		       const int *fds, int nfds);

void __wrap_roles_tell(struct roles *r, enum role_id id, const struct role_msg *m, const char *text,
		       const int *fds, int nfds)
{
	struct said *s = &said[said_n++];
	struct stat st;

	(void)r;
	assert_true(said_n <= SAID_MAX);
	*s = (struct said){.id = id, .m = *m, .nfds = nfds};
	(void)snprintf(s->text, sizeof(s->text), "%s", text ? text : "");
	if (nfds > 0) {
		assert_int_equal(fstat(fds[0], &st), 0);
		s->fd = st.st_ino;
		if (m->kind == STATS_INI)
			assert_true(pread(fds[0], s->shown, sizeof(s->shown) - 1, 0) > 0);
	}
}

/* The only one of that kind since the last forget(); NULL: none was said. */
static const struct said *heard(enum role_kind kind)
{
	const struct said *found = NULL;

	for (size_t i = 0; i < said_n; i++)
		if (said[i].m.kind == kind) {
			assert_null(found);
			found = &said[i];
		}
	return found;
}

static size_t count(enum role_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < said_n; i++)
		n += said[i].m.kind == kind;
	return n;
}

static void forget(void)
{
	said_n = 0;
}

struct world {
	struct vassals v;
	struct app app;
	int observed;
};

static void on_change(void *arg, const struct app_info *info, bool gone, unsigned event_kind,
		      const char *event_text)
{
	struct world *w = arg;

	(void)event_kind;
	(void)event_text;
	assert_string_equal(info->name, "blog");
	w->observed += gone ? 100 : 1;
}

static void open_doors(struct app *a)
{
	struct door_set set;
	bool clamped;

	assert_int_equal(doors_open(&a->doors, a->face, &set, &clamped, NULL), 0);
}

/* Each %d is our pid: abstract names are the whole machine's. */
static struct loaded *load(const char *keys)
{
	char text[256] = "[vassal]\nmodule = x\n";

	for (const char *p = keys; *p; p += p[0] == '%' ? 2 : 1) {
		size_t n = strlen(text);

		if (*p == '%')
			(void)snprintf(text + n, sizeof(text) - n, "%d", (int)getpid());
		else
			(void)snprintf(text + n, sizeof(text) - n, "%c", *p);
	}
	return fixture_load(text);
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		return -1;
	w->v.setup.roles = (struct roles *)w; /* never looked at */
	assert_int_equal(vassals_observe(&w->v, on_change, w), 0);
	w->app =
		(struct app){.v = &w->v, .id = 42, .name = "blog", .board_fd = 0, .board_ro_fd = 0};
	doors_init(&w->app.doors);
	assert_int_equal(doors_open_gate(&w->app.doors, NULL), 0);
	w->app.face =
		load("http = 127.0.0.1:0\nsocket = @test-tell-%d\nstats = @test-tell-stats-%d\n");
	open_doors(&w->app);
	assert_int_equal(w->app.doors.n, 3);
	forget();
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	doors_done(&w->app.doors);
	loaded_unref(w->app.face);
	free(w);
	return 0;
}

static void be_after(struct world *w, enum app_state state, unsigned failures, bool unready)
{
	w->app.state = state;
	w->app.restart.failures = failures;
	w->app.restart.unready = unready;
	w->app.restart.backoff.next_ns = clock_now_ns() + 30 * NS_PER_S;
	forget();
	tell_change(&w->app, 0, "");
}

/* What fails never gets ready. */
static void be(struct world *w, enum app_state state, unsigned failures)
{
	be_after(w, state, failures, failures > 0);
}

static void who_has_served_before_is_waited_for(void **state)
{
	static const struct {
		enum app_state state;
		unsigned failures;
		enum gate_state gate;
	} cases[] = {
		{APP_STARTING, 1, GATE_SERVING},
		{APP_BACKOFF, LIMIT_RESTARTS_HELD, GATE_SERVING},
		{APP_STARTING, LIMIT_RESTARTS_HELD, GATE_SERVING},
		{APP_BACKOFF, LIMIT_RESTARTS_HELD + 1, GATE_DOWN},
		{APP_STARTING, LIMIT_RESTARTS_HELD + 1, GATE_DOWN},
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		be_after(w, cases[i].state, cases[i].failures, false);
		assert_int_equal(heard(GATE_STATE)->m.a, cases[i].gate);
	}
}

static void the_gate_hears_whether_to_wait_or_to_refuse(void **state)
{
	static const struct {
		enum app_state state;
		unsigned failures;
		enum gate_state gate;
		unsigned retry_min, retry_max;
	} cases[] = {
		{APP_STARTING, 0, GATE_SERVING, 1, 5}, /* a first start, or somebody mended it */
		{APP_STARTING, 3, GATE_DOWN, 1, 5},    /* tried again by itself */
		{APP_RUNNING, 0, GATE_SERVING, 1, 5},   {APP_RUNNING, 3, GATE_SERVING, 1, 5},
		{APP_REPLACING, 0, GATE_SERVING, 1, 5}, {APP_SLEEPING, 0, GATE_SERVING, 1, 5},
		{APP_BACKOFF, 1, GATE_DOWN, 30, 33}, /* when the next try is, and a little */
		{APP_STOPPING, 0, GATE_DOWN, 60, 60},   {APP_STOPPED, 0, GATE_DOWN, 60, 60},
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct said *s;

		be(w, cases[i].state, cases[i].failures);
		s = heard(GATE_STATE);
		assert_non_null(s);
		assert_int_equal(s->id, ROLE_ID_GATE);
		assert_int_equal(s->m.app, 42);
		assert_int_equal(s->m.a, cases[i].gate);
		assert_in_range(s->m.b, cases[i].retry_min, cases[i].retry_max);
	}
	assert_int_equal(w->observed, ARRAY_SIZE(cases));
}

static void own_listeners_are_lent_once_while_it_is_absent_and_taken_back_once(void **state)
{
	struct world *w = *state;

	be(w, APP_STARTING, 0);
	assert_int_equal(count(GATE_LISTENER) + count(GATE_LISTENER_GONE), 0);
	be(w, APP_BACKOFF, 1);
	assert_int_equal(count(GATE_LISTENER), 2);
	for (size_t i = 0; i < said_n; i++) {
		const struct said *s = &said[i];
		struct stat st;
		const struct door *door;

		if (s->m.kind != GATE_LISTENER)
			continue;
		door = &w->app.doors.v[s->m.b - 1];
		assert_int_equal(s->m.b, door->number);
		assert_int_equal(s->m.a,
				 door->address.sa.sa_family == AF_UNIX ? GATE_ANY : GATE_HTTP);
		assert_int_equal(fstat(door->fd, &st), 0);
		assert_int_equal(s->fd, st.st_ino);
		assert_in_range(s->m.c, 30, 33);
	}
	be(w, APP_STARTING, 1);
	assert_int_equal(count(GATE_LISTENER) + count(GATE_LISTENER_GONE), 0);
	be(w, APP_RUNNING, 1);
	assert_int_equal(count(GATE_LISTENER_GONE), 2);
	be(w, APP_REPLACING, 0);
	assert_int_equal(count(GATE_LISTENER) + count(GATE_LISTENER_GONE), 0);
}

static void a_door_that_the_app_no_longer_wants_is_not_lent(void **state)
{
	struct world *w = *state;

	loaded_unref(w->app.face);
	w->app.face = load("socket = @test-tell-%d\n");
	be(w, APP_BACKOFF, 1);
	assert_int_equal(heard(GATE_LISTENER)->m.a, GATE_ANY);
}

static void a_new_gate_is_told_all_of_it_again(void **state)
{
	struct world *w = *state;

	be(w, APP_STOPPED, 0);
	for (int i = 0; i < 2; i++) {
		forget();
		tell_app_to(&w->app, ROLE_ID_GATE);
		assert_int_equal(said[0].m.kind, GATE_APP); /* first who it is */
		assert_int_equal(said[0].nfds, 2);
		assert_string_equal(said[0].text, "blog");
		assert_int_equal(heard(GATE_STATE)->m.a, GATE_DOWN);
		assert_int_equal(count(GATE_LISTENER), 2);
		for (size_t k = 0; k < said_n; k++)
			assert_int_equal(said[k].id, ROLE_ID_GATE);
	}
}

static void a_new_stats_role_hears_board_state_and_stats_socket_but_no_event(void **state)
{
	struct world *w = *state;
	struct stat st;
	int fd = doors_find(&w->app.doors, &w->app.face->stats);

	w->app.state = APP_RUNNING;
	tell_app_to(&w->app, ROLE_ID_STATS);
	assert_int_equal(said[0].m.kind, STATS_APP);
	assert_int_equal(heard(STATS_STATE)->m.a, APP_RUNNING);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(heard(STATS_LISTENER)->fd, st.st_ino);
	assert_string_equal(heard(STATS_LISTENER)->text, "blog");
	assert_null(heard(STATS_EVENT));
	for (size_t k = 0; k < said_n; k++)
		assert_int_equal(said[k].id, ROLE_ID_STATS);
}

static void the_history_hears_what_runs_without_its_secrets(void **state)
{
	static char bytes[] = "[vassal]\nmodule = x\nenv = A=secret1\n";
	struct world *w = *state;
	struct ini ini = {.refs = 1, .bytes = bytes, .n = sizeof(bytes) - 1};
	struct generation g = {.number = 7, .ini = &ini, .serving_wall_ns = 99};

	w->app.serving = &g;
	tell_ini(&w->app, 5);
	assert_int_equal(heard(STATS_INI)->m.b, 7);
	assert_int_equal(heard(STATS_INI)->m.d, 5);
	assert_string_equal(heard(STATS_INI)->shown, "[vassal]\nmodule = x\nenv = A=***\n");
	assert_int_equal(
		heard(STATS_INI)->m.a,
		fingerprint_digest(heard(STATS_INI)->shown, strlen(heard(STATS_INI)->shown)));
	/* a stats role that was restarted knows nothing */
	forget();
	w->app.state = APP_STOPPED; /* nothing else of it is looked at */
	w->app.generations = NULL;
	tell_app_to(&w->app, ROLE_ID_STATS);
	assert_int_equal(heard(STATS_INI)->m.d, 99);
	w->app.serving = NULL;
	forget();
	tell_app_to(&w->app, ROLE_ID_STATS);
	assert_null(heard(STATS_INI));
}

static void an_event_is_told_with_its_text_and_a_mere_change_is_none(void **state)
{
	struct world *w = *state;

	tell_change(&w->app, 0, "");
	assert_null(heard(STATS_EVENT));
	forget();
	tell_change(&w->app, 3, "why");
	assert_int_equal(heard(STATS_EVENT)->m.a, 3);
	assert_string_equal(heard(STATS_EVENT)->text, "why");
}

static void what_failed_is_told_by_its_own_number_and_of_a_long_text_the_end(void **state)
{
	struct world *w = *state;
	char text[3 * ROLE_TEXT] = "";

	w->app.numbers = 4;
	tell_change_of(&w->app, 9, EVENT_FAILED, "why");
	assert_int_equal(heard(STATS_EVENT)->m.b, 9);
	for (unsigned i = 0; i < 200; i++)
		(void)snprintf(text + 10 * (size_t)i, sizeof(text) - 10 * (size_t)i, "line %04u\n",
			       i);
	forget();
	tell_change(&w->app, EVENT_FAILED, text);
	assert_int_equal(heard(STATS_EVENT)->m.b, 4);
	assert_int_equal(strncmp(heard(STATS_EVENT)->text, "line 0", 6), 0);
	assert_true(strlen(heard(STATS_EVENT)->text) > ROLE_TEXT - 20);
	assert_non_null(strstr(heard(STATS_EVENT)->text, "line 0199\n"));
	/* one line has no better end */
	memset(text, 'x', 2 * ROLE_TEXT);
	forget();
	tell_change(&w->app, EVENT_FAILED, text);
	assert_int_equal(strncmp(heard(STATS_EVENT)->text, text, ROLE_TEXT - 1), 0);
}

static void both_roles_and_observers_hear_that_it_is_gone(void **state)
{
	struct world *w = *state;

	tell_gone(&w->app);
	assert_int_equal(heard(GATE_APP_GONE)->m.app, 42);
	assert_int_equal(heard(STATS_APP_GONE)->m.app, 42);
	assert_int_equal(w->observed, 100);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_gate_hears_whether_to_wait_or_to_refuse),
		CASE(who_has_served_before_is_waited_for),
		CASE(own_listeners_are_lent_once_while_it_is_absent_and_taken_back_once),
		CASE(a_door_that_the_app_no_longer_wants_is_not_lent),
		CASE(a_new_gate_is_told_all_of_it_again),
		CASE(a_new_stats_role_hears_board_state_and_stats_socket_but_no_event),
		CASE(the_history_hears_what_runs_without_its_secrets),
		CASE(an_event_is_told_with_its_text_and_a_mere_change_is_none),
		CASE(what_failed_is_told_by_its_own_number_and_of_a_long_text_the_end),
		CASE(both_roles_and_observers_hear_that_it_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

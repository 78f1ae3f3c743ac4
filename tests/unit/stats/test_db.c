/*
 * db: what was stored comes back, and goes when it is old.
 */
#include "tests/unit/stats/db_fixture.h"

static void every_counter_and_gauge_comes_back_after_a_restart(void **state)
{
	struct fixture *f = *state;
	struct record_minute m = minute("blog", NOW_S, 100);
	struct db *db = open_db(f);

	assert_int_equal(db_begin(db, &f->err), 0);
	assert_int_equal(db_add_minute(db, &m, &f->err), 0);
	assert_int_equal(db_commit(db, &f->err), 0);
	db_close(db);

	db = open_db(f);
	assert_int_equal(db_read_minutes(db, "blog", NOW_S, 5, take_minute, f, &f->err), 0);
	assert_int_equal(f->minutes_n, 1);
	assert_memory_equal(&f->minutes[0], &m, sizeof(m));
	f->minutes_n = 0;
	assert_int_equal(db_read_minutes(db, "shop", 0, 5, take_minute, f, &f->err), 0);
	assert_int_equal(db_read_minutes(db, "blog", NOW_S + 1, 5, take_minute, f, &f->err), 0);
	assert_int_equal(f->minutes_n, 0);
	db_close(db);
	assert_int_equal(ask(f->path, "PRAGMA user_version"), DB_SCHEMA_VERSION);
	assert_int_equal(ask(f->path, "SELECT requests FROM minutes"), 101);
}

static void two_rows_for_one_minute_are_added_up(void **state)
{
	struct fixture *f = *state;
	struct record_minute a = minute("blog", NOW_S, 5);
	struct record_minute b = minute("blog", NOW_S, 7);
	struct db *db = open_db(f);

	assert_int_equal(db_add_minute(db, &a, &f->err), 0);
	assert_int_equal(db_add_minute(db, &b, &f->err), 0);
	assert_int_equal(db_read_minutes(db, "blog", 0, 5, take_minute, f, &f->err), 0);
	assert_int_equal(f->minutes_n, 1);
	for (size_t i = 0; i < record_counters_n(); i++)
		assert_int_equal(f->minutes[0].counters[i], a.counters[i] + b.counters[i]);
	for (size_t i = 0; i < GAUGE_COUNT; i++)
		assert_int_equal(f->minutes[0].gauges[i], b.gauges[i]);
	db_close(db);
}

static void events_are_found_by_app_from_the_end_and_after_an_id(void **state)
{
	struct fixture *f = *state;
	struct db *db = open_db(f);

	for (unsigned i = 0; i < 10; i++) {
		struct record_event e =
			event(i % 2 ? "shop" : "blog", i + 1, "x'); DROP TABLE events;--");

		assert_int_equal(db_add_event(db, &e, &f->err), 0);
	}
	assert_int_equal(db_read_events(db, "", -1, 3, take_event, f, &f->err), 0);
	assert_int_equal(f->events_n, 3);
	assert_int_equal(f->events[0].wall_ns, 8);
	assert_int_equal(f->events[2].wall_ns, 10);
	assert_string_equal(f->events[2].app, "shop");
	assert_string_equal(f->events[2].text, "x'); DROP TABLE events;--");
	assert_int_equal(f->events[2].kind, EVENT_WORKER_KILLED);
	assert_int_equal(f->events[2].worker, 2);
	assert_int_equal(f->events[2].generation, 3);

	f->events_n = 0;
	assert_int_equal(db_read_events(db, "blog", -1, 2, take_event, f, &f->err), 0);
	assert_int_equal(f->events[0].wall_ns, 7);
	assert_int_equal(f->events[1].wall_ns, 9);
	f->events_n = 0;
	assert_int_equal(db_read_events(db, "", 4, 2, take_event, f, &f->err), 0);
	assert_int_equal(f->events[0].id, 5);
	assert_int_equal(f->events[1].id, 6);
	db_close(db);
}

static void events_are_told_in_the_order_in_which_they_happened(void **state)
{
	static const unsigned stored[] = {1, 2, 7, 8, 5, 3, 6, 4}; /* the emperor's come first */
	struct fixture *f = *state;
	struct db *db = open_db(f);
	struct record_event e;

	for (size_t i = 0; i < ARRAY_SIZE(stored); i++) {
		e = event("blog", stored[i], "late");
		assert_int_equal(db_add_event(db, &e, &f->err), 0);
	}
	e = event("blog", 8, "in the same turn");
	assert_int_equal(db_add_event(db, &e, &f->err), 0);
	assert_int_equal(db_read_events(db, "", -1, 4, take_event, f, &f->err), 0);
	assert_int_equal(db_read_events(db, "blog", -1, 9, take_event, f, &f->err), 0);
	assert_int_equal(f->events_n, 13);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(f->events[i].wall_ns, 6 + i);
	assert_string_equal(f->events[2].text, "late");
	assert_string_equal(f->events[3].text, "in the same turn");
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(f->events[4 + i].wall_ns, 1 + i);
	/* who follows gets what was stored since, however early it happened */
	f->events_n = 0;
	assert_int_equal(db_read_events(db, "", 4, 3, take_event, f, &f->err), 0);
	assert_int_equal(f->events[0].wall_ns, 3);
	assert_int_equal(f->events[1].wall_ns, 5);
	assert_int_equal(f->events[2].wall_ns, 6);
	db_close(db);
}

static void the_same_event_twice_is_stored_once(void **state)
{
	struct fixture *f = *state;
	struct record_event e = event("blog", 77, "once");
	struct db *db = open_db(f);

	assert_int_equal(db_add_event(db, &e, &f->err), 0);
	assert_int_equal(db_add_event(db, &e, &f->err), 0);
	assert_int_equal(db_read_events(db, "", -1, 9, take_event, f, &f->err), 0);
	assert_int_equal(f->events_n, 1);
	db_close(db);
}

static void a_blame_record_comes_back_whole_and_once(void **state)
{
	struct fixture *f = *state;
	struct record_blame b = blame("blog", 1);
	struct db *db = open_db(f);

	assert_int_equal(db_add_blame(db, &b, &f->err), 0);
	assert_int_equal(db_add_blame(db, &b, &f->err), 0);
	db_close(db);
	db = open_db(f);
	assert_int_equal(db_read_blames(db, "blog", 10, take_blame, f, &f->err), 0);
	assert_int_equal(f->blames_n, 1);
	b.id = f->newest.id;
	assert_memory_equal(&f->newest, &b, sizeof(b));
	db_close(db);
}

static void an_app_keeps_its_last_blame_records_and_no_others(void **state)
{
	struct fixture *f = *state;
	struct record_blame b = blame("shop", 0);
	struct db *db = open_db(f);

	assert_int_equal(db_begin(db, &f->err), 0);
	assert_int_equal(db_add_blame(db, &b, &f->err), 0);
	for (unsigned i = 0; i < DB_KEEP_BLAMES + 5; i++) {
		b = blame("blog", i);
		assert_int_equal(db_add_blame(db, &b, &f->err), 0);
	}
	assert_int_equal(db_commit(db, &f->err), 0);
	assert_int_equal(db_read_blames(db, "blog", 1000, take_blame, f, &f->err), 0);
	assert_int_equal(f->blames_n, DB_KEEP_BLAMES);
	assert_string_equal(f->newest.r.request, "GET /204");
	assert_string_equal(f->oldest.r.request, "GET /5");
	f->blames_n = 0;
	assert_int_equal(db_read_blames(db, "shop", 1000, take_blame, f, &f->err), 0);
	assert_int_equal(f->blames_n, 1);
	f->blames_n = 0;
	assert_int_equal(db_read_blames(db, "", 3, take_blame, f, &f->err), 0);
	assert_int_equal(f->blames_n, 3);
	assert_string_equal(f->newest.app, "blog");
	db_close(db);
}

struct shown {
	struct record_ini first, last;
	char bytes[64];
	unsigned n;
};

static void take_ini(void *arg, const struct record_ini *i, const char *bytes)
{
	struct shown *s = arg;

	if (s->n++ == 0)
		memcpy(&s->first, i, sizeof(s->first));
	memcpy(&s->last, i, sizeof(s->last));
	(void)snprintf(s->bytes, sizeof(s->bytes), "%.*s", bytes ? (int)i->n : 6,
		       bytes ? bytes : "(none)");
}

static void add_ini(struct fixture *f, struct db *db, const char *app, uint64_t generation,
		    const char *bytes, uint64_t wall_ns)
{
	size_t n = strlen(bytes);
	struct record_ini *i = calloc(1, sizeof(*i) + n);

	assert_non_null(i);
	i->wall_ns = wall_ns;
	i->generation = generation;
	i->digest = UINT64_MAX - (unsigned char)bytes[0]; /* as large as they come */
	i->n = n;
	(void)snprintf(i->app, sizeof(i->app), "%s", app);
	memcpy(i->bytes, bytes, n);
	assert_int_equal(db_add_ini(db, i, &f->err), 0);
	free(i);
}

static struct shown inis(struct fixture *f, struct db *db, const char *app, uint64_t generation)
{
	struct shown s = {0};

	assert_int_equal(db_read_inis(db, app, generation, 99, take_ini, &s, &f->err), 0);
	return s;
}

static void inis_are_listed_newest_first_and_shown_by_their_generation(void **state)
{
	struct fixture *f = *state;
	struct db *db = open_db(f);
	struct shown s;

	add_ini(f, db, "blog", 1, "a", 10);
	add_ini(f, db, "blog", 1, "a", 11); /* told again */
	add_ini(f, db, "blog", 1, "b'); --", 12);
	add_ini(f, db, "blog", 1, "a", 13); /* and back: that is news */
	add_ini(f, db, "shop", 1, "z", 14);
	add_ini(f, db, "blog", 2, "a", 15); /* a later generation runs by the same */
	add_ini(f, db, "blog", 4, "d", 17);
	s = inis(f, db, "blog", 0);
	assert_int_equal(s.n, 4);
	assert_int_equal(s.first.wall_ns, 17);
	assert_int_equal(s.first.generation, 4);
	assert_string_equal(inis(f, db, "blog", 2).bytes, "a");
	assert_int_equal(inis(f, db, "blog", 3).n, 0);
	assert_int_equal(s.first.digest, UINT64_MAX - 'd');
	assert_int_equal(s.first.n, 1);
	assert_int_equal(s.last.wall_ns, 10);
	assert_string_equal(s.bytes, "(none)");
	s = inis(f, db, "blog", 1);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.first.wall_ns, 13);
	assert_string_equal(s.bytes, "a");
	add_ini(f, db, "blog", 1, "c;\n", 16); /* of an emperor that began anew */
	assert_string_equal(inis(f, db, "blog", 1).bytes, "c;\n");
	assert_int_equal(inis(f, db, "blog", 9).n, 0);
	assert_int_equal(inis(f, db, "none", 0).n, 0);
	db_close(db);
}

static void an_ini_that_leads_to_another_release_is_news(void **state)
{
	static const struct {
		const char *release;
		unsigned rows;
	} told[] = {{"/srv/r1", 1}, {"/srv/r1", 1}, {"/srv/r2", 2}, {"/srv/r1", 3}};
	struct fixture *f = *state;
	struct db *db = open_db(f);
	struct record_ini *i = calloc(1, sizeof(*i));

	assert_non_null(i);
	(void)snprintf(i->app, sizeof(i->app), "blog");
	for (size_t k = 0; k < ARRAY_SIZE(told); k++) {
		i->generation = k + 1;
		(void)snprintf(i->release, sizeof(i->release), "%s", told[k].release);
		assert_int_equal(db_add_ini(db, i, &f->err), 0);
		assert_int_equal(inis(f, db, "blog", 0).n, told[k].rows);
		assert_string_equal(inis(f, db, "blog", 0).first.release, told[k].release);
	}
	assert_string_equal(inis(f, db, "blog", 3).first.release, "/srv/r2");
	free(i);
	db_close(db);
	/* a build that knew no releases */
	run_sql(f->path, "ALTER TABLE inis DROP COLUMN release;");
	db = open_db(f);
	assert_int_equal(inis(f, db, "blog", 0).n, 3);
	assert_string_equal(inis(f, db, "blog", 0).first.release, "");
	db_close(db);
}

static void an_app_keeps_its_last_inis_and_the_one_in_force_whatever_its_age(void **state)
{
	uint64_t now_ns = NOW_S * NS_PER_S, day_ns = 86400 * NS_PER_S, rows;
	struct fixture *f = *state;
	struct db *db = open_db(f);
	struct record_minute m = minute("blog", NOW_S, 1);
	struct shown s;

	for (unsigned i = 1; i <= DB_KEEP_INIS + 5; i++)
		add_ini(f, db, "many", i, i % 2 ? "x" : "y", now_ns);
	s = inis(f, db, "many", 0);
	assert_int_equal(s.n, DB_KEEP_INIS);
	assert_int_equal(s.last.generation, 6);

	assert_int_equal(db_add_minute(db, &m, &f->err), 0);
	add_ini(f, db, "blog", 1, "old", now_ns - 90 * day_ns);
	add_ini(f, db, "blog", 2, "in force", now_ns - 60 * day_ns);
	add_ini(f, db, "gone", 3, "old", now_ns - 31 * day_ns);
	assert_int_equal(db_prune(db, NOW_S, &rows, &f->err), 0);
	assert_string_equal(inis(f, db, "blog", 2).bytes, "in force");
	assert_int_equal(inis(f, db, "blog", 0).n, 1);
	assert_int_equal(inis(f, db, "gone", 0).n, 0);
	assert_int_equal(inis(f, db, "many", 0).n, DB_KEEP_INIS);
	db_close(db);
	assert_int_equal(ask(f->path, "SELECT count(*) FROM apps WHERE name = 'gone'"), 0);
	/* a file of a build that knew none gets its table */
	run_sql(f->path, "DROP TABLE inis");
	db = open_db(f);
	add_ini(f, db, "blog", 3, "x", now_ns);
	assert_int_equal(inis(f, db, "blog", 0).n, 1);
	db_close(db);
}

static void pruning_takes_old_blame_records_too(void **state)
{
	struct fixture *f = *state;
	struct record_blame b = blame("blog", 1);
	struct db *db = open_db(f);
	uint64_t rows = 0;

	assert_int_equal(db_add_blame(db, &b, &f->err), 0);
	assert_int_equal(db_prune(db, NOW_S, &rows, &f->err), 0);
	assert_int_equal(rows, 0);
	assert_int_equal(db_prune(db, NOW_S + 2 + DB_KEEP_EVENTS_DAYS * 86400, &rows, &f->err), 0);
	assert_int_equal(rows, 2); /* and the app that has nothing else */
	db_close(db);
}

static void pruning_removes_what_is_old_and_nothing_else(void **state)
{
	struct fixture *f = *state;
	const int64_t minutes_edge_s = NOW_S - (int64_t)DB_KEEP_MINUTES_DAYS * 86400;
	const int64_t events_edge_s = NOW_S - (int64_t)DB_KEEP_EVENTS_DAYS * 86400;
	struct record_minute old = minute("gone", minutes_edge_s - 60, 1);
	struct record_minute kept = minute("blog", minutes_edge_s, 1);
	struct record_event old_event =
		event("blog", (uint64_t)(events_edge_s - 1) * NS_PER_S, "old");
	struct record_event kept_event =
		event("blog", (uint64_t)(events_edge_s + 1) * NS_PER_S, "kept");
	struct db *db = open_db(f);
	uint64_t rows = 0;

	assert_int_equal(db_add_minute(db, &old, &f->err), 0);
	assert_int_equal(db_add_minute(db, &kept, &f->err), 0);
	assert_int_equal(db_add_event(db, &old_event, &f->err), 0);
	assert_int_equal(db_add_event(db, &kept_event, &f->err), 0);
	assert_int_equal(db_prune(db, NOW_S, &rows, &f->err), 0);
	assert_int_equal(rows, 3); /* a minute, an event, an app that has neither left */
	assert_int_equal(db_read_events(db, "", -1, 9, take_event, f, &f->err), 0);
	assert_int_equal(f->events_n, 1);
	assert_string_equal(f->events[0].text, "kept");
	assert_int_equal(db_read_minutes(db, "blog", 0, 5, take_minute, f, &f->err), 0);
	assert_int_equal(f->minutes_n, 1);
	db_close(db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_counter_and_gauge_comes_back_after_a_restart),
		TEST(two_rows_for_one_minute_are_added_up),
		TEST(events_are_found_by_app_from_the_end_and_after_an_id),
		TEST(the_same_event_twice_is_stored_once),
		TEST(events_are_told_in_the_order_in_which_they_happened),
		TEST(a_blame_record_comes_back_whole_and_once),
		TEST(an_app_keeps_its_last_blame_records_and_no_others),
		TEST(inis_are_listed_newest_first_and_shown_by_their_generation),
		TEST(an_ini_that_leads_to_another_release_is_news),
		TEST(an_app_keeps_its_last_inis_and_the_one_in_force_whatever_its_age),
		TEST(pruning_takes_old_blame_records_too),
		TEST(pruning_removes_what_is_old_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

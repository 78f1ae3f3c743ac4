/*
 * stats: minutes and events reach the database, also at a stop, after damage and when the disk is full.
 */
#include "tests/unit/stats/role.h"

/* Asks until the answer holds n events. */
static json_t *wait_events(const struct sockaddr_un *a, const char *path, size_t n)
{
	for (unsigned i = 0; i < WAIT_MS / 50; i++) {
		int status = 0;
		json_t *root = http(a, path, &status);

		if (status == 200 && json_array_size(json_object_get(root, "events")) >= n)
			return root;
		json_decref(root);
		(void)poll(NULL, 0, 50);
	}
	fail_msg("%zu events did not come", n);
	return NULL;
}

static void events_of_both_sources_are_stored_and_shown(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un a = add_listener(f, "");
	uint64_t now_ns = clock_wall_ns();
	const json_t *list;
	json_t *root;
	int status = 0;

	say(f, (struct role_msg){.kind = STATS_DB}, f->db, -1);
	fill_blog(f);
	say(f,
	    (struct role_msg){
		    .kind = STATS_EVENT, .app = 1, .a = EVENT_FAILED, .b = 5, .d = now_ns},
	    "ImportError: no module named x", -1);
	board_event(f->blog, now_ns + 1, 4, EVENT_HARAKIRI, 2, "GET /slow ran for 30 s");
	root = wait_events(&a, "/events?app=blog", 2);
	list = json_object_get(root, "events");
	assert_plain(root);
	assert_string_equal(text_of(json_array_get(list, 0), "kind"), "failed");
	assert_string_equal(text_of(json_array_get(list, 0), "app"), "blog");
	assert_int_equal(number(json_array_get(list, 0), "generation"), 5);
	assert_string_equal(text_of(json_array_get(list, 1), "kind"), "harakiri");
	assert_string_equal(text_of(json_array_get(list, 1), "text"), "GET /slow ran for 30 s");
	assert_int_equal(number(json_array_get(list, 1), "worker"), 2);
	json_decref(root);

	root = http(&a, "/apps/blog", &status);
	assert_string_equal(text_of(root, "last_error"), "ImportError: no module named x");
	json_decref(root);
	say(f,
	    (struct role_msg){
		    .kind = STATS_EVENT, .app = 1, .a = EVENT_RELOADED, .b = 6, .d = now_ns + 9},
	    "", -1);
	json_decref(wait_events(&a, "/events", 3));
	root = http(&a, "/apps/blog", &status);
	assert_string_equal(text_of(root, "last_error"), "");
	json_decref(root);
	root = http(&a, "/", &status);
	assert_int_equal(number(json_object_get(root, "history"), "stored"), 3);
	assert_int_equal(number(json_object_get(root, "history"), "failing"), 0);
	json_decref(root);
}

static void take_minute(void *arg, const struct record_minute *m)
{
	struct fixture *f = arg;

	assert_true(f->minutes_n < ARRAY_SIZE(f->minutes));
	f->minutes[f->minutes_n++] = *m;
}

static void take_event(void *arg, const struct record_event *e)
{
	struct fixture *f = arg;

	assert_true(f->events_n < ARRAY_SIZE(f->events));
	f->events[f->events_n++] = *e;
}

static void read_db(struct fixture *f)
{
	struct db *db = NULL;
	struct err err = {0};

	f->minutes_n = 0;
	f->events_n = 0;
	assert_int_equal(db_open(&db, f->db, 1, &err), 0);
	assert_string_equal(err.text, "");
	assert_int_equal(db_read_minutes(db, "blog", 0, 8, take_minute, f, &err), 0);
	assert_int_equal(db_read_events(db, "blog", -1, 64, take_event, f, &err), 0);
	db_close(db);
}

static void work_a_little(struct fixture *f)
{
	struct sockaddr_un a = add_listener(f, "blog");

	/* An answer means that the messages before have been taken, so that the base of the minute stands. */
	json_decref(raw(&a));
	board_add(&f->blog->bank[2].counters.requests, 10);
	board_add(&f->blog->bank[2].counters.exceptions, 4);
	board_event(f->blog, clock_wall_ns(), 4, EVENT_WORKER_RECYCLED, 1, "max-requests");
}

static void assert_stored(struct fixture *f)
{
	uint64_t requests = 0;

	read_db(f);
	for (unsigned i = 0; i < f->minutes_n; i++)
		requests += f->minutes[i].counters[1];
	assert_string_equal(board_fields[1].name, "requests");
	assert_int_equal(requests, 10);
	assert_int_equal(f->events_n, 1);
	assert_string_equal(f->events[0].text, "max-requests");
	assert_int_equal(f->events[0].kind, EVENT_WORKER_RECYCLED);
}

static void told_to_stop_it_stores_what_is_in_hand(void **state)
{
	struct fixture *f = *state;

	say(f, (struct role_msg){.kind = STATS_DB}, f->db, -1);
	fill_blog(f);
	work_a_little(f);
	say(f, (struct role_msg){.kind = STATS_STOP}, NULL, -1);
	(void)pthread_join(f->thread, NULL);
	f->running = false;
	(void)close(f->link);
	assert_int_equal(f->result, 0);
	assert_stored(f);
}

static void when_the_emperor_dies_it_stores_what_is_in_hand(void **state)
{
	struct fixture *f = *state;

	say(f, (struct role_msg){.kind = STATS_DB}, f->db, -1);
	fill_blog(f);
	work_a_little(f);
	end_role(f);
	assert_int_equal(f->result, 0);
	assert_stored(f);
}

static void history_has_the_minutes_of_an_app_that_is_gone(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un a = add_listener(f, "");
	json_t *root;
	int status = 0;

	say(f, (struct role_msg){.kind = STATS_DB}, f->db, -1);
	fill_blog(f);
	work_a_little(f);
	say(f, (struct role_msg){.kind = STATS_APP_GONE, .app = 1}, NULL, -1);
	json_decref(wait_events(&a, "/events?app=blog", 1));
	root = http(&a, "/history?app=blog&minutes=5", &status);
	assert_int_equal(status, 200);
	assert_plain(root);
	assert_string_equal(text_of(root, "app"), "blog");
	assert_int_equal(json_array_size(json_object_get(root, "minutes")), 1);
	root = (json_decref(root), http(&a, "/apps/blog", &status));
	assert_int_equal(status, 404);
	json_decref(root);
}

static void a_corrupt_database_is_set_aside_and_history_goes_on(void **state)
{
	struct fixture *f = *state;
	FILE *file = fopen(f->db, "wb");

	for (unsigned i = 0; i < 5000; i++)
		assert_true(fputc('?', file) != EOF);
	(void)fclose(file);
	say(f, (struct role_msg){.kind = STATS_DB}, f->db, -1);
	fill_blog(f);
	work_a_little(f);
	end_role(f);
	assert_int_equal(files(f, ".corrupt-", false), 1);
	assert_stored(f);
}

static void a_full_disk_costs_history_and_nothing_else(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un a = add_listener(f, "");
	json_int_t dropped = 0;
	bool failing = false;

	fill_blog(f);
	set_file_limit(16L * 1024);
	say(f, (struct role_msg){.kind = STATS_DB}, f->db, -1);
	for (unsigned i = 0; i < 500 && !(failing && dropped > 0); i++) {
		int status = 0;
		json_t *root;

		say(f,
		    (struct role_msg){
			    .kind = STATS_EVENT, .app = 1, .a = EVENT_STARTED, .d = i + 1},
		    "the disk is full", -1);
		root = http(&a, "/", &status);
		assert_int_equal(status, 200);
		dropped = number(json_object_get(root, "history"), "dropped");
		/* a record that fits what is left of the disk may come between */
		failing |= number(json_object_get(root, "history"), "failing") == 1;
		if (dropped > 0)
			assert_true(text_of(json_object_get(root, "history"), "last_error")[0] !=
				    '\0');
		json_decref(root);
		(void)poll(NULL, 0, 10);
	}
	assert_true(failing);
	assert_true(dropped > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(events_of_both_sources_are_stored_and_shown),
		TEST(told_to_stop_it_stores_what_is_in_hand),
		TEST(when_the_emperor_dies_it_stores_what_is_in_hand),
		TEST(history_has_the_minutes_of_an_app_that_is_gone),
		TEST(a_corrupt_database_is_set_aside_and_history_goes_on),
		TEST(a_full_disk_costs_history_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

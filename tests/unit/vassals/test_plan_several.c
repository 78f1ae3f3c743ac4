/*
 * test_plan_several - what the files of a directory would change together: renames, names and addresses that change hands.
 */
#include "tests/unit/vassals/plan.h"

static void what_cannot_be_read_is_not_gone_and_no_plan_for_a_staged_one(_unused_ void **state)
{
	static const struct had had[] = {{"a", TWO, TWO, APP_RUNNING, false, 0}};
	struct err err = {0};
	struct rig *r;

	memset(&world, 0, sizeof(world));
	world.incomplete = true;
	r = make(had, 1);
	assert_int_equal(plan(r, false, &err), 0);
	expect("a", PLAN_NOTHING, "");
	assert_int_equal(plan(r, true, &err), -EIO);
	assert_non_null(strstr(err.text, "/v: cannot be read"));
	assert_int_equal(world.told_n, 0);
	unmake(r);
}

static void a_renamed_file_is_told_at_both_ends(_unused_ void **state)
{
	static const struct had had[] = {{"b", TWO, TWO, APP_RUNNING, false, 0}};
	static const struct file same[] = {{"c", TWO, NULL, false}, {"d", TWO, NULL, false}};
	static const struct file other[] = {{"c", TWO "; x\n", NULL, false}};
	struct rig *r;

	memset(&world, 0, sizeof(world));
	world.files = same;
	world.files_n = 1;
	r = make(had, 1);
	assert_int_equal(plan(r, false, NULL), 0);
	expect("b", PLAN_STOP, "its ini is renamed to c: this app stops, and c starts");
	expect("c", PLAN_START, "renamed from b: that app stops, and this one starts anew; a.test");
	/* two of the same bytes: the first is the one, and the name is its */
	world.files_n = 2;
	assert_int_equal(plan(r, false, NULL), 0);
	expect("c", PLAN_START, "renamed from b");
	expect("d", PLAN_REFUSED, "\"c\" answers for that name already");
	world.files = other;
	world.files_n = 1;
	assert_int_equal(plan(r, false, NULL), 0);
	expect("b", PLAN_STOP, "there is no ini of this name");
	expect("c", PLAN_START, "a.test, uid");
	unmake(r);
}

static void names_go_from_hand_to_hand_but_not_in_a_circle(_unused_ void **state)
{
	static const char one[] = INI("domain = one.test\n"), two[] = INI("domain = two.test\n"),
			  three[] = INI("domain = three.test\n");
	static const struct had had[] = {{"a", one, one, APP_RUNNING, false, 0},
					 {"b", two, two, APP_RUNNING, false, 0}};
	static const struct file taken[] = {
		{"a", one, NULL, false}, {"b", two, NULL, false}, {"c", one, NULL, false}};
	static const struct file chain[] = {
		{"a", two, NULL, true}, {"b", three, NULL, true}, {"c", one, NULL, false}};
	static const struct file circle[] = {{"a", two, NULL, true}, {"b", one, NULL, true}};
	/* who does not get its new name gives up none: the third is refused too */
	static const struct file stuck[] = {
		{"a", INI("domain = two.test\nharakiri = x\n"), NULL, true},
		{"b", two, NULL, false},
		{"c", one, NULL, false}};
	struct rig *r;

	memset(&world, 0, sizeof(world));
	r = make(had, 2);
	world.files = taken;
	world.files_n = 3;
	assert_int_equal(plan(r, false, NULL), 0);
	expect("c", PLAN_REFUSED,
	       "c.ini:3: domain = one.test: \"a\" answers for that name already");
	world.files = chain;
	assert_int_equal(plan(r, false, NULL), 0);
	expect("a", PLAN_RELOAD, "domain: one.test -> two.test");
	expect("b", PLAN_RELOAD, "domain: two.test -> three.test");
	expect("c", PLAN_START, "one.test, uid");
	world.files = stuck;
	assert_int_equal(plan(r, false, NULL), 0);
	expect("a", PLAN_REFUSED, "harakiri");
	expect("c", PLAN_REFUSED, "\"a\" answers for that name already");
	world.files = circle;
	world.files_n = 2;
	assert_int_equal(plan(r, false, NULL), 0);
	expect("a", PLAN_REFUSED, "\"b\" answers for that name already");
	expect("b", PLAN_REFUSED, "\"a\" answers for that name already");
	unmake(r);
}

static void an_address_has_one_app_and_goes_from_hand_to_hand(_unused_ void **state)
{
	static const char tcp[] = INI("http = 127.0.0.1:9\nstats = 127.0.0.1:19\n"),
			  un[] = INI("socket = /x.sock\n"), other[] = INI("http = :10\n");
	static const struct had had[] = {{"a", tcp, tcp, APP_RUNNING, false, 0},
					 {"b", un, un, APP_RUNNING, false, 0}};
	/* what a new file says beside those that stay, what it is told of its third line, and who is in the way */
	static const struct {
		const char *ini, *line, *holder;
	} rows[] = {
		{INI("http = :9\n"), "c.ini:3: :9", "a"},
		{INI("http-socket = 127.0.0.1:9\n"), "c.ini:3: 127.0.0.1:9", "a"},
		{INI("socket = 0.0.0.0:9\nsocket = 0.0.0.0:99\n"), "c.ini:3: 0.0.0.0:9", "a"},
		{INI("socket = 0.0.0.0:99\nuwsgi-socket = :9\n"), "c.ini:4: :9", "a"},
		{INI("fastcgi-socket = :19\n"), "c.ini:3: :19", "a"},
		{INI("stats = 127.0.0.1:9\n"), "c.ini:3: 127.0.0.1:9", "a"},
		{INI("scgi-socket = /x.sock\n"), "c.ini:3: /x.sock", "b"},
		{INI("http = [::]:9\n"), NULL, NULL},
		{INI("http = 127.0.0.2:9\n"), NULL, NULL},
		{INI("socket = /y.sock\n"), NULL, NULL},
		{INI("http = :10\n"), NULL,
		 NULL}, /* the last: d, which is new too, wants it as well */
	};
	struct file files[] = {{"a", tcp, NULL, false},
			       {"b", un, NULL, false},
			       {"c", NULL, NULL, false},
			       {"d", other, NULL, false}};
	struct rig *r;

	memset(&world, 0, sizeof(world));
	r = make(had, 2);
	world.files = files;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool last = i + 1 == ARRAY_SIZE(rows);
		char text[200];

		files[2].text = rows[i].ini;
		world.files_n = last ? 4 : 3;
		for (int staged = 0; staged < 2; staged++) {
			assert_int_equal(plan(r, staged, NULL), 0);
			expect("a", PLAN_NOTHING, "");
			expect("b", PLAN_NOTHING, "");
			if (last) { /* of two new ones the first */
				expect("c", PLAN_START, "http :10");
				expect("d", PLAN_REFUSED, "d.ini:3: :10: the app \"c\" has");
				continue;
			}
			(void)snprintf(text, sizeof(text), "%s: the app \"%s\" has this address",
				       rows[i].line, rows[i].holder);
			expect("c", rows[i].line ? PLAN_REFUSED : PLAN_START,
			       rows[i].line ? text : "uid");
		}
	}
	/* given up in the same change: by another address, and by a file that is gone */
	files[0].text = other;
	files[0].touched = true;
	files[1] = (struct file){"c", INI("http = :9\nsocket = /x.sock\n"), NULL, false};
	world.files_n = 2;
	assert_int_equal(plan(r, false, NULL), 0);
	expect("a", PLAN_RELOAD, "http");
	expect("b", PLAN_STOP, "there is no ini");
	expect("c", PLAN_START, "http :9");
	/* what serves keeps its own until the next one is ready, which cannot have more of it */
	files[0].text = INI("http = :9\n");
	world.files_n = 1;
	assert_int_equal(plan(r, false, NULL), 0);
	expect("a", PLAN_REFUSED,
	       "a.ini:3: :9: the app itself (as 127.0.0.1:9, until it is stopped) has this");
	world.files_n = 2;
	/* and not if who has it cannot take what it would have instead */
	files[0].text = INI("http = :10\nharakiri = x\n");
	assert_int_equal(plan(r, false, NULL), 0);
	expect("a", PLAN_REFUSED, "harakiri");
	expect("c", PLAN_REFUSED, "\"a\" has this address");
	unmake(r);
}

static void a_shared_port_is_the_emperors(_unused_ void **state)
{
	static const struct file file = {"a", INI("socket = 127.0.0.1:8000\n"), NULL, false};
	static char text[] = ":8000";
	struct emperor_options options = {.http_n = 1, .http[0].text = text};
	struct rig *r;

	memset(&world, 0, sizeof(world));
	world.files = &file;
	world.files_n = 1;
	r = make(NULL, 0);
	assert_int_equal(address_parse(text, &options.http[0].address, NULL), 0);
	r->rules.options = &options;
	assert_int_equal(plan(r, false, NULL), 0);
	expect("a", PLAN_REFUSED,
	       "a.ini:3: 127.0.0.1:8000: the emperor (as shared port :8000) has this address");
	unmake(r);
}

static void rows_come_by_name_each_once_and_dead_apps_are_none(_unused_ void **state)
{
	static const char b[] = INI("domain = b.test\n"), d[] = INI("domain = d.test\n");
	static const struct had had[] = {{"b", b, b, APP_RUNNING, false, 0},
					 {"d", d, NULL, APP_STOPPED, true, 0}};
	static const struct file files[] = {{"a", INI("domain = a.test\n"), NULL, false},
					    {"b", INI("domain = b.test\n"), NULL, false},
					    {"c", INI("domain = c.test\n"), NULL, false},
					    {"d", INI("domain = d.test\n"), NULL, false}};
	struct rig *r;

	memset(&world, 0, sizeof(world));
	world.files = files;
	world.files_n = 4;
	r = make(had, 2);
	r->app[1].dead = true;
	assert_int_equal(plan(r, false, NULL), 0);
	assert_int_equal(world.told_n, 4);
	for (size_t i = 0; i < 4; i++)
		assert_string_equal(world.told[i].name, files[i].name);
	expect("d", PLAN_START, "d.test, uid");
	unmake(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_cannot_be_read_is_not_gone_and_no_plan_for_a_staged_one),
		cmocka_unit_test(a_renamed_file_is_told_at_both_ends),
		cmocka_unit_test(names_go_from_hand_to_hand_but_not_in_a_circle),
		cmocka_unit_test(an_address_has_one_app_and_goes_from_hand_to_hand),
		cmocka_unit_test(a_shared_port_is_the_emperors),
		cmocka_unit_test(rows_come_by_name_each_once_and_dead_apps_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

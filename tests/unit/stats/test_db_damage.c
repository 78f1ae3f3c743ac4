/*
 * db: damage, foreign files, newer and older schemas and full disks end as db.h says.
 */
#include "tests/unit/stats/db_fixture.h"

static void a_database_of_an_older_build_gets_its_table_of_blame_records(void **state)
{
	struct fixture *f = *state;
	struct record_event e = event("blog", NOW_S * NS_PER_S, "kept");
	struct record_blame b = blame("blog", 1);
	struct db *db = open_db(f);

	assert_int_equal(db_add_event(db, &e, &f->err), 0);
	db_close(db);
	run_sql(f->path, "DROP TABLE blames; DROP INDEX events_each; DROP INDEX events_by_time;"
			 " CREATE UNIQUE INDEX events_once ON events(app, wall_ns, kind, worker)");
	db = open_db(f);
	assert_string_equal(f->err.text, "");
	assert_int_equal(db_add_blame(db, &b, &f->err), 0);
	assert_int_equal(db_read_blames(db, "blog", 9, take_blame, f, &f->err), 0);
	assert_int_equal(f->blames_n, 1);
	e = event("blog", NOW_S * NS_PER_S, "kept too");
	assert_int_equal(db_add_event(db, &e, &f->err), 0);
	assert_int_equal(db_read_events(db, "blog", -1, 9, take_event, f, &f->err), 0);
	assert_int_equal(f->events_n, 2);
	db_close(db);
}

static void write_file(const char *path, const char *text, size_t n)
{
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, n, file), n);
	(void)fclose(file);
}

static void a_file_that_is_no_database_is_set_aside(void **state)
{
	struct fixture *f = *state;
	struct record_minute m = minute("blog", NOW_S, 1);
	char junk[8192];
	struct db *db;

	memset(junk, 'x', sizeof(junk));
	write_file(f->path, junk, sizeof(junk));
	db = open_db(f);
	assert_non_null(strstr(f->err.text, "set aside as"));
	assert_int_equal(files(f, "h.db.corrupt-1700000040", false), 1);
	assert_int_equal(db_add_minute(db, &m, &f->err), 0);
	db_close(db);

	/* the next one does not overwrite the first */
	write_file(f->path, junk, sizeof(junk));
	db_close(open_db(f));
	assert_true(files(f, "h.db.corrupt-", false) >= 2);
}

static void damage_inside_is_reported_and_can_be_replaced(void **state)
{
	struct fixture *f = *state;
	struct db *db = open_db(f);
	struct stat st;
	char junk[4096];
	int r = 0;
	int fd;

	for (unsigned i = 0; i < 400; i++) {
		struct record_event e =
			event("blog", i + 1, "some text that fills a few pages of the file");

		assert_int_equal(db_add_event(db, &e, &f->err), 0);
	}
	db_close(db);
	assert_int_equal(stat(f->path, &st), 0);
	fd = open(f->path, O_WRONLY | O_CLOEXEC);
	memset(junk, 0x5a, sizeof(junk));
	for (off_t at = 8 * 4096; at < st.st_size; at += 4096)
		assert_int_equal(pwrite(fd, junk, sizeof(junk), at), sizeof(junk));
	(void)close(fd);

	db = open_db(f);
	for (unsigned i = 0; i < 400 && r == 0; i++) {
		struct record_event e = event("blog", 1000 + i, "more");

		r = db_add_event(db, &e, &f->err);
	}
	assert_int_equal(r, -EUCLEAN);
	db_close(db);
	db = NULL;
	assert_int_equal(db_replace(&db, f->path, NOW_S, &f->err), 0);
	assert_int_equal(files(f, "h.db.corrupt-", false), 1);
	assert_int_equal(db_read_events(db, "", -1, 9, take_event, f, &f->err), 0);
	assert_int_equal(f->events_n, 0);
	db_close(db);
}

static void a_newer_schema_is_kept_and_not_touched(void **state)
{
	struct fixture *f = *state;

	run_sql(f->path, "CREATE TABLE future(x); PRAGMA user_version = 99;");
	db_close(open_db(f));
	assert_int_equal(files(f, "h.db.newer-1700000040", false), 1);
	assert_int_equal(ask(f->path, "PRAGMA user_version"), DB_SCHEMA_VERSION);
}

static void somebody_elses_database_is_refused_and_left_alone(void **state)
{
	struct fixture *f = *state;
	struct db *db = NULL;

	run_sql(f->path, "CREATE TABLE customers(name); INSERT INTO customers VALUES('x');");
	assert_int_equal(db_open(&db, f->path, NOW_S, &f->err), -EEXIST);
	assert_null(db);
	assert_int_equal(ask(f->path, "SELECT count(*) FROM customers"), 1);
	assert_int_equal(files(f, "h.db.", false), 0);
}

static void a_column_that_an_older_build_did_not_have_is_added(void **state)
{
	struct fixture *f = *state;
	struct record_minute m = minute("blog", NOW_S, 1);
	struct db *db;

	db_close(open_db(f));
	run_sql(f->path, "ALTER TABLE minutes DROP COLUMN log_dropped;");
	assert_int_equal(ask(f->path, "SELECT log_dropped FROM minutes"), -1);
	db = open_db(f);
	assert_int_equal(db_add_minute(db, &m, &f->err), 0);
	assert_int_equal(db_read_minutes(db, "blog", 0, 5, take_minute, f, &f->err), 0);
	assert_memory_equal(&f->minutes[0], &m, sizeof(m));
	db_close(db);
}

static void a_file_that_may_not_grow_is_a_full_disk_and_heals(void **state)
{
	struct fixture *f = *state;
	struct db *db = open_db(f);
	struct rlimit old;
	struct rlimit tight;
	int r = 0;

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	tight = old;
	tight.rlim_cur = 128 * 1024;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	for (unsigned i = 0; i < 2000 && r == 0; i++) {
		struct record_event e = event("blog", i + 1, "a disk fills up");

		r = db_add_event(db, &e, &f->err);
	}
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(r, -ENOSPC);
	for (unsigned i = 0; i < 100; i++) {
		struct record_event e = event("shop", i + 1, "and has room again");

		assert_int_equal(db_add_event(db, &e, &f->err), 0);
	}
	db_close(db);
}

static void a_removed_file_is_noticed(void **state)
{
	struct fixture *f = *state;
	struct db *db = open_db(f);

	assert_false(db_has_moved(db));
	assert_int_equal(unlink(f->path), 0);
	assert_true(db_has_moved(db));
	db_close(db);
}

static void a_directory_that_is_not_there_is_an_error_not_a_crash(void **state)
{
	struct fixture *f = *state;
	struct db *db = NULL;

	assert_true(db_open(&db, "/nonexistent/dir/h.db", NOW_S, &f->err) < 0);
	assert_true(f->err.text[0] != '\0');
	assert_null(db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_database_of_an_older_build_gets_its_table_of_blame_records),
		TEST(a_file_that_is_no_database_is_set_aside),
		TEST(damage_inside_is_reported_and_can_be_replaced),
		TEST(a_newer_schema_is_kept_and_not_touched),
		TEST(somebody_elses_database_is_refused_and_left_alone),
		TEST(a_column_that_an_older_build_did_not_have_is_added),
		TEST(a_file_that_may_not_grow_is_a_full_disk_and_heals),
		TEST(a_removed_file_is_noticed),
		TEST(a_directory_that_is_not_there_is_an_error_not_a_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* logbook: lines to a slow, a full and another file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "shared/limits.h"
#include "shared/scoreboard.h"
#include "vassal/front/logbook.h"

struct world { /* never freed: its writer waits in it for ever */
	struct logbook log;
	struct board_bank bank;
};

static struct world *make(int fd, const char *path)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	assert_int_equal(logbook_init(&w->log, "", &w->bank, fd, path), 0);
	return w;
}

static uint64_t dropped(struct world *w)
{
	return atomic_load(&w->bank.counters.log_dropped);
}

/* A reader that is away: what finds no room is counted, the rest comes whole and in order once it reads again. */
static void what_finds_no_room_is_counted_and_the_rest_is_whole(void **state)
{
	const unsigned total = 8000; /* of 100 bytes: three times what ring and pipe hold */
	unsigned got = 0;
	int last = -1;
	char line[101];
	int fds[2];
	FILE *in;
	struct world *w;

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	w = make(fds[1], NULL);
	for (unsigned i = 0; i < total; i++) {
		(void)snprintf(line, sizeof(line), "%-99u\n", i);
		logbook_line(&w->log, line, 100, false);
	}
	logbook_turn(&w->log);
	assert_true(dropped(w) > 1000);
	assert_true(total - dropped(w) >= (LIMIT_LOGBOOK_BYTES - 2 * LOGBOOK_TURN_BYTES) / 100);
	in = fdopen(fds[0], "r");
	assert_non_null(in);
	for (; got < total - dropped(w); got++) {
		int n;

		assert_non_null(fgets(line, sizeof(line), in));
		assert_int_equal(strlen(line), 100);
		n = atoi(line);
		assert_true(n > last);
		last = n;
	}
	logbook_flush(&w->log, 1000);
	assert_int_equal(poll(&(struct pollfd){.fd = fds[0], .events = POLLIN}, 1, 0), 0);
	(void)fclose(in);
}

static void lines_that_a_full_disk_refuses_are_counted(void **state)
{
	struct world *w = make(open("/dev/full", O_WRONLY | O_CLOEXEC), NULL);

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		logbook_line(&w->log, "line\n", 5, false);
	logbook_flush(&w->log, 1000);
	/* the counter is brought up to date with the next turn */
	logbook_line(&w->log, "line\n", 5, false);
	logbook_turn(&w->log);
	assert_in_range(dropped(w), 10, 11);
}

static off_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? -1 : st.st_size;
}

static void a_reopened_log_begins_anew_and_the_old_one_is_let_go(void **state)
{
	char path[] = "/tmp/test-logbook-XXXXXX";
	char old[sizeof(path) + 4];
	int fd = mkostemp(path, O_CLOEXEC | O_APPEND);
	struct world *w = make(fd, path);

	(void)state;
	(void)snprintf(old, sizeof(old), "%s.old", path);
	logbook_line(&w->log, "one\n", 4, false);
	logbook_flush(&w->log, 1000);
	assert_int_equal(rename(path, old), 0);
	assert_int_equal(logbook_reopen(&w->log, -1), 0);
	for (unsigned i = 0; i < 1000 && fcntl(fd, F_GETFD) >= 0; i++)
		(void)usleep(1000);
	assert_int_equal(fcntl(fd, F_GETFD), -1); /* without a further line */
	logbook_line(&w->log, "three\n", 6, false);
	logbook_flush(&w->log, 1000);
	assert_int_equal(size_of(old), 4);
	assert_int_equal(size_of(path), 6);
	(void)unlink(path);
	(void)unlink(old);
}

static void where_a_generation_begins_is_the_rings_to_know(void **state)
{
	char path[] = "/tmp/test-logbook-XXXXXX";
	struct world *w = make(mkostemp(path, O_CLOEXEC | O_APPEND), path);

	(void)state;
	logbook_begin(&w->log, 1500000);
	assert_memory_equal(w->bank.log.ring + 1, "1970-01-01T00:00:00.001Z\n", 25);
	assert_true(board_log_is_mark(w->bank.log.ring, 25));
	logbook_line(&w->log, "line\n", 5, true);
	logbook_flush(&w->log, 1000);
	assert_int_equal(size_of(path), 5);
	(void)unlink(path);
}

static void a_peers_words_begin_no_line_of_their_own(void **state)
{
	char path[] = "/tmp/test-logbook-XXXXXX";
	struct world *w = make(mkostemp(path, O_CLOEXEC | O_APPEND), path);
	char got[256] = "";
	int fd;

	(void)state;
	logbook_say(&w->log, 0, "client said: %s",
		    "a\r\nb\033[2Jc\tgr\xc3\xbc\xc3\x9f\x7f\xc2\x9b"
		    "2J\x9b");
	logbook_flush(&w->log, 1000);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(read(fd, got, sizeof(got) - 1) > 0);
	assert_non_null(strstr(got, "client said: a??b?[2Jc\tgr\xc3\xbc\xc3\x9f???2J?\n"));
	assert_ptr_equal(strchr(got, '\n'), got + strlen(got) - 1);
	(void)close(fd);
	(void)unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_finds_no_room_is_counted_and_the_rest_is_whole),
		cmocka_unit_test(lines_that_a_full_disk_refuses_are_counted),
		cmocka_unit_test(a_reopened_log_begins_anew_and_the_old_one_is_let_go),
		cmocka_unit_test(where_a_generation_begins_is_the_rings_to_know),
		cmocka_unit_test(a_peers_words_begin_no_line_of_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_legacy - what a keeper gives is taken by name, once; a keeper that speaks otherwise, lies or hangs up is refused.
 */
#include "emperor/vassals/legacy.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "emperor/keeper/keeper.h"
#include "shared/err.h"
#include "shared/fd.h"

struct world {
	char dir[64], path[108];
	int listener;
};

static int make_world(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	(void)strcpy(w->dir, "/tmp/test-legacy-XXXXXX");
	if (!mkdtemp(w->dir))
		return -1;
	(void)snprintf(w->path, sizeof(w->path), "%s/%s", w->dir, KEEPER_SOCKET);
	memcpy(un.sun_path, w->path, sizeof(un.sun_path));
	w->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (bind(w->listener, (struct sockaddr *)&un, sizeof(un)) < 0 || listen(w->listener, 1) < 0)
		return -1;
	*state = w;
	return 0;
}

static int end_world(void **state)
{
	struct world *w = *state;

	(void)close(w->listener);
	(void)unlink(w->path);
	(void)rmdir(w->dir);
	free(w);
	return 0;
}

struct play { /* what the keeper says */
	uint64_t version;
	const char *names[4];
	uint64_t said; /* how many it claims */
	bool hangs_up; /* before it has said so */
	uint16_t also; /* a kind that is not its to say */
};

static void perform(const struct world *w, const struct play *play)
{
	int fd = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC);
	struct role_msg m = {.kind = ROLE_READY, .a = play->version};

	(void)role_send(fd, &m, NULL, NULL, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(play->names) && play->names[i]; i++) {
		m = (struct role_msg){.kind = KEEPER_ITEM, .a = i};
		(void)role_send(fd, &m, play->names[i], (int[]){STDIN_FILENO}, 1);
	}
	m = (struct role_msg){.kind = play->also};
	if (play->also)
		(void)role_send(fd, &m, NULL, NULL, 0);
	m = (struct role_msg){.kind = KEEPER_LAST, .a = play->said};
	if (!play->hangs_up)
		(void)role_send(fd, &m, NULL, NULL, 0);
	_exit(0);
}

static int fetch(const struct world *w, const struct play *play, struct legacy **ret,
		 struct err *err)
{
	pid_t pid = fork();
	int r;

	if (pid == 0)
		perform(w, play);
	r = legacy_fetch(w->dir, ret, err);
	(void)waitpid(pid, NULL, 0);
	return r;
}

static void each_name_is_taken_once(void **state)
{
	const struct play play = {ROLE_VERSION, {"b L 7", "a b", "a"}, 3, false, 0};
	struct legacy *l;
	struct stored item;
	struct err err = {0};
	int fd;

	if (fetch(*state, &play, &l, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(legacy_count(l), 3);
	fd = legacy_take(l, "b L 7", &item);
	assert_true(fd >= 0);
	assert_int_equal(item.a, 0);
	assert_int_equal(legacy_identify(fd), legacy_identify(STDIN_FILENO));
	(void)close(fd);
	assert_int_equal(legacy_take(l, "b L 7", NULL), -1);
	assert_int_equal(legacy_take(l, "b L", NULL), -1);
	fd = legacy_take(l, "a b", &item);
	assert_int_equal(item.a, 1);
	(void)close(fd);
	fd = legacy_take_link(l);
	assert_true(fd >= 0);
	(void)close(fd);
	legacy_free(l);
}

static void no_keeper_is_no_error(void **state)
{
	struct world *w = *state;
	struct legacy *l;

	(void)close(w->listener); /* its socket is stale */
	w->listener = -1;
	assert_int_equal(legacy_fetch(w->dir, &l, NULL), 0);
	assert_null(l);
	assert_int_equal(legacy_fetch("/nowhere/at/all", &l, NULL), 0);
	assert_null(l);
	assert_int_equal(legacy_take(l, "a", NULL), -1);
	assert_int_equal(legacy_count(l), 0);
}

static void what_makes_no_sense_is_refused_with_a_reason(void **state)
{
	static const struct {
		struct play play;
		const char *why;
	} cases[] = {
		{{ROLE_VERSION + 1, {"a"}, 1, false, 0}, "start that one again and stop it"},
		{{ROLE_VERSION, {"a"}, 2, false, 0}, "gave 1 descriptors and speaks of 2"},
		{{ROLE_VERSION, {"a"}, 1, true, 0}, "hung up"},
		{{ROLE_VERSION, {"a"}, 1, false, GATE_STOP}, "something strange"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct legacy *l;
		struct err err = {0};

		assert_int_equal(fetch(*state, &cases[i].play, &l, &err), -EPROTO);
		assert_null(l);
		if (!strstr(err.text, cases[i].why))
			fail_msg("case %zu: %s", i, err.text);
	}
}

static void no_two_descriptors_look_the_same(void **state)
{
	uint64_t seen[6];
	int fds[6];

	(void)state;
	assert_int_equal(fd_seqpacket_pair(&fds[0], true), 0);
	assert_int_equal(fd_seqpacket_pair(&fds[2], true), 0);
	assert_int_equal(fd_sealed_memfd(&fds[4], "x", "x", 1), 0);
	assert_int_equal(fd_sealed_memfd(&fds[5], "x", "x", 1), 0);
	for (size_t i = 0; i < 6; i++) {
		int copy = dup(fds[i]);

		seen[i] = legacy_identify(fds[i]);
		assert_int_not_equal(seen[i], 0);
		assert_int_equal(legacy_identify(copy), seen[i]);
		(void)close(copy);
		/* sockets among sockets, files among files */
		for (size_t k = i < 4 ? 0 : 4; k < i; k++)
			assert_int_not_equal(seen[i], seen[k]);
	}
	for (size_t i = 0; i < 6; i++)
		(void)close(fds[i]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_world, end_world)
	const struct CMUnitTest tests[] = {
		TEST(each_name_is_taken_once),
		TEST(no_keeper_is_no_error),
		TEST(what_makes_no_sense_is_refused_with_a_reason),
		TEST(no_two_descriptors_look_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

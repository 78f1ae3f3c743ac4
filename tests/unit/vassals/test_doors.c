/*
 * test_doors - across generations equal doors stay the same socket, new ones are opened, unwanted ones refuse.
 */
#include "emperor/vassals/doors.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "tests/unit/vassals/fixture.h"

static char dir[64];

struct world {
	struct doors doors;
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	(void)strcpy(dir, "/tmp/emperor-doors-XXXXXX");
	if (!w || !mkdtemp(dir) || chmod(dir, 0777) < 0)
		return -1;
	doors_init(&w->doors);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	doors_done(&w->doors);
	free(w);
	/* Every name of ours has gone with its door. */
	return rmdir(dir);
}

/* keys: lines below [vassal], with %s for the directory. */
static struct loaded *ini(const char *keys)
{
	char text[1024] = "[vassal]\nmodule = x\n";

	for (const char *p = keys; *p; p++) {
		size_t n = strlen(text);

		if (*p == '@')
			(void)snprintf(text + n, sizeof(text) - n, "%s", dir);
		else
			(void)snprintf(text + n, sizeof(text) - n, "%c", *p);
	}
	return fixture_load(text);
}

static struct door_set opened(struct world *w, const struct loaded *l)
{
	struct door_set set;
	struct err err = {0};
	bool clamped;

	if (doors_open(&w->doors, l, &set, &clamped, &err) < 0)
		fail_msg("%s", err.text);
	return set;
}

static ino_t socket_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

static int dial(const struct address *a)
{
	int fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, &a->sa, a->len) == 0)
		return fd;
	(void)close(fd);
	return -errno;
}

static void an_equal_door_stays_the_same_socket_and_a_new_one_is_opened(void **state)
{
	struct world *w = *state;
	struct loaded *first = ini("socket = @/a\nhttp = @/b\n");
	struct loaded *second = ini("http = @/b\nsocket = @/c\nstats = @/s\n");
	struct door_set was = opened(w, first);
	ino_t b = socket_of(was.listeners[1]);
	struct door_set now = opened(w, second);

	assert_int_equal(was.listeners_n, 2);
	assert_int_equal(was.stats, -1);
	assert_int_equal(now.listeners_n, 2);
	assert_int_equal(now.listeners[0], was.listeners[1]);
	assert_int_equal(socket_of(now.listeners[0]), b);
	assert_true(now.stats >= 0);
	assert_int_equal(w->doors.n, 4);
	loaded_unref(first);
	loaded_unref(second);
}

static void a_door_that_nobody_wants_refuses_even_while_others_hold_copies(void **state)
{
	struct world *w = *state;
	struct loaded *first = ini("socket = @/a\nsocket = @/b\n");
	struct loaded *second = ini("socket = @/b\n");
	const struct loaded *keep[] = {second, NULL};
	struct door_set set = opened(w, first);
	int copy = dup(set.listeners[0]);
	int fd;

	doors_prune(&w->doors, keep, ARRAY_SIZE(keep));
	assert_int_equal(w->doors.n, 1);
	assert_int_equal(doors_find(&w->doors, &first->config.listeners[0].address), -1);
	assert_true(dial(&first->config.listeners[0].address) < 0);
	assert_int_equal(accept(copy, NULL, NULL), -1);
	assert_true(listen_is_shut(copy));
	assert_false(listen_is_shut(set.listeners[1]));
	fd = dial(&first->config.listeners[1].address);
	assert_true(fd >= 0);
	(void)close(fd);
	(void)close(copy);
	loaded_unref(first);
	loaded_unref(second);
}

static void a_door_that_moves_stays_the_same_socket_and_refuses_nobody(void **state)
{
	struct world *w = *state;
	struct loaded *first = ini("socket = @/a\nsocket = @/b\nstats = @/s\n");
	struct loaded *second = ini("socket = @/b\nsocket = @/c\nstats = @/s\n");
	const struct address *b = &second->config.listeners[0].address;
	struct doors to;
	struct door_set set = opened(w, first);
	ino_t is = socket_of(set.listeners[1]);
	int waits = dial(b), fd;

	doors_init(&to);
	to.numbers = 6;
	assert_int_equal(doors_move(&w->doors, &to, second), 2);
	assert_int_equal(w->doors.n, 1);
	assert_int_equal(socket_of(doors_find(&to, b)), is);
	assert_true(doors_find(&to, &second->stats) >= 0);
	assert_int_equal(to.v[0].number + to.v[1].number, 7 + 8);
	/* who left ends, and takes nothing of it along */
	doors_prune(&w->doors, NULL, 0);
	fd = accept(doors_find(&to, b), NULL, NULL);
	assert_true(fd >= 0);
	(void)close(fd);
	(void)close(waits);
	/* what is there already is not had twice */
	assert_int_equal(doors_move(&to, &to, second), 0);
	doors_done(&to);
	loaded_unref(first);
	loaded_unref(second);
}

static void numbers_are_never_used_again(void **state)
{
	struct world *w = *state;
	struct loaded *l = ini("socket = @/a\n");
	uint64_t first;

	(void)opened(w, l);
	first = w->doors.v[0].number;
	doors_prune(&w->doors, NULL, 0);
	assert_int_equal(w->doors.n, 0);
	(void)opened(w, l);
	assert_true(w->doors.v[0].number > first);
	assert_int_equal(w->doors.v[0].lent, -1);
	loaded_unref(l);
}

static void mode_changes_only_when_it_is_asked_for(void **state)
{
	struct world *w = *state;
	struct loaded *first = ini("socket = @/a\nchmod-socket = 600\n");
	struct loaded *second = ini("socket = @/a\nchmod-socket = 664\n");
	const char *path = first->config.listeners[0].address.un.sun_path;
	struct stat st;
	ino_t was;

	(void)opened(w, first);
	was = socket_of(w->doors.v[0].fd);
	(void)opened(w, second); /* a candidate; it may never serve */
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(doors_adjust(&w->doors, second, NULL), 0);
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0664);
	assert_int_equal(socket_of(w->doors.v[0].fd), was);
	/* By hand, while the ini says the same as before. */
	assert_int_equal(chmod(path, 0606), 0);
	assert_int_equal(doors_adjust(&w->doors, second, NULL), 0);
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0606);
	loaded_unref(first);
	loaded_unref(second);
}

static void a_door_that_cannot_be_opened_is_named_and_the_others_stay(void **state)
{
	struct world *w = *state;
	struct loaded *first = ini("socket = @/a\n");
	struct loaded *second = ini("socket = @/a\nsocket = @/no/such/dir/b\n");
	struct door_set set;
	struct err err = {0};
	bool clamped;

	(void)opened(w, first);
	assert_true(doors_open(&w->doors, second, &set, &clamped, &err) < 0);
	assert_non_null(strstr(err.text, "/no/such/dir/b"));
	assert_true(doors_find(&w->doors, &first->config.listeners[0].address) >= 0);
	loaded_unref(first);
	loaded_unref(second);
}

static void the_gate_door_holds_a_busy_second_of_connections(void **state)
{
	struct world *w = *state;
	char message[300] = "";
	unsigned n = 0;

	assert_int_equal(doors_open_gate(&w->doors, NULL), 0);
	while (send(w->doors.gate_end, message, sizeof(message), MSG_DONTWAIT) > 0)
		n++;
	assert_int_equal(errno, EAGAIN);
	/* Without privilege the buffer is what net.core.wmem_max allows; a default pair takes 167. */
	assert_true(n > (geteuid() == 0 ? 800 : 160));
}

/* shutdown(2) by whoever holds a copy counts for all copies. */
static void a_gate_door_that_was_shut_is_another_for_the_next_generation(void **state)
{
	static const int hows[] = {SHUT_WR, SHUT_RD, SHUT_RDWR};
	struct world *w = *state;
	struct doors *d = &w->doors;

	assert_int_equal(doors_open_gate(d, NULL), 0);
	assert_int_equal(doors_front_end(d, NULL), d->front_end);
	assert_false(doors_take_next(d));
	for (size_t i = 0; i < ARRAY_SIZE(hows); i++) {
		int before = d->front_end;
		char c = 'x';
		int next;

		assert_int_equal(shutdown(d->front_end, hows[i]), 0);
		next = doors_front_end(d, NULL);
		assert_true(next >= 0 && next != before);
		assert_int_equal(d->front_end, before); /* until the new one serves */
		assert_int_equal(doors_front_end(d, NULL), next);
		/* A candidate that shuts its own and fails does not spoil it for the one after. */
		assert_int_equal(shutdown(next, SHUT_RDWR), 0);
		next = doors_front_end(d, NULL);
		assert_true(doors_take_next(d));
		assert_int_equal(d->front_end, next);
		assert_false(doors_take_next(d));
		assert_int_equal(send(d->gate_end, &c, 1, MSG_DONTWAIT | MSG_NOSIGNAL), 1);
		assert_int_equal(recv(d->front_end, &c, 1, MSG_DONTWAIT), 1);
		assert_int_equal(send(d->front_end, &c, 1, MSG_DONTWAIT | MSG_NOSIGNAL), 1);
		assert_int_equal(recv(d->gate_end, &c, 1, MSG_DONTWAIT), 1);
	}
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_equal_door_stays_the_same_socket_and_a_new_one_is_opened),
		CASE(a_door_that_nobody_wants_refuses_even_while_others_hold_copies),
		CASE(a_door_that_moves_stays_the_same_socket_and_refuses_nobody),
		CASE(numbers_are_never_used_again),
		CASE(mode_changes_only_when_it_is_asked_for),
		CASE(a_door_that_cannot_be_opened_is_named_and_the_others_stay),
		CASE(the_gate_door_holds_a_busy_second_of_connections),
		CASE(a_gate_door_that_was_shut_is_another_for_the_next_generation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

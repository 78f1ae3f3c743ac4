/*
 * test_keeper - what the keeper is told it gives to the next emperor, and to nobody while there is one.
 */
#include "emperor/keeper/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "emperor/role.h"
#include "shared/fd.h"

struct world {
	char dir[64];
	pid_t pid;
	int link;
};

static void say(const struct world *w, enum role_kind kind, const char *text, int fd)
{
	const struct role_msg m = {.kind = (uint16_t)kind, .a = text ? (uint64_t)text[0] : 0};

	assert_int_equal(role_send(w->link, &m, text, &fd, fd >= 0 ? 1 : 0), 0);
}

static struct sockaddr_un address_of(const struct world *w)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s/k", w->dir);
	return un;
}

static int make_world(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	const struct sockaddr_un un = ((void)strcpy(w->dir, "/tmp/test-keeper-XXXXXX"),
				       mkdtemp(w->dir) ? address_of(w) : (struct sockaddr_un){0});
	int fds[2];
	int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (bind(listener, (const struct sockaddr *)&un, sizeof(un)) < 0 ||
	    listen(listener, 1) < 0 || fd_seqpacket_pair(fds, false) < 0)
		return -1;
	w->pid = fork();
	if (w->pid == 0) {
		(void)close(fds[0]);
		(void)close(listener);
		_exit(keeper_run(fds[1]));
	}
	(void)close(fds[1]);
	w->link = fds[0];
	say(w, KEEPER_LISTENER, NULL, listener);
	(void)close(listener);
	*state = w;
	return 0;
}

/* It ends once it is told to. */
static int end_world(void **state)
{
	struct world *w = *state;
	const struct sockaddr_un un = address_of(w);
	int status = 1;

	if (w->link >= 0)
		say(w, KEEPER_STOP, NULL, -1);
	(void)waitpid(w->pid, &status, 0);
	(void)close(w->link);
	(void)unlink(un.sun_path);
	(void)rmdir(w->dir);
	free(w);
	return status;
}

/* A file with these bytes, to be known again by. */
static void keep(const struct world *w, const char *name, const char *bytes)
{
	int fd;

	assert_int_equal(fd_sealed_memfd(&fd, "test", bytes, strlen(bytes)), 0);
	say(w, KEEPER_KEEP, name, fd);
	(void)close(fd);
}

static int knock(const struct world *w)
{
	const struct sockaddr_un un = address_of(w);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)&un, sizeof(un)), 0);
	return fd;
}

/* "name=bytes" of all that it gives, in any order; checks what stands around them. */
static size_t take_all(int link, char texts[][64], size_t room)
{
	struct role_msg m;
	int fds[2], nfds;
	size_t n = 0;

	assert_int_equal(role_recv(link, &m, fds, &nfds, NULL), 1);
	assert_int_equal(m.kind, ROLE_READY);
	assert_int_equal(m.a, ROLE_VERSION);
	while (role_recv(link, &m, fds, &nfds, NULL) == 1 && m.kind == KEEPER_ITEM) {
		char bytes[16] = "";

		assert_true(n < room);
		assert_true(pread(fds[0], bytes, sizeof(bytes) - 1, 0) > 0);
		(void)close(fds[0]);
		assert_int_equal(m.a, m.text[0]);
		(void)snprintf(texts[n++], 64, "%.40s=%s", m.text, bytes);
	}
	assert_int_equal(m.kind, KEEPER_LAST);
	assert_int_equal(m.a, n);
	return n;
}

static bool has(char texts[][64], size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(texts[i], text) == 0)
			return true;
	return false;
}

static void the_next_emperor_gets_the_last_of_each_name(void **state)
{
	struct world *w = *state;
	char texts[4][64];
	size_t n;

	keep(w, "a B 0", "one");
	keep(w, "a B 0", "two");
	keep(w, "b c B 0", "three");
	keep(w, "gone", "four");
	say(w, KEEPER_DROP, "gone", -1);
	(void)close(w->link);
	w->link = knock(w);
	n = take_all(w->link, texts, 4);
	assert_int_equal(n, 2);
	assert_true(has(texts, n, "a B 0=two"));
	assert_true(has(texts, n, "b c B 0=three"));
}

static void what_a_new_emperor_does_not_name_is_let_go(void **state)
{
	struct world *w = *state;
	char texts[4][64];

	keep(w, "a", "one");
	keep(w, "b", "two");
	(void)close(w->link);
	w->link = knock(w);
	assert_int_equal(take_all(w->link, texts, 4), 2);
	say(w, ROLE_BEGIN, NULL, -1);
	keep(w, "b", "two");
	say(w, ROLE_END, NULL, -1);
	(void)close(w->link);
	w->link = knock(w);
	assert_int_equal(take_all(w->link, texts, 4), 1);
	assert_string_equal(texts[0], "b=two");
}

static void nobody_gets_anything_while_there_is_an_emperor(void **state)
{
	struct world *w = *state;
	struct pollfd p = {.events = POLLIN};
	const struct role_msg ping = {.kind = ROLE_PING};
	struct role_msg m;
	int fds[2], n;

	keep(w, "a", "one");
	p.fd = knock(w);
	/* it has answered us since, so it has seen who knocks, if it ever looks */
	assert_int_equal(role_recv(w->link, &m, fds, &n, NULL), 1); /* READY */
	assert_int_equal(role_send(w->link, &ping, NULL, NULL, 0), 0);
	assert_int_equal(role_recv(w->link, &m, fds, &n, NULL), 1);
	assert_int_equal(m.kind, ROLE_PONG);
	assert_int_equal(poll(&p, 1, 50), 0);
	(void)close(p.fd);
}

static void term_ends_it_only_without_an_emperor(void **state)
{
	struct world *w = *state;
	const struct role_msg ping = {.kind = ROLE_PING};
	struct role_msg m;
	int fds[2], n;

	assert_int_equal(role_recv(w->link, &m, fds, &n, NULL),
			 1); /* READY: it hears signals now */
	assert_int_equal(kill(w->pid, SIGTERM), 0);
	assert_int_equal(role_send(w->link, &ping, NULL, NULL, 0), 0);
	assert_int_equal(role_recv(w->link, &m, fds, &n, NULL), 1);
	assert_int_equal(m.kind, ROLE_PONG);
	/* gone now, and TERM was asked for: end_world waits for its end */
	(void)close(w->link);
	w->link = -1;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_world, end_world)
	const struct CMUnitTest tests[] = {
		TEST(the_next_emperor_gets_the_last_of_each_name),
		TEST(what_a_new_emperor_does_not_name_is_let_go),
		TEST(nobody_gets_anything_while_there_is_an_emperor),
		TEST(term_ends_it_only_without_an_emperor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_sd_notify - what systemd's socket receives, and that nobody else is told where it is.
 */
#include "emperor/sd_notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "shared/base.h"

static int listener(const char *name, char *env, size_t size)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int n = snprintf(un.sun_path + 1, sizeof(un.sun_path) - 1, "%s-%d", name, (int)getpid());

	(void)snprintf(env, size, "@%s", un.sun_path + 1);
	assert_int_equal(bind(fd, (const struct sockaddr *)&un,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)),
			 0);
	return fd;
}

static void each_message_is_one_datagram(void **state)
{
	struct sd_notify n;
	char env[108], buf[128];
	int fd = listener("emperor-test-notify", env, sizeof(env));
	ssize_t r;

	(void)state;
	(void)setenv("NOTIFY_SOCKET", env, 1);
	sd_notify_init(&n);
	assert_null(getenv("NOTIFY_SOCKET"));
	assert_int_equal(sd_notify_send(&n, "READY=1\nSTATUS=%u apps", 3U), 1);
	r = recv(fd, buf, sizeof(buf), 0);
	assert_int_equal(r, strlen("READY=1\nSTATUS=3 apps"));
	assert_memory_equal(buf, "READY=1\nSTATUS=3 apps", (size_t)r);
	(void)close(fd);
	assert_true(sd_notify_send(&n, "READY=1") < 0);
}

static void without_the_variable_nothing_is_sent(void **state)
{
	struct sd_notify n;

	(void)state;
	(void)unsetenv("NOTIFY_SOCKET");
	sd_notify_init(&n);
	assert_int_equal(sd_notify_send(&n, "READY=1"), 0);
}

static void an_address_that_is_none_is_ignored(void **state)
{
	static const char *const bad[] = {"relative/path", "", "vsock:2:1"};
	struct sd_notify n;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		(void)setenv("NOTIFY_SOCKET", bad[i], 1);
		sd_notify_init(&n);
		assert_int_equal(sd_notify_send(&n, "READY=1"), 0);
	}
}

static void a_full_listener_does_not_block(void **state)
{
	struct sd_notify n;
	char env[108];
	int fd = listener("emperor-test-full", env, sizeof(env));
	int r = 1;

	(void)state;
	(void)setenv("NOTIFY_SOCKET", env, 1);
	sd_notify_init(&n);
	for (int i = 0; i < 100000 && r == 1; i++)
		r = sd_notify_send(&n, "STATUS=x");
	assert_true(r < 0);
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_message_is_one_datagram),
		cmocka_unit_test(without_the_variable_nothing_is_sent),
		cmocka_unit_test(an_address_that_is_none_is_ignored),
		cmocka_unit_test(a_full_listener_does_not_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * remote: what emperorctl makes of a stats socket that takes it for a client without HTTP.
 */
#include "emperor/ctl/remote.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "shared/err.h"

struct server {
	struct remote remote;
	struct sockaddr_un address;
	int fd;
	unsigned bare; /* so many get bare JSON first */
	unsigned asked;
	pthread_t thread;
};

static void *serve(void *arg)
{
	static const char bare[] = "{\"bare\":true}\n";
	static const char http[] = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"n\": 1}\n";
	struct server *s = arg;
	char request[512];
	int fd;

	while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
		const char *answer = s->asked < s->bare ? bare : http;

		s->asked++;
		(void)!read(fd, request, sizeof(request));
		(void)!write(fd, answer, strlen(answer));
		(void)close(fd);
	}
	return NULL;
}

static void start(struct server *s, unsigned bare)
{
	*s = (struct server){.bare = bare, .address.sun_family = AF_UNIX};
	(void)snprintf(s->remote.dir, sizeof(s->remote.dir), "/tmp/remote-test-XXXXXX");
	assert_non_null(mkdtemp(s->remote.dir));
	(void)snprintf(s->address.sun_path, sizeof(s->address.sun_path), "%.60s/stats.sock",
		       s->remote.dir);
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&s->address, sizeof(s->address)), 0);
	assert_int_equal(listen(s->fd, 8), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void end(struct server *s)
{
	(void)shutdown(s->fd, SHUT_RDWR); /* accept() fails */
	(void)pthread_join(s->thread, NULL);
	(void)close(s->fd);
	(void)unlink(s->address.sun_path);
	(void)rmdir(s->remote.dir);
}

static void who_was_slow_to_speak_asks_again(_unused_ void **state)
{
	struct server s;
	struct err err = {0};
	json_t *answer = NULL;

	start(&s, 2);
	assert_int_equal(remote_stats(&s.remote, "/", &answer, &err), 0);
	assert_int_equal(json_integer_value(json_object_get(answer, "n")), 1);
	json_decref(answer);
	end(&s);
	assert_int_equal(s.asked, 3);
}

static void what_never_speaks_http_is_given_up_and_named(_unused_ void **state)
{
	struct server s;
	struct err err = {0};
	json_t *answer = NULL;

	start(&s, 1000);
	assert_int_equal(remote_stats(&s.remote, "/", &answer, &err), -EPROTO);
	assert_null(answer);
	assert_non_null(strstr(err.text, "/stats.sock: the answer is no HTTP"));
	end(&s);
	assert_int_equal(s.asked, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_was_slow_to_speak_asks_again),
		cmocka_unit_test(what_never_speaks_http_is_given_up_and_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

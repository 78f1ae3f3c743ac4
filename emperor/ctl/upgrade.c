/*
 * upgrade - asks the emperor to become another program, and waits until that one answers. The apps do not notice; if the
 * new program does not start, they run on too, and the old one can be started again.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "emperor/ctl/ctl.h"
#include "shared/clock.h"
#include "shared/err.h"

#define ASK_AGAIN_MS 50
#define PATIENCE_MS  15000 /* it fetches what was kept (10 s at most), and reads every ini */
#define UNTOLD \
	2 /* what builds speak with the keeper that know neither --speaks nor keeper_version */
#define TRY_MS 5000 /* to say its version; a cold start from a slow disk takes one */

static int fail(const char *text)
{
	(void)fprintf(stderr, "emperorctl: upgrade: %s\n", text);
	return CTL_FAILED;
}

/* When the emperor that answers began; 0: none answers. */
static uint64_t ask_began(const struct ctl *c, json_t **ret_answer)
{
	struct err err = {0};
	uint64_t began;

	*ret_answer = NULL;
	if (remote_command(&c->remote, "version", "", ret_answer, NULL, &err) < 0)
		return 0;
	began = (uint64_t)json_integer_value(json_object_get(*ret_answer, "began_ns"));
	return began;
}

static int say(const struct ctl *c, const json_t *answer)
{
	const char *version = json_string_value(json_object_get(answer, "version"));

	if (c->json) {
		(void)json_dumpf(answer, c->out, JSON_INDENT(2));
		(void)fputc('\n', c->out);
	} else {
		(void)fprintf(c->out, "emperor %s, pid %d\n", version ? version : "?",
			      (int)json_integer_value(json_object_get(answer, "pid")));
	}
	return CTL_OK;
}

static int wait_for_another(const struct ctl *c, uint64_t was)
{
	const struct timespec pause = {.tv_nsec = ASK_AGAIN_MS * 1000000L};

	for (unsigned ms = 0; ms < PATIENCE_MS; ms += ASK_AGAIN_MS) {
		json_t *answer;
		uint64_t began;

		(void)nanosleep(&pause, NULL);
		began = ask_began(c, &answer);
		if (began > 0 && began != was) {
			int code = say(c, answer);

			json_decref(answer);
			return code;
		}
		json_decref(answer);
	}
	return fail(
		"no new emperor has come: its log says why. The apps run on; if none runs, start "
		"one as before, and it takes over");
}

/* Whoever else may write it could have put anything there: the emperor refuses that, and nobody runs it before. */
static bool is_trusted(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	       (st.st_uid == 0 || st.st_uid == geteuid()) && !(st.st_mode & (S_IWGRP | S_IWOTH));
}

/* One line, or what there is of it when the other end is closed or the time is up. */
static void read_line(int fd, char *buf, size_t size)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint64_t until_ns = clock_now_ns() + TRY_MS * NS_PER_MS;
	uint64_t now_ns;
	size_t n = 0;
	ssize_t r = 1;

	while (n < size - 1 && !memchr(buf, '\n', n) && r > 0 &&
	       (now_ns = clock_now_ns()) < until_ns) {
		if (poll(&p, 1, (int)((until_ns - now_ns) / NS_PER_MS) + 1) <= 0)
			continue;
		r = read(fd, buf + n, size - 1 - n);
		n += (size_t)MAX(r, 0);
	}
	buf[n] = '\0';
}

/* True: it ended well. One that does not end is ended. */
static bool ends_well(pid_t pid)
{
	const struct timespec pause = {.tv_nsec = ASK_AGAIN_MS * 1000000L};
	int status = -1;

	for (unsigned ms = 0; ms < TRY_MS; ms += ASK_AGAIN_MS) {
		if (waitpid(pid, &status, WNOHANG) != 0)
			return status == 0;
		(void)nanosleep(&pause, NULL);
	}
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	return false;
}

/* Does it say one line that begins with this when it is given arg, and end well? The line is in text. */
static bool says(const char *path, const char *arg, const char *begin, char *text, size_t size)
{
	char *argv[] = {(char *)(uintptr_t)path, (char *)(uintptr_t)arg, NULL};
	posix_spawn_file_actions_t actions;
	bool good = false;
	int fds[2];
	pid_t pid;
	int r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return false;
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
	r = posix_spawn(&pid, path, &actions, NULL, argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)close(fds[1]);
	if (r == 0) {
		read_line(fds[0], text, size);
		good = strncmp(text, begin, strlen(begin)) == 0;
		if (!good)
			(void)kill(pid, SIGKILL);
		good &= ends_well(pid);
	}
	(void)close(fds[0]);
	return good;
}

/*
 * There is no way back from an exec: what cannot even tell its version must not become the emperor, nor what the keeper
 * would not understand, for that one would end at once, and the one that runs is gone by then.
 */
static bool may_follow(const struct ctl *c, const char *path, struct err *err)
{
	char text[64] = "";
	uint64_t speaks = UNTOLD, here = UNTOLD;
	json_t *answer = NULL;

	if (!says(path, "--version", "emperor ", text, sizeof(text))) {
		(void)err_set(err, -ENOEXEC, "%s: is no emperor that starts here (--version)",
			      path);
		return false;
	}
	if (says(path, "--speaks", "keeper ", text, sizeof(text)))
		speaks = strtoull(text + strlen("keeper "), NULL, 10);
	if (remote_command(&c->remote, "version", "", &answer, NULL, NULL) >= 0 &&
	    json_object_get(answer, "keeper_version"))
		here = (uint64_t)json_integer_value(json_object_get(answer, "keeper_version"));
	json_decref(answer);
	if (speaks == here)
		return true;
	(void)err_set(err, -EPROTO,
		      "%s: speaks version %" PRIu64
		      " with the keeper, the emperor that runs %" PRIu64
		      ": it could take nothing over. Stop this one and start that one: then the "
		      "apps start anew",
		      path, speaks, here);
	return false;
}

/* Where the emperor that runs was started from: what stands there now is what it would become. */
static int find_program(const struct ctl *c, char path[PATH_MAX], struct err *err)
{
	json_t *answer;
	const char *program = NULL;
	int r = remote_command(&c->remote, "version", "", &answer, NULL, err);

	if (r < 0)
		return r;
	program = json_string_value(json_object_get(answer, "program"));
	if (!program || !*program)
		r = err_set(err, -ENOENT,
			    "the emperor that runs does not say where it was started from: name "
			    "the program");
	else
		(void)snprintf(path, PATH_MAX, "%s", program);
	json_decref(answer);
	return r;
}

int ctl_upgrade(const struct ctl *c)
{
	char path[PATH_MAX] = "";
	json_t *answer;
	struct err err = {0};
	const char *why;
	uint64_t was;
	int r;

	if (!c->app[0])
		r = find_program(c, path, &err);
	else
		r = realpath(c->app, path)
			    ? 0
			    : err_set(&err, -errno, "%s: %s", c->app, strerror(errno));
	if (r < 0)
		return fail(err.text);
	if (is_trusted(path) && !may_follow(c, path, &err))
		return fail(err.text);
	was = ask_began(c, &answer);
	json_decref(answer);
	r = remote_command(&c->remote, "upgrade", path, &answer, NULL, &err);
	if (r < 0)
		return fail(err.text);
	why = json_string_value(json_object_get(answer, "error"));
	if (!json_is_true(json_object_get(answer, "ok"))) {
		r = fail(why ? why : "refused");
		json_decref(answer);
		return r;
	}
	json_decref(answer);
	return wait_for_another(c, was);
}

/*
 * remote - see remote.h.
 */
#include "emperor/ctl/remote.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "shared/buf.h"
#include "shared/err.h"
#include "shared/fd.h"

#define CHUNK      ((size_t)16 * 1024)
#define ANSWER_MAX ((size_t)64 * 1024 * 1024) /* LIMIT_APPS apps at their most talkative */
/* Who is kept from its CPU between connect and write for LIMIT_STATS_SNIFF_MS gets bare JSON, and asks again. */
#define STATS_TRIES 5

static int dial(const char *dir, const char *name, int *ret_fd)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	_cleanup_(fd_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int n = snprintf(un.sun_path, sizeof(un.sun_path), "%s/%s", dir, name);

	if (fd < 0)
		return -errno;
	if (n < 0 || (size_t)n >= sizeof(un.sun_path))
		return -ENAMETOOLONG;
	if (connect(fd, (const struct sockaddr *)&un, sizeof(un)) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* The same rule as the emperor's own default. */
static void own_default(char *buf, size_t size)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	if (geteuid() == 0)
		(void)snprintf(buf, size, "/run/emperor");
	else if (runtime && runtime[0] == '/')
		(void)snprintf(buf, size, "%s/emperor", runtime);
	else
		(void)snprintf(buf, size, "/tmp/emperor-%u", (unsigned)geteuid());
}

/* 0, or why not, which is added to tried. */
static int try_dir(const char *dir, char *tried, size_t size)
{
	_cleanup_(fd_closep) int fd = -1;
	int r = dial(dir, "control.sock", &fd);
	size_t n = strlen(tried);

	if (r < 0)
		(void)snprintf(tried + n, size - n, "%s%s/control.sock (%s)", n ? ", " : "", dir,
			       strerror(-r));
	return r;
}

int remote_find(const char *dir, struct remote *ret, struct err *err)
{
	const char *env = getenv("EMPEROR_RUN_DIR");
	char own[sizeof(ret->dir)], tried[ERR_TEXT_MAX / 2] = "";
	const char *candidates[2] = {"/run/emperor", own};
	const char *locked = NULL;

	own_default(own, sizeof(own));
	if (dir || (env && env[0])) {
		candidates[0] = dir ? dir : env;
		candidates[1] = NULL;
	} else if (str_eq(own, candidates[0])) {
		candidates[1] = NULL;
	}
	for (size_t i = 0; i < ARRAY_SIZE(candidates) && candidates[i]; i++) {
		int r = try_dir(candidates[i], tried, sizeof(tried));

		if (r == 0) {
			(void)snprintf(ret->dir, sizeof(ret->dir), "%s", candidates[i]);
			return 0;
		}
		locked = !locked && r == -EACCES ? candidates[i] : locked;
	}
	if (locked)
		return err_set(err, -EACCES,
			       "%s/control.sock may not be opened by this user (uid %u)", locked,
			       (unsigned)geteuid());
	return err_set(err, -ENOENT, "no emperor runs here; tried %s", tried);
}

/* Everything until the end of the stream, and the descriptor beside its first byte. */
static int read_all(int fd, struct buf *in, int *ret_fd)
{
	int passed = -1;
	ssize_t n;

	do {
		char *p = buf_reserve(in, CHUNK, ANSWER_MAX);
		int got = -1, nfds = 1;

		if (!p)
			n = -EMSGSIZE;
		else
			n = fd_recv(fd, p, CHUNK, &got, &nfds);
		if (n > 0)
			buf_commit(in, (size_t)n);
		if (n >= 0 && nfds == 1 && passed < 0)
			passed = TAKE_FD(got);
		if (n >= 0 && nfds == 1 && got >= 0)
			(void)close(got);
	} while (n > 0);
	if (passed >= 0 && (n < 0 || !ret_fd))
		(void)close(TAKE_FD(passed));
	if (ret_fd)
		*ret_fd = passed;
	return (int)n;
}

static int parse(const char *p, size_t n, json_t **ret, const char *who, struct err *err)
{
	json_error_t why;
	json_t *root = json_loadb(p, n, 0, &why);

	if (!root)
		return err_set(err, -EPROTO, "%s: the answer is no JSON: %s", who, why.text);
	*ret = root;
	return 0;
}

int remote_command(const struct remote *r, const char *verb, const char *argument,
		   json_t **ret_answer, int *ret_fd, struct err *err)
{
	_cleanup_(fd_closep) int fd = -1;
	_cleanup_(buf_done) struct buf in = {0};
	char line[512];
	int rc = dial(r->dir, "control.sock", &fd);
	int n = snprintf(line, sizeof(line), "%s%s%s\n", verb, argument[0] ? " " : "", argument);

	if (rc < 0)
		return err_set(err, rc, "%s/control.sock: %s", r->dir, strerror(-rc));
	if (n < 0 || (size_t)n >= sizeof(line))
		return err_set(err, -EINVAL, "%s: this is no app's name", argument);
	/* A refused peer gets its answer before it has spoken; then there is something to read all the same. */
	(void)fd_send(fd, &(struct iovec){line, (size_t)n}, 1, NULL, 0);
	rc = read_all(fd, &in, ret_fd);
	if (rc < 0)
		return err_set(err, rc, "%s/control.sock: %s", r->dir, strerror(-rc));
	rc = parse(buf_span(&in).p, in.n, ret_answer, "the emperor", err);
	if (rc < 0 && ret_fd && *ret_fd >= 0)
		(void)close(TAKE_FD(*ret_fd));
	return rc;
}

/* Asks once: the bytes of the answer and a NUL. */
static int ask_stats(const struct remote *r, const char *request, struct buf *in)
{
	_cleanup_(fd_closep) int fd = -1;
	int rc = dial(r->dir, "stats.sock", &fd);

	if (rc == 0)
		rc = fd_write_all(fd, request, strlen(request));
	if (rc == 0)
		rc = read_all(fd, in, NULL);
	if (rc == 0)
		rc = buf_append(in, "", 1, ANSWER_MAX + 1);
	return rc;
}

static const char *body_of(const struct buf *in)
{
	const char *text = buf_span(in).p;
	const char *end = strncmp(text, "HTTP/1.", 7) == 0 ? strstr(text, "\r\n\r\n") : NULL;

	return end ? end + 4 : NULL;
}

int remote_stats(const struct remote *r, const char *target, json_t **ret_answer, struct err *err)
{
	_cleanup_(buf_done) struct buf in = {0};
	char request[512];
	const char *body = NULL;
	long status;
	int rc = 0;
	int n = snprintf(request, sizeof(request),
			 "GET %s HTTP/1.0\r\nHost: emperor\r\nConnection: close\r\n\r\n", target);

	if (n < 0 || (size_t)n >= sizeof(request))
		return err_set(err, -EINVAL, "%s: this is no app's name", target);
	for (unsigned i = 0; i < STATS_TRIES && !body && rc == 0; i++) {
		buf_done(&in);
		rc = ask_stats(r, request, &in);
		if (rc == 0)
			body = body_of(&in);
	}
	if (rc < 0)
		return err_set(err, rc, "%s/stats.sock: %s", r->dir, strerror(-rc));
	if (!body)
		return err_set(err, -EPROTO, "%s/stats.sock: the answer is no HTTP", r->dir);
	status = strtol(buf_span(&in).p + sizeof("HTTP/1.1"), NULL, 10);
	rc = parse(body, in.n - 1 - (size_t)(body - buf_span(&in).p), ret_answer, "the stats role",
		   err);
	if (rc == 0 && status != 200) {
		const char *why = json_string_value(json_object_get(*ret_answer, "error"));

		rc = err_set(err, status == 404 ? -ENOENT : -EREMOTEIO, "%s",
			     why ? why : "the stats role refused");
		json_decref(*ret_answer);
		*ret_answer = NULL;
	}
	return rc;
}

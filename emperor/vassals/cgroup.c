/*
 * cgroup - see cgroup.h. Everything here is small files of the kernel's: read and written whole, never waited for. One
 * write may last: a limit below what a group holds has the kernel take that back first. A child does it.
 */
#include "emperor/vassals/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "shared/err.h"
#include "shared/fd.h"
#include "shared/log.h"

#define GROUP    "emperor" /* apps' groups are "app-NAME" in it */
#define TEXT_MAX 4096      /* of these files; memory.events has a hundred bytes */

static void say(struct cgroup *c, const char *fmt, ...) _printf_(2, 3);
static void say(struct cgroup *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(c->why, sizeof(c->why), fmt, ap);
	va_end(ap);
}

static int read_text(const char *path, char buf[TEXT_MAX])
{
	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;

	if (fd < 0)
		return -errno;
	while (n < TEXT_MAX - 1) {
		ssize_t r = read(fd, buf + n, TEXT_MAX - 1 - n);

		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		n += (size_t)r;
	}
	buf[n] = '\0';
	return 0;
}

/* Never makes the file: what the kernel has not put there is no control. */
static int write_text(const char *dir, const char *file, const char *text)
{
	char path[PATH_MAX];
	int fd, r;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, file);
	/* not blocking: a newer kernel then sets a limit without first taking back what is over it */
	fd = open(path, O_WRONLY | O_CLOEXEC | O_TRUNC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	r = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	(void)close(fd);
	return r;
}

static bool has_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = text; (p = strstr(p, word)); p += n)
		if ((p == text || strchr(" \n", p[-1])) && (p[n] == '\0' || strchr(" \n", p[n])))
			return true;
	return false;
}

/* Where cgroup v2 is mounted; a machine with v1 may have it too, without controllers. */
static bool find_mount(const char *mounts, char *ret, size_t size)
{
	FILE *f = fopen(mounts, "re");
	char line[1024], dir[512], type[64];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %511s %63s", dir, type) == 2 && str_eq(type, "cgroup2")) {
			(void)snprintf(ret, size, "%s", dir);
			found = true;
		}
	if (f)
		(void)fclose(f);
	return found;
}

static bool has_memory(struct cgroup *c, const char *dir)
{
	char path[PATH_MAX], text[TEXT_MAX];
	int r;

	(void)snprintf(path, sizeof(path), "%s/cgroup.controllers", dir);
	r = read_text(path, text);
	if (r < 0)
		say(c, "%s: %s", path, strerror(-r));
	else if (!has_word(text, "memory"))
		say(c, "%s: the memory controller is not among \"%.*s\"", dir,
		    (int)strcspn(text, "\n"), text);
	return r == 0 && has_word(text, "memory");
}

/* Below the root of the hierarchy, where it hands memory down; that is the service manager's to switch on. */
static bool make_default(struct cgroup *c, const struct cgroup_places *places, char *ret,
			 size_t size)
{
	char mount[512], path[PATH_MAX], text[TEXT_MAX] = "";

	if (!find_mount(places->mounts ? places->mounts : "/proc/self/mounts", mount,
			sizeof(mount))) {
		say(c, "there is no cgroup v2 on this machine");
		return false;
	}
	(void)snprintf(path, sizeof(path), "%s/cgroup.subtree_control", mount);
	(void)read_text(path, text);
	if (!has_word(text, "memory")) {
		say(c, "%s hands no memory controller down", mount);
		return false;
	}
	(void)snprintf(ret, size, "%s/" GROUP, mount);
	if (mkdir(ret, 0755) < 0 && errno != EEXIST) {
		say(c, "%s: %s", ret, strerror(errno));
		return false;
	}
	return true;
}

static bool take(struct cgroup *c, const char *dir)
{
	int r;

	if (!has_memory(c, dir))
		return false;
	r = write_text(dir, "cgroup.subtree_control", "+memory");
	if (r < 0)
		say(c, "%s: cannot be divided: %s", dir, strerror(-r));
	return r == 0;
}

void cgroup_find(struct cgroup *c, const struct cgroup_places *places)
{
	char dir[PATH_MAX];

	*c = (struct cgroup){0};
	if (places->dir && *places->dir)
		(void)snprintf(dir, sizeof(dir), "%s", places->dir);
	else if (!make_default(c, places, dir, sizeof(dir)))
		return;
	if (!take(c, dir))
		return;
	c->dir = strdup(dir);
	if (!c->dir)
		say(c, "out of memory");
}

void cgroup_done(struct cgroup *c)
{
	free(c->dir);
	*c = (struct cgroup){0};
}

static void app_dir(const struct cgroup *c, const char *app, char path[PATH_MAX])
{
	(void)snprintf(path, PATH_MAX, "%s/app-%s", c->dir, app);
}

/* A sixteenth below the limit the kernel begins to take caches back, before it has to kill. */
static uint64_t high_of(uint64_t bytes)
{
	return bytes - bytes / 16;
}

static int write_limit(const char *dir, const char *file, uint64_t bytes)
{
	char text[32] = "max";

	if (bytes > 0)
		(void)snprintf(text, sizeof(text), "%" PRIu64, bytes);
	return write_text(dir, file, text);
}

static int write_limits(const char *dir, uint64_t bytes)
{
	int r = write_limit(dir, "memory.max", bytes);

	return r < 0 ? r : write_limit(dir, "memory.high", high_of(bytes));
}

/* Is this still the limit? The kernel keeps whole pages. */
static bool is_limit(const char *dir, uint64_t bytes)
{
	char path[PATH_MAX + 16], text[TEXT_MAX];
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	(void)snprintf(path, sizeof(path), "%s/memory.max", dir);
	return read_text(path, text) == 0 && strtoull(text, NULL, 10) / page == bytes / page;
}

static bool holds_more(const char *dir, uint64_t bytes)
{
	char path[PATH_MAX + 16], text[TEXT_MAX];

	(void)snprintf(path, sizeof(path), "%s/memory.current", dir);
	return read_text(path, text) == 0 && strtoull(text, NULL, 10) > bytes;
}

/*
 * The child has nothing of ours but this one write, and whoever reaps our children reaps it. That it failed is said by it;
 * that the controls are there is seen before.
 */
static int write_limits_beside(const char *dir, uint64_t bytes)
{
	char path[PATH_MAX + 16];
	sigset_t all, was;
	pid_t pid;
	int r;

	(void)snprintf(path, sizeof(path), "%s/memory.max", dir);
	if (access(path, W_OK) < 0)
		return -errno;
	/* No handler of ours may run in the child: it would write to the loop's own wake-up descriptor. */
	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &was);
	pid = fork();
	if (pid != 0) {
		r = pid < 0 ? -errno : 0;
		(void)sigprocmask(SIG_SETMASK, &was, NULL);
		return r;
	}
	/* While it lasts, what the emperor closes must be closed: who waits for that would wait for us. */
	(void)close_range(STDERR_FILENO + 1, ~0U, 0);
	r = write_limit(dir, "memory.max", bytes);
	/* The first write may have lasted, and another limit is in force by now: what goes with it is written already. */
	if (r == 0 && is_limit(dir, bytes))
		r = write_limit(dir, "memory.high", high_of(bytes));
	if (r < 0)
		log_error("%s: memory.max: %s", dir, strerror(-r));
	_exit(r < 0);
}

static int set_limit(const char *dir, uint64_t bytes)
{
	return bytes > 0 && holds_more(dir, high_of(bytes)) ? write_limits_beside(dir, bytes)
							    : write_limits(dir, bytes);
}

int cgroup_limit(const struct cgroup *c, const char *app, uint64_t bytes, struct err *err)
{
	char dir[PATH_MAX];
	int r;

	if (!c->dir)
		return err_set(err, -EOPNOTSUPP, "%s", c->why);
	app_dir(c, app, dir);
	r = set_limit(dir, bytes);
	return r < 0 ? err_set(err, r, "%s: memory.max: %s", dir, strerror(-r)) : 0;
}

int cgroup_enter(const struct cgroup *c, const char *app, uint64_t bytes, int *ret_procs_fd,
		 struct err *err)
{
	char dir[PATH_MAX], path[PATH_MAX + 16];
	int fd, r;

	if (!c->dir)
		return err_set(err, -EOPNOTSUPP, "%s", c->why);
	app_dir(c, app, dir);
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return err_set(err, -errno, "%s: %s", dir, strerror(errno));
	r = cgroup_limit(c, app, bytes, err);
	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	*ret_procs_fd = fd;
	return 0;
}

int cgroup_oom_kills(const struct cgroup *c, const char *app, uint64_t *ret)
{
	char dir[PATH_MAX], path[PATH_MAX + 16], text[TEXT_MAX];
	const char *at;
	int r;

	if (!c->dir)
		return -EOPNOTSUPP;
	app_dir(c, app, dir);
	(void)snprintf(path, sizeof(path), "%s/memory.events", dir);
	r = read_text(path, text);
	if (r < 0)
		return r;
	at = strncmp(text, "oom_kill ", 9) == 0 ? text : strstr(text, "\noom_kill ");
	if (!at)
		return -EBADMSG;
	*ret = strtoull(strchr(at, ' '), NULL, 10);
	return 0;
}

void cgroup_remove(const struct cgroup *c, const char *app)
{
	char dir[PATH_MAX];

	if (!c->dir)
		return;
	app_dir(c, app, dir);
	(void)rmdir(dir);
}

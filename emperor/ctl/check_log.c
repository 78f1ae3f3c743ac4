/*
 * check_log - see check_inner.h. The same order as the emperor's (vassals/logfile.c): the app's own rights, then root's for
 * root's inis in root's directories. A file that is not there is not made: an unnamed one in its directory tells.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "emperor/ctl/check_inner.h"
#include "shared/owner.h"

#define FLAGS (O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)

static int judge_kind(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) || S_ISCHR(st.st_mode) ? 0 : -EINVAL;
}

static int try_dir(const char *path)
{
	const char *slash = strrchr(path, '/');
	_cleanup_(fd_closep) int fd = -1;
	char dir[PATH_MAX];

	(void)snprintf(dir, sizeof(dir), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	fd = open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	/* there are file systems without: then only the emperor can tell */
	return fd < 0 && errno != EOPNOTSUPP && errno != EISDIR ? -errno : 0;
}

static int try_write(const char *path)
{
	_cleanup_(fd_closep) int fd = open(path, O_WRONLY | O_APPEND | FLAGS);

	if (fd >= 0)
		return judge_kind(fd);
	return errno == ENOENT ? try_dir(path) : -errno;
}

static int try_as(const struct privs *p, const char *path, int (*try)(const char *path))
{
	struct privs_fs was = {0};
	int r = privs_fs_enter(p->uid, p->gid, p->groups, p->groups_n, &was);

	if (r < 0)
		return r;
	r = try(path);
	privs_fs_leave(&was);
	return r;
}

int check_try_write(const struct privs *p, const char *path)
{
	return try_as(p, path, try_write);
}

int check_try_folder(const struct privs *p, const char *path)
{
	return try_as(p, path, try_dir);
}

static bool is_denied(int r)
{
	return r == -EACCES || r == -EPERM;
}

int check_try_as_root(const struct check *k, const char *path)
{
	_cleanup_(fd_closep) int fd = -1;

	if (geteuid() != 0 || !check_is_roots(k))
		return -EACCES;
	fd = owner_open_dir_of_root(path);
	return fd < 0 ? fd : try_write(path);
}

static void say_denied(const struct world *w, const char *path)
{
	struct check *k = w->k;

	if (w->privs.uid == (uid_t)-1)
		check_say(k, &k->notes, "logto", "logto: %s: may not be written by this user",
			  path);
	else if (w->guess)
		check_say(k, &k->notes, "logto",
			  "logto: %s: may not be written by %s, as whom an app without uid runs if "
			  "the emperor's own uid option names no other",
			  path, w->guess);
	else
		check_say(k, &k->errors, "logto",
			  "logto: %s: may not be written (as uid = %s), and is not in a directory "
			  "of root's alone",
			  path, k->config.uid ? k->config.uid : "root");
}

void check_log(const struct world *w)
{
	struct check *k = w->k;
	const char *path = k->config.logto;
	int r;

	if (!path || !*path)
		return;
	if (path[0] != '/') {
		check_say(
			k, &k->notes, "logto",
			"logto: %s: a relative path without an absolute chdir is opened where the "
			"emperor was started",
			path);
		return;
	}
	r = check_try_write(&w->privs, path);
	if (is_denied(r))
		r = check_try_as_root(k, path);
	if (is_denied(r))
		say_denied(w, path);
	else if (r == -ELOOP)
		check_say(k, &k->errors, "logto",
			  "logto: %s: a symbolic link on the way, which is not followed", path);
	else if (r == -EINVAL)
		check_say(k, &k->errors, "logto", "logto: %s: is neither a file nor a device",
			  path);
	else if (r < 0)
		check_say(k, &k->errors, "logto", "logto: %s: %s", path, strerror(-r));
}

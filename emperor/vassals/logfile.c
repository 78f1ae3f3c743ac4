/*
 * logfile - see logfile.h.
 *
 * First with the app's own rights. Where they do not reach (/var/log is root's), root opens the file itself, but only for
 * an ini that root wrote, and only in a directory that nobody else can write, reached without any link: whoever could
 * plant one further up would choose the directory.
 */
#include "emperor/vassals/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "emperor/vassals/load.h"
#include "shared/err.h"
#include "shared/owner.h"

#define FLAGS (O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)

static int open_as_app(const struct loaded *l, const char *path)
{
	struct privs_fs was;
	int fd;
	int r = privs_fs_enter(l->privs.uid, l->privs.gid, l->privs.groups, l->privs.groups_n,
			       &was);

	if (r < 0)
		return r;
	fd = open(path, FLAGS, 0640);
	r = fd < 0 ? -errno : fd;
	privs_fs_leave(&was);
	return r;
}

static int open_as_root(const char *path)
{
	_cleanup_(fd_closep) int dir_fd = owner_open_dir_of_root(path);
	int fd;

	if (dir_fd < 0)
		return dir_fd;
	fd = openat(dir_fd, strrchr(path, '/') + 1, FLAGS, 0640);
	return fd < 0 ? -errno : fd;
}

int logfile_open(const struct loaded *l, int *ret_fd, struct err *err)
{
	const char *path = l->config.logto;
	_cleanup_(fd_closep) int fd = -1;
	struct stat st;

	if (!path || !*path) {
		*ret_fd = -1;
		return 0;
	}
	fd = open_as_app(l, path);
	if ((fd == -EACCES || fd == -EPERM) && l->roots && geteuid() == 0) {
		fd = open_as_root(path);
		if (fd == -ELOOP)
			return err_set(err, fd,
				       "logto = %s: a symbolic link on the way: root follows none "
				       "for an app that may not write there itself (name the "
				       "real path)",
				       path);
	}
	if (fd < 0)
		return err_set(err, fd, "logto = %s: %s", path, strerror(-fd));
	if (fstat(fd, &st) < 0)
		return err_set(err, -errno, "logto = %s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))
		return err_set(err, -EINVAL, "logto = %s: is neither a file nor a device", path);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

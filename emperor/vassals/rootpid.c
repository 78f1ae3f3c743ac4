/*
 * rootpid - see rootpid.h.
 *
 * The directory is opened once, checked, and used by its descriptor: nobody but root can have put another file under that
 * name then. What stands there all the same may be a slip of the pen in the ini; a file without a pid is left as it is.
 */
#include "emperor/vassals/rootpid.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "emperor/vassals/load.h"
#include "shared/err.h"
#include "shared/fd.h"
#include "shared/owner.h"

#define FLAGS      (O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)
#define DIGITS_MAX 10
#define TEXT_MAX   24 /* a pid and more than a pid */

/* Root's files are nobody's who runs as root: such a front writes its own. */
static int open_dir(const struct loaded *l)
{
	if (!l->config.pidfile || !l->roots || geteuid() != 0 || l->uid == 0)
		return -EACCES;
	return owner_open_dir_of_root(l->config.pidfile);
}

static const char *name_of(const char *path)
{
	return strrchr(path, '/') + 1;
}

/* The pid in it; 0: it is empty; -1: something else. */
static long read_pid(int fd)
{
	char text[TEXT_MAX] = "";
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	size_t digits = strspn(text, "0123456789");

	if (n == 0)
		return 0;
	if (n < 0 || n == TEXT_MAX - 1 || digits == 0 || digits > DIGITS_MAX ||
	    strspn(text + digits, " \n") != (size_t)n - digits)
		return -1;
	return strtol(text, NULL, 10);
}

int rootpid_write(const struct loaded *l, pid_t pid, struct err *err)
{
	const char *path = l->config.pidfile;
	_cleanup_(fd_closep) int dir = open_dir(l);
	_cleanup_(fd_closep) int fd = -1;
	char text[TEXT_MAX];
	struct stat st;
	size_t size;
	int n;

	if (dir < 0)
		return 0;
	fd = openat(dir, name_of(path), O_RDWR | O_CREAT | FLAGS, 0644);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, -errno, "pidfile: %s: %s", path, strerror(errno));
	if (S_ISREG(st.st_mode) && st.st_uid != 0)
		return 0;
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1 || read_pid(fd) < 0)
		return err_set(err, -EEXIST,
			       "pidfile: %s: is something else than a file with a pid, and is left "
			       "as it is",
			       path);
	n = snprintf(text, sizeof(text), "%d\n", (int)pid);
	/* what is left of a longer one would be a pid as well, for whoever reads it now */
	memset(text + n, '\n', sizeof(text) - (size_t)n);
	size = MAX((size_t)n, (size_t)MIN(st.st_size, (off_t)sizeof(text)));
	if (pwrite(fd, text, size, 0) != (ssize_t)size)
		return err_set(err, -EIO, "pidfile: %s: cannot be written", path);
	/* Only now: at no time is the pid of the one before gone and this one not there. */
	if (ftruncate(fd, n) < 0)
		return err_set(err, -errno, "pidfile: %s: %s", path, strerror(errno));
	return 1;
}

void rootpid_remove(const struct loaded *l, pid_t pid)
{
	_cleanup_(fd_closep) int dir = open_dir(l);
	_cleanup_(fd_closep) int fd = -1;
	struct stat st;

	if (dir < 0)
		return;
	fd = openat(dir, name_of(l->config.pidfile), O_RDONLY | FLAGS);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == 0 &&
	    read_pid(fd) == (long)pid)
		(void)unlinkat(dir, name_of(l->config.pidfile), 0);
}

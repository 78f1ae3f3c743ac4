/*
 * pidfile - see pidfile.h.
 */
#include "vassal/front/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base.h"
#include "shared/err.h"
#include "shared/fd.h"

#define TEXT_MAX 24

int pidfile_write(const char *path, struct err *err)
{
	_cleanup_(fd_closep) int fd = -1;
	char text[TEXT_MAX];
	struct stat st;
	size_t size;
	int n;

	if (!path)
		return 0;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, -errno, "pidfile: %s: %s", path, strerror(errno));
	n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	/* what is left of a longer one would be a pid as well, for whoever reads it now */
	memset(text + n, '\n', sizeof(text) - (size_t)n);
	size = MAX((size_t)n, (size_t)MIN(st.st_size, (off_t)sizeof(text)));
	if (write(fd, text, size) != (ssize_t)size)
		return err_set(err, -EIO, "pidfile: %s: cannot be written", path);
	/* Only now: at no time is the pid of the one before gone and ours not there. EINVAL: no regular file. */
	if (ftruncate(fd, n) < 0 && errno != EINVAL)
		return err_set(err, -errno, "pidfile: %s: %s", path, strerror(errno));
	return 0;
}

void pidfile_remove(const char *path)
{
	_cleanup_(fd_closep) int fd = -1;
	char text[TEXT_MAX] = "";

	if (!path)
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 &&
	    strtol(text, NULL, 10) == (long)getpid())
		(void)unlink(path);
}

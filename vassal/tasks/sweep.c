/*
 * sweep - see sweep.h. Reads all of /proc, a few milliseconds: a minder that is killed by hand is no everyday matter.
 */
#include "vassal/tasks/sweep.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>

#include "shared/base.h"

#define ROUNDS      5 /* a process that forks while we look is caught by the next one */
#define ENVIRON_MAX (256 * 1024UL) /* ours is far shorter; a longer one is not read to its end */

static bool has_mark(const char *pid, const char *mark, size_t mark_n, char *buf)
{
	char path[64];
	size_t n = 0;
	ssize_t got;

	(void)snprintf(path, sizeof(path), "/proc/%.20s/environ", pid);

	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) /* another user's, or gone */
		return false;
	while (n < ENVIRON_MAX && (got = read(fd, buf + n, ENVIRON_MAX - n)) > 0)
		n += (size_t)got;
	for (const char *p = buf; p < buf + n; p += strnlen(p, (size_t)(buf + n - p)) + 1)
		if ((size_t)(buf + n - p) > mark_n && memcmp(p, mark, mark_n + 1) == 0)
			return true;
	return false;
}

static unsigned one_round(const char *mark, char *buf)
{
	DIR *dir = opendir("/proc");
	const struct dirent *entry;
	unsigned n = 0;

	while (dir && (entry = readdir(dir))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid <= 1 || pid == getpid() ||
		    !has_mark(entry->d_name, mark, strlen(mark), buf))
			continue;
		n += kill(pid, SIGKILL) == 0;
	}
	if (dir)
		(void)closedir(dir);
	return n;
}

unsigned sweep_kill(const char *mark)
{
	_cleanup_(freep) char *buf = malloc(ENVIRON_MAX);
	char text[256];
	unsigned all = 0, n = 1;

	if (!buf)
		return 0;
	(void)snprintf(text, sizeof(text), SWEEP_MARK "=%s", mark);
	for (unsigned i = 0; i < ROUNDS && n > 0; i++) {
		n = one_round(text, buf);
		all += n;
	}
	return all;
}

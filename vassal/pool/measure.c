/*
 * measure - see measure.h. procfs never blocks on a disk, so this may run in the loop.
 */
#include "vassal/pool/measure.h"

#include <fcntl.h>
#include <stdio.h>

static bool read_proc(pid_t pid, const char *name, char *buf, size_t size)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);

	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	if (n <= 0)
		return false;
	buf[n] = '\0';
	return true;
}

/* The number at *p, which moves behind it. */
static bool take_number(const char **p, uint64_t *ret)
{
	char *end;

	*ret = strtoull(*p, &end, 10);
	if (end == *p)
		return false;
	*p = end;
	return true;
}

bool measure_memory(pid_t pid, uint64_t *ret_rss, uint64_t *ret_vsz)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t size, resident;
	char buf[128];
	const char *at = buf;

	if (!read_proc(pid, "statm", buf, sizeof(buf)) || !take_number(&at, &size) ||
	    !take_number(&at, &resident))
		return false;
	*ret_rss = resident * page;
	*ret_vsz = size * page;
	return true;
}

/* The kilobytes behind a name at the beginning of a line. */
static bool take_field(const char *text, const char *name, uint64_t *ret_bytes)
{
	const char *at = strstr(text, name);
	uint64_t kb;

	if (!at)
		return false;
	at += strlen(name);
	if (!take_number(&at, &kb))
		return false;
	*ret_bytes = kb * 1024;
	return true;
}

bool measure_pss(pid_t pid, uint64_t *ret_pss, uint64_t *ret_uss)
{
	char buf[2048]; /* smaps_rollup has about 700 bytes */
	uint64_t pss, clean, dirty;

	if (!read_proc(pid, "smaps_rollup", buf, sizeof(buf)) || !take_field(buf, "\nPss:", &pss) ||
	    !take_field(buf, "\nPrivate_Clean:", &clean) ||
	    !take_field(buf, "\nPrivate_Dirty:", &dirty))
		return false;
	*ret_pss = pss;
	*ret_uss = clean + dirty;
	return true;
}

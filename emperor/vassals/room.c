/*
 * room - are there descriptors left for one more app? An emperor that runs out of them in the middle of a start brings up
 * nobody; one that asks before brings up as many as fit, and says why the others wait.
 *
 * The lowest free number tells: descriptors are given out from below, so nearly all below it are in use.
 */
#include "emperor/vassals/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

#include "shared/err.h"

static unsigned limit_now(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur > INT32_MAX)
		return INT32_MAX;
	return (unsigned)r.rlim_cur;
}

static unsigned lowest_free(unsigned limit)
{
	int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return errno == EMFILE ? limit : 0; /* 0: nothing is known, so nobody is held up */
	(void)close(fd);
	return (unsigned)fd;
}

bool room_is_wide(void)
{
	unsigned limit = limit_now();

	return lowest_free(limit) < limit / 2;
}

int room_check(unsigned wanted, struct err *err)
{
	unsigned limit = limit_now();
	unsigned used = lowest_free(limit);

	if (used + wanted + ROOM_RESERVE <= limit)
		return 0;
	return err_set(
		err, -EMFILE,
		"no descriptors left for it: %u of %u are in use (raise the limit of open files, "
		"LimitNOFILE)",
		used, limit);
}

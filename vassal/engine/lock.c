/*
 * lock - see lock.h.
 *
 * An open-file-description lock belongs to a descriptor: each process has its own, and threads of one process are kept
 * apart by a mutex beside it. A child of the app's own making inherits the descriptor, and with it what is held.
 */
#include "vassal/engine/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "vassal/exchange/crew.h"

#define LOCK_AT (1LL << 40) /* beyond every byte of the exchange */

/* Of this process: a lock has no owner but that. */
static int handle = -1;
static pthread_mutex_t mutexes[LOCK_COUNT];

int lock_open(void)
{
	char path[32];
	int from = handle >= 0 ? handle : CREW_EXCHANGE_FD;
	int opened, fd;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", from);
	opened = open(path, O_RDWR | O_CLOEXEC);
	if (opened < 0)
		return -errno;
	/* the crew's numbers stay free: a worker that becomes the parent of a mold needs them */
	fd = fcntl(opened, F_DUPFD_CLOEXEC, CREW_BOARD_FD + 1);
	(void)close(opened);
	if (fd < 0)
		return -errno;
	if (handle >= 0)
		(void)close(handle);
	handle = fd;
	for (size_t i = 0; i < LOCK_COUNT; i++)
		(void)pthread_mutex_init(&mutexes[i], NULL);
	return 0;
}

static struct flock range_of(unsigned number, short type)
{
	return (struct flock){
		.l_type = type, .l_whence = SEEK_SET, .l_start = LOCK_AT + number, .l_len = 1};
}

int lock_take(unsigned number)
{
	struct flock l = range_of(number, F_WRLCK);
	int r;

	if (pthread_mutex_lock(&mutexes[number]) != 0)
		return -EINVAL;
	r = fcntl(handle, F_OFD_SETLKW, &l) < 0 ? -errno : 0;
	if (r < 0)
		(void)pthread_mutex_unlock(&mutexes[number]);
	return r;
}

int lock_give(unsigned number)
{
	struct flock l = range_of(number, F_UNLCK);
	int r = pthread_mutex_trylock(&mutexes[number]);

	/* nobody here holds it: uWSGI says nothing either */
	if (r == 0) {
		(void)pthread_mutex_unlock(&mutexes[number]);
		return 0;
	}
	r = fcntl(handle, F_OFD_SETLK, &l) < 0 ? -errno : 0;
	(void)pthread_mutex_unlock(&mutexes[number]);
	return r;
}

int lock_is_taken(unsigned number)
{
	struct flock l = range_of(number, F_WRLCK);

	if (pthread_mutex_trylock(&mutexes[number]) != 0)
		return 1;
	(void)pthread_mutex_unlock(&mutexes[number]);
	if (fcntl(handle, F_OFD_GETLK, &l) < 0)
		return -errno;
	return l.l_type != F_UNLCK;
}

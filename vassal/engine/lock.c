/*
 * lock - see lock.h.
 *
 * An open-file-description lock belongs to a descriptor: each process has its own, and threads of one process are kept
 * apart by a mutex beside it. A fork would share the descriptor, and with it every lock that either side takes later: two
 * would hold one lock, and a dead worker's stayed held by what it had forked. So each child opens its own at once, whoever
 * forked it, and holds nothing.
 */
#include "vassal/engine/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/clock.h"
#include "vassal/exchange/crew.h"

#define LOOK_NS (100 * NS_PER_MS) /* a request whose time is up ends a tenth of a second later */
#define LOCK_AT (1LL << 40)       /* beyond every byte of the exchange */

/* Of this process: a lock has no owner but that. */
static int handle = -1;
static struct stat shared; /* what it is open for */
static pthread_mutex_t mutexes[LOCK_COUNT];
static atomic_bool
	held[LOCK_COUNT]; /* by a thread of ours: its mutex alone may mean that one waits */

/* A description of its own of what this descriptor is open for, or -errno. */
static int open_again(int fd)
{
	char path[32];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = open(path, O_RDWR | O_CLOEXEC);
	return r < 0 ? -errno : r;
}

static void hold_nothing(void)
{
	for (size_t i = 0; i < LOCK_COUNT; i++) {
		(void)pthread_mutex_init(&mutexes[i], NULL);
		atomic_store(&held[i], false);
	}
}

/* A daemon of the app may have closed all it found and use the number for something of its own. */
static bool is_ours(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == shared.st_dev &&
	       st.st_ino == shared.st_ino;
}

static void on_fork_in_child(void)
{
	int opened;

	hold_nothing();
	if (!is_ours(handle)) {
		handle = -1;
		return;
	}
	opened = open_again(handle);
	if (opened < 0 || dup3(opened, handle, O_CLOEXEC) < 0) {
		(void)close(handle);
		handle = -1;
	}
	if (opened >= 0)
		(void)close(opened);
}

int lock_start(void)
{
	int opened = open_again(CREW_EXCHANGE_FD);
	int fd;

	if (opened < 0)
		return opened;
	/* the crew's numbers stay free: a worker that becomes the parent of a mold needs them */
	fd = fcntl(opened, F_DUPFD_CLOEXEC, CREW_BOARD_FD + 1);
	(void)close(opened);
	if (fd < 0 || fstat(fd, &shared) < 0)
		return -errno;
	/* of libc and not of Python: an extension's fork() counts too */
	if (pthread_atfork(NULL, NULL, on_fork_in_child) != 0) {
		(void)close(fd);
		return -ENOMEM;
	}
	handle = fd;
	hold_nothing();
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
	uint64_t until_ns = clock_now_ns() + LOOK_NS;
	const struct timespec until = {.tv_sec = (time_t)(until_ns / NS_PER_S),
				       .tv_nsec = (long)(until_ns % NS_PER_S)};
	int r = pthread_mutex_clocklock(&mutexes[number], CLOCK_MONOTONIC, &until);

	/* no signal ends the wait for a mutex, and its holder may be who waits */
	if (r != 0)
		return r == ETIMEDOUT ? -EINTR : -r;
	r = fcntl(handle, F_OFD_SETLKW, &l) < 0 ? -errno : 0;
	if (r == 0)
		atomic_store(&held[number], true);
	else
		(void)pthread_mutex_unlock(&mutexes[number]);
	return r;
}

int lock_give(unsigned number)
{
	struct flock l = range_of(number, F_UNLCK);
	int r;

	/* nobody here holds it: uWSGI says nothing either. Who waits for it goes on waiting. */
	if (!atomic_exchange(&held[number], false))
		return 0;
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

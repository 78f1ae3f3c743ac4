/*
 * refork - see refork.h.
 *
 * What a request has opened (a connection of a pool, a log, a selector) would be used by the mold's workers and by this
 * one at once, and a thread would not be copied: a worker that has either refuses, and says which.
 */
#include "vassal/engine/engine.h"

#include "vassal/engine/refork.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>

#include "shared/clock.h"
#include "shared/err.h"
#include "shared/fd.h"
#include "vassal/engine/body.h"
#include "vassal/engine/mold.h"

/* The front is an event loop: one that is silent for so long has something else to do than making molds. */
#define ANSWER_TIMEOUT_MS 2000

struct birth {
	int mold_fd, link_fd, wake_fd;
};

/* The next descriptor that is open; -1: none. */
static int next_fd(DIR *d)
{
	const struct dirent *entry;

	while ((entry = readdir(d)))
		if (entry->d_name[0] != '.' && strtol(entry->d_name, NULL, 10) != dirfd(d))
			return (int)strtol(entry->d_name, NULL, 10);
	return -1;
}

void refork_remember(struct refork *r)
{
	DIR *d = opendir("/proc/self/fd");
	int fd;

	if (!d)
		return;
	while ((fd = next_fd(d)) >= 0)
		if (fd < REFORK_FDS)
			r->ours[fd / 64] |= 1ULL << (fd % 64);
	(void)closedir(d);
}

static bool is_ours(const struct refork *r, int fd)
{
	return fd < REFORK_FDS && r->ours[fd / 64] & 1ULL << (fd % 64);
}

static bool find_descriptor(const struct refork *r, char *why, size_t size)
{
	DIR *d = opendir("/proc/self/fd");
	char target[128] = "?", path[64];
	int fd;

	if (!d) {
		(void)snprintf(why, size, "cannot look at its descriptors");
		return true;
	}
	do
		fd = next_fd(d);
	while (fd >= 0 && is_ours(r, fd));
	(void)closedir(d);
	if (fd < 0)
		return false;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	(void)!readlink(path, target, sizeof(target) - 1);
	(void)snprintf(why, size, "a request has opened %s and not closed it (descriptor %d)",
		       target, fd);
	return true;
}

/* The mold's channel has this number: it must be free, or held by what the mold does not need. */
static bool find_taken_number(const struct refork *r, const struct crew_link *link, char *why,
			      size_t size)
{
	if (r->wake_fd == CREW_MOLD_FD || link->fd == CREW_MOLD_FD ||
	    fcntl(CREW_MOLD_FD, F_GETFD) < 0)
		return false;
	(void)snprintf(why, size, "descriptor %d is in use", CREW_MOLD_FD);
	return true;
}

static bool find_thread(char *why, size_t size)
{
	DIR *d = opendir("/proc/self/task");
	unsigned n = 0;

	while (d && next_fd(d) >= 0)
		n++;
	if (d)
		(void)closedir(d);
	if (n == 1)
		return false;
	(void)snprintf(why, size, "it has %u threads, and a fork has one", n);
	return true;
}

static void tell(const struct crew_link *link, struct crew_msg m, const char *text)
{
	int r;

	m.worker = link->worker;
	do
		r = crew_send(link->fd, &m, text, -1);
	while (r == -EAGAIN &&
	       poll(&(struct pollfd){.fd = link->fd, .events = POLLOUT}, 1, 1000) > 0);
}

/* The mold's end of its pair, or -1. */
static int receive_end(const struct crew_link *link)
{
	uint64_t until = clock_now_ns() + ANSWER_TIMEOUT_MS * NS_PER_MS;
	struct crew_msg m;
	struct err err = {0};
	int fd = -1;

	while (clock_now_ns() < until) {
		struct pollfd p = {.fd = link->fd, .events = POLLIN};
		int r;

		if (poll(&p, 1, ANSWER_TIMEOUT_MS) <= 0)
			continue;
		r = crew_recv(link->fd, &m, &fd, &err);
		if (r == 0)
			_exit(CREW_EXIT_ORPHAN);
		if (r > 0 && m.kind == CREW_MOLD)
			return fd;
		fd_closep(&fd); /* the late answer to a question about a body */
	}
	return -1;
}

static _Noreturn void be_mold(struct engine *e, void *arg)
{
	const struct birth *b = arg;

	/* one of these may have the number that the mold's own channel has to have */
	(void)close(b->link_fd);
	(void)close(b->wake_fd);
	if (b->mold_fd != CREW_MOLD_FD) {
		if (dup3(b->mold_fd, CREW_MOLD_FD, O_CLOEXEC) < 0)
			_exit(CREW_EXIT_FAILED);
		(void)close(b->mold_fd);
	}
	mold_resume(e);
}

void refork_answer(struct engine *e, struct refork *r, struct crew_link *link)
{
	struct birth b = {.link_fd = link->fd, .wake_fd = r->wake_fd};
	char why[256];
	pid_t pid;

	if (find_thread(why, sizeof(why)) || find_descriptor(r, why, sizeof(why)) ||
	    find_taken_number(r, link, why, sizeof(why))) {
		tell(link, (struct crew_msg){.kind = CREW_REFORK_FAILED}, why);
		return;
	}
	tell(link, (struct crew_msg){.kind = CREW_WANT_MOLD}, NULL);
	b.mold_fd = receive_end(link);
	if (b.mold_fd < 0) {
		tell(link, (struct crew_msg){.kind = CREW_REFORK_FAILED},
		     "the front gave no channel");
		return;
	}
	pid = mold_fork(e, be_mold, &b);
	(void)close(b.mold_fd);
	if (pid > 0) {
		tell(link, (struct crew_msg){.kind = CREW_REFORKED, .a = (uint64_t)pid}, NULL);
		return;
	}
	(void)snprintf(why, sizeof(why), "fork: %s", strerror(-pid));
	tell(link, (struct crew_msg){.kind = CREW_REFORK_FAILED}, why);
}

/*
 * walk - see walk.h.
 *
 * Each component is opened by itself, and a link is read through the descriptor that showed its owner: nobody can put
 * another one in its place between the question and the answer.
 */
#include "emperor/watch/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "shared/limits.h"

struct walk {
	int fd; /* owned: where we are */
	unsigned links;
	uid_t owner; /* of the links that are not root's; 0: there was none */
	bool mixed;  /* they had more than one */
	char rest[PATH_MAX];
};

static int move_to(struct walk *w, int fd)
{
	if (fd < 0)
		return -1;
	if (w->fd >= 0)
		(void)close(w->fd);
	w->fd = fd;
	return 0;
}

static int follow(struct walk *w, int link_fd, uid_t owner)
{
	char target[PATH_MAX];
	char rest[PATH_MAX];
	ssize_t n = readlinkat(link_fd, "", target, sizeof(target) - 1);

	if (n < 0)
		return -1;
	target[n] = '\0';
	if (++w->links > LIMIT_SCAN_LINKS) {
		errno = ELOOP;
		return -1;
	}
	w->mixed |= owner != 0 && w->owner != 0 && w->owner != owner;
	if (owner != 0)
		w->owner = owner;
	(void)snprintf(rest, sizeof(rest), "%s", w->rest);
	if (snprintf(w->rest, sizeof(w->rest), "%s/%s", target, rest) >= (int)sizeof(w->rest)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return target[0] == '/' ? move_to(w, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)) : 0;
}

/* 1: nothing is left to go. */
static int step(struct walk *w)
{
	char name[NAME_MAX + 1];
	size_t skip = strspn(w->rest, "/");
	size_t n = strcspn(w->rest + skip, "/");
	_cleanup_(fd_closep) int fd = -1;
	struct stat st;

	if (n == 0)
		return 1;
	if (n >= sizeof(name)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(name, w->rest + skip, n);
	name[n] = '\0';
	memmove(w->rest, w->rest + skip + n, strlen(w->rest + skip + n) + 1);
	fd = openat(w->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	return S_ISLNK(st.st_mode) ? follow(w, fd, st.st_uid) : move_to(w, TAKE_FD(fd));
}

int walk_open(const char *path, bool *ret_foreign)
{
	struct walk w = {.fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)};
	struct stat st;
	int r = w.fd < 0 ? -1 : 0;

	if (snprintf(w.rest, sizeof(w.rest), "%s", path) >= (int)sizeof(w.rest)) {
		errno = ENAMETOOLONG;
		r = -1;
	}
	while (r == 0)
		r = step(&w);
	if (r > 0 && fstat(w.fd, &st) == 0) {
		*ret_foreign = w.mixed || (w.owner != 0 && w.owner != st.st_uid);
		return w.fd;
	}
	if (w.fd >= 0) {
		int saved = errno;

		(void)close(w.fd);
		errno = saved;
	}
	return -1;
}

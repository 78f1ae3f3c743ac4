/*
 * scoreboard - see scoreboard.h. The memory itself: made, sealed, checked, mapped.
 */
#include "shared/scoreboard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "shared/err.h"

#define BOARD_SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

int board_create(int *ret_fd, struct scoreboard **ret_board, const char *name, struct err *err)
{
	_cleanup_(fd_closep) int fd = memfd_create("scoreboard", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct scoreboard *b;

	if (fd < 0)
		return err_set(err, -errno, "scoreboard: memfd_create: %s", strerror(errno));
	if (ftruncate(fd, sizeof(*b)) < 0)
		return err_set(err, -errno, "scoreboard: ftruncate: %s", strerror(errno));
	if (fcntl(fd, F_ADD_SEALS, BOARD_SEALS | F_SEAL_SEAL) < 0)
		return err_set(err, -errno, "scoreboard: cannot seal: %s", strerror(errno));
	b = mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (b == MAP_FAILED)
		return err_set(err, -errno, "scoreboard: mmap: %s", strerror(errno));
	b->magic = BOARD_MAGIC;
	b->version = BOARD_VERSION;
	b->size = sizeof(*b);
	(void)snprintf(b->name, sizeof(b->name), "%s", name);
	*ret_fd = TAKE_FD(fd);
	*ret_board = b;
	return 0;
}

/* What must hold before the memory may be touched at all: no access beyond its end, now or later. */
static int check_file(int fd, struct err *err)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0 || (seals & BOARD_SEALS) != BOARD_SEALS)
		return err_set(err, -EPERM, "scoreboard: descriptor %d is not sealed in its size",
			       fd);
	if (fstat(fd, &st) < 0)
		return err_set(err, -errno, "scoreboard: fstat: %s", strerror(errno));
	if (st.st_size != (off_t)sizeof(struct scoreboard))
		return err_set(err, -EINVAL, "scoreboard: %lld bytes, this build uses %zu",
			       (long long)st.st_size, sizeof(struct scoreboard));
	return 0;
}

static int check_head(const struct scoreboard *b, struct err *err)
{
	uint32_t magic = *(const volatile uint32_t *)&b->magic;
	uint32_t version = *(const volatile uint32_t *)&b->version;
	uint64_t size = *(const volatile uint64_t *)&b->size;

	if (magic == BOARD_MAGIC && version == BOARD_VERSION && size == sizeof(*b))
		return 0;
	return err_set(err, -EINVAL, "scoreboard: magic %08x version %u, expected %08x version %u",
		       magic, version, BOARD_MAGIC, BOARD_VERSION);
}

static int map_checked(int fd, int prot, struct scoreboard **ret_board, struct err *err)
{
	struct scoreboard *b;
	int r = check_file(fd, err);

	if (r < 0)
		return r;
	b = mmap(NULL, sizeof(*b), prot, MAP_SHARED, fd, 0);
	if (b == MAP_FAILED)
		return err_set(err, -errno, "scoreboard: mmap: %s", strerror(errno));
	r = check_head(b, err);
	if (r < 0) {
		board_unmap(b);
		return r;
	}
	*ret_board = b;
	return 0;
}

int board_map(int fd, struct scoreboard **ret_board, struct err *err)
{
	return map_checked(fd, PROT_READ | PROT_WRITE, ret_board, err);
}

void board_unmap(const struct scoreboard *b)
{
	if (b)
		(void)munmap((void *)(uintptr_t)b, sizeof(*b));
}

int board_map_readonly(int fd, const struct scoreboard **ret_board, struct err *err)
{
	_cleanup_(fd_closep) int reopened = -1;
	struct scoreboard *b = NULL;
	int flags = fcntl(fd, F_GETFL);
	int r;

	if (flags < 0)
		return err_set(err, -errno, "scoreboard: descriptor %d: %s", fd, strerror(errno));
	if ((flags & O_ACCMODE) != O_RDONLY) {
		char path[64];

		/* A mapping of a read-only description can never be made writable, whatever goes wrong later. */
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		reopened = open(path, O_RDONLY | O_CLOEXEC);
		if (reopened < 0)
			return err_set(err, -errno, "scoreboard: cannot reopen read-only: %s",
				       strerror(errno));
		fd = reopened;
	}
	r = map_checked(fd, PROT_READ, &b, err);
	if (r < 0)
		return r;
	*ret_board = b;
	return 0;
}

void board_trim(const struct scoreboard *b)
{
	(void)madvise((void *)(uintptr_t)b, sizeof(*b), MADV_DONTNEED);
}

/*
 * stamps - see stamps.h. Runs in a thread with a small stack: no large locals.
 */
#include "vassal/front/stamps.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

struct walk {
	uint64_t digest;
	unsigned files;
};

/* FNV-1a, 64 bits, by words: for telling apart, not for trust. */
static uint64_t mix(uint64_t digest, uint64_t word)
{
	digest = (digest ^ word) * 0x100000001b3u;
	return digest ^ digest >> 32;
}

static uint64_t digest_of(const char *name, const struct stat *st)
{
	uint64_t digest = 0xcbf29ce484222325u;

	for (; *name; name++)
		digest = mix(digest, (unsigned char)*name);
	digest = mix(digest, (uint64_t)st->st_dev);
	digest = mix(digest, (uint64_t)st->st_ino);
	digest = mix(digest, (uint64_t)st->st_size);
	digest = mix(digest, (uint64_t)st->st_mtim.tv_sec);
	return mix(digest, (uint64_t)st->st_mtim.tv_nsec);
}

static bool counts(const char *name)
{
	size_t n = strlen(name);

	return name[0] != '.' && name[0] != '#' && name[n - 1] != '~' &&
	       !str_eq(name, "__pycache__") && !(n > 4 && str_eq(name + n - 4, ".pyc"));
}

/* The sum of what the files are, so that readdir's order does not matter. Takes fd. */
/* NOLINTNEXTLINE(misc-no-recursion): STAMP_DEPTH bounds it */
static void look_into(int fd, unsigned depth, struct walk *w)
{
	DIR *d = fdopendir(fd);
	const struct dirent *de;
	struct stat st;

	if (!d) {
		(void)close(fd);
		return;
	}
	while (w->files < STAMP_FILES && (de = readdir(d)) != NULL) {
		if (!counts(de->d_name) || fstatat(fd, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(st.st_mode) && depth < STAMP_DEPTH) {
			int below = openat(fd, de->d_name,
					   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

			if (below >= 0)
				look_into(below, depth + 1, w);
		} else if (S_ISREG(st.st_mode)) {
			w->files++;
			w->digest += digest_of(de->d_name, &st);
		}
	}
	(void)closedir(d);
}

struct stamp stamp_take(const char *path)
{
	struct walk w = {0};
	struct stat st;
	int fd;

	if (stat(path, &st) < 0)
		return (struct stamp){0};
	if (!S_ISDIR(st.st_mode))
		return (struct stamp){true, digest_of("", &st)};
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return (struct stamp){0};
	look_into(fd, 0, &w);
	return (struct stamp){true, w.digest};
}

bool stamp_differs(const struct stamp *was, const struct stamp *now)
{
	return now->there && (!was->there || was->digest != now->digest);
}

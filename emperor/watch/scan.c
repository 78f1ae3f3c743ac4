/*
 * scan - see scan.h.
 *
 * Part of the truth: whatever inotify said or lost, what stands here is what is wanted. It never says that something is
 * gone because it could not look (an unmounted disk must not stop every app).
 */
#include "emperor/watch/scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include "shared/err.h"

#define SUFFIX ".ini"

bool scan_takes_name(const char *file_name)
{
	size_t n = strlen(file_name);
	size_t suffix_n = sizeof(SUFFIX) - 1;

	if (n <= suffix_n || !str_eq(file_name + n - suffix_n, SUFFIX))
		return false;
	/* Hidden covers vim's .blog.ini.swp as well; '#' is emacs'. */
	if (file_name[0] == '.' || file_name[0] == '#')
		return false;
	if (n - suffix_n >= LIMIT_NAME)
		return false;
	/* The name goes into logs, titles and socket paths: what a terminal obeys stays out. */
	for (const char *p = file_name; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return false;
	return true;
}

bool scan_only_root_writes(const struct stat *st)
{
	if (st->st_uid != 0 || (st->st_mode & S_IWOTH))
		return false;
	return !(st->st_mode & S_IWGRP) || st->st_gid == 0;
}

/* NULL when memory has run out: an entry without bytes is not taken, whether it has words for it or not. */
_printf_(1, 2) static char *text_of(const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : text;
}

/* Up to max bytes of a regular file; one more is a problem, not a cut. */
static char *read_all(int fd, size_t size, size_t *ret_n, const char **ret_problem)
{
	char *bytes = malloc(size + 1);
	size_t n = 0;

	if (!bytes) {
		*ret_problem = "out of memory";
		return NULL;
	}
	while (n <= size) {
		ssize_t r = read(fd, bytes + n, size + 1 - n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0) {
			*ret_problem = strerror(errno);
			free(bytes);
			return NULL;
		}
		if (r == 0)
			break;
		n += (size_t)r;
	}
	if (n > size) {
		/* It grew while it was read; its next change will bring us back. */
		n = size;
	}
	bytes[n] = '\0';
	*ret_n = n;
	return bytes;
}

static const char *refusal(const struct stat *st, bool dir_roots, const struct scan_rules *rules)
{
	if (!S_ISREG(st->st_mode))
		return "is not a regular file";
	if (st->st_size > LIMIT_INI_BYTES)
		return "is larger than 1 MiB";
	if (!rules->only_root || rules->tyrant)
		return NULL;
	if (!scan_only_root_writes(st))
		return "is not taken: others than root may write it (chown root, chmod go-w, or "
		       "use tyrant mode)";
	if (!dir_roots)
		return "is not taken: others than root may write its directory (or use tyrant "
		       "mode)";
	return NULL;
}

/* The directory that really holds the file: a link into a directory of somebody else's is somebody else's file. */
static bool target_dir_roots(const char *real)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(real, '/');
	struct stat st;

	if (!slash)
		return false;
	(void)snprintf(dir, sizeof(dir), "%.*s", slash == real ? 1 : (int)(slash - real), real);
	return stat(dir, &st) == 0 && scan_only_root_writes(&st);
}

static void look(struct scan_entry *e, bool dir_roots, const struct scan_rules *rules)
{
	/* O_NONBLOCK: somebody's FIFO named x.ini must not hold the emperor. */
	_cleanup_(fd_closep) int fd = open(e->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char real[PATH_MAX];
	struct stat st = {0};
	const char *why = NULL;

	if (fd < 0 || fstat(fd, &st) < 0) {
		e->problem = text_of("cannot be read: %s", strerror(errno));
		(void)lstat(e->path, &st);
		fingerprint_make(&e->print, &st, 0, "");
		return;
	}
	if (!realpath(e->path, real))
		real[0] = '\0';
	e->owner = st.st_uid;
	e->roots = dir_roots && scan_only_root_writes(&st) && target_dir_roots(real);
	why = refusal(&st, dir_roots && target_dir_roots(real), rules);
	if (!why)
		e->bytes = read_all(fd, (size_t)st.st_size, &e->n, &why);
	if (why)
		e->problem = text_of("%s", why);
	fingerprint_make(&e->print, &st, e->bytes ? fingerprint_digest(e->bytes, e->n) : 0, real);
	if (e->problem)
		e->print.content = fingerprint_digest(e->problem, strlen(e->problem));
}

static struct scan_entry *append(struct scan *s)
{
	struct scan_entry *e;

	if (s->n == s->room) {
		size_t room = s->room ? s->room * 2 : 32;
		struct scan_entry *v = reallocarray(s->v, room, sizeof(*v));

		if (!v)
			return NULL;
		s->v = v;
		s->room = room;
	}
	e = &s->v[s->n++];
	*e = (struct scan_entry){0};
	return e;
}

static struct scan_entry *find(const struct scan *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (str_eq(s->v[i].name, name))
			return &s->v[i];
	return NULL;
}

/* Takes text. The first complaint is enough: the next scan brings the next. */
static void complain(struct scan *s, char *text)
{
	if (s->complaint)
		free(text);
	else
		s->complaint = text;
}

static int take_file(struct scan *s, const char *dir, const char *file_name, bool dir_roots,
		     const struct scan_rules *rules)
{
	char name[LIMIT_NAME];
	const struct scan_entry *same;
	struct scan_entry *e;

	(void)snprintf(name, sizeof(name), "%.*s", (int)(strlen(file_name) - (sizeof(SUFFIX) - 1)),
		       file_name);
	same = find(s, name);
	if (same) {
		complain(s, text_of("%s/%s: ignored, %s has the same name and comes first", dir,
				    file_name, same->path));
		return 0;
	}
	if (s->n >= LIMIT_APPS) {
		complain(s, text_of("%s/%s: ignored, one emperor takes %d apps", dir, file_name,
				    LIMIT_APPS));
		return 0;
	}
	e = append(s);
	if (!e)
		return -ENOMEM;
	memcpy(e->name, name, sizeof(name));
	e->dir = dir;
	if (asprintf(&e->path, "%s/%s", dir, file_name) < 0) {
		e->path = NULL;
		return -ENOMEM;
	}
	look(e, dir_roots, rules);
	return 0;
}

static int take_dir(struct scan *s, const char *dir, const struct scan_rules *rules)
{
	DIR *d = opendir(dir);
	struct dirent *de;
	struct stat st;
	bool dir_roots;
	int r = 0;

	if (!d || fstat(dirfd(d), &st) < 0) {
		complain(s, text_of("%s: cannot be read: %s; what runs from there keeps running",
				    dir, strerror(errno)));
		s->incomplete = true;
		if (d)
			(void)closedir(d);
		return 0;
	}
	dir_roots = scan_only_root_writes(&st);
	errno = 0;
	while (r == 0 && (de = readdir(d)) != NULL) {
		if (scan_takes_name(de->d_name))
			r = take_file(s, dir, de->d_name, dir_roots, rules);
		errno = 0;
	}
	if (!de && errno != 0)
		s->incomplete = true;
	(void)closedir(d);
	return r;
}

static int by_name(const void *a, const void *b)
{
	const struct scan_entry *x = a;
	const struct scan_entry *y = b;

	return strcmp(x->name, y->name);
}

int scan_run(struct scan *ret, const char *const *dirs, size_t dirs_n,
	     const struct scan_rules *rules, struct err *err)
{
	struct scan s = {0};

	for (size_t i = 0; i < dirs_n; i++) {
		int r = take_dir(&s, dirs[i], rules);

		if (r < 0) {
			scan_done(&s);
			return err_set(err, r, "%s: %s", dirs[i], strerror(-r));
		}
	}
	if (s.n > 1)
		qsort(s.v, s.n, sizeof(*s.v), by_name);
	*ret = s;
	return 0;
}

void scan_done(struct scan *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->v[i].path);
		free(s->v[i].bytes);
		free(s->v[i].problem);
	}
	free(s->v);
	free(s->complaint);
	*s = (struct scan){0};
}

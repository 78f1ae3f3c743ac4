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

#include "emperor/watch/walk.h"
#include "shared/err.h"
#include "shared/owner.h"
#include "shared/utf8.h"

#define SUFFIX ".ini"

struct candidate { /* a name found in a directory, before anybody has looked at the file */
	size_t dir;
	bool known; /* runs already, from this very file */
	char file_name[LIMIT_NAME + sizeof(SUFFIX)];
};

struct found {
	struct candidate *v; /* owned */
	size_t n, room;
	size_t new_here; /* new ones of this directory */
};

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
	for (size_t i = 0, k; i < n; i += k) {
		k = utf8_plain(file_name + i, n - i);
		if (k == 0)
			return false;
	}
	return true;
}

/* Meant as an app, but not taken: hidden files and editors' copies are not. */
static bool is_misnamed(const char *file_name)
{
	size_t n = strlen(file_name);
	size_t suffix_n = sizeof(SUFFIX) - 1;

	return n > suffix_n && str_eq(file_name + n - suffix_n, SUFFIX) && file_name[0] != '.' &&
	       file_name[0] != '#' && !scan_takes_name(file_name);
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
	if (!owner_is_root_alone(st))
		return "is not taken: others than root may write it (chown root, chmod go-w, or "
		       "use tyrant mode)";
	if (!dir_roots)
		return "is not taken: others than root may write its directory (or use tyrant "
		       "mode)";
	return NULL;
}

/* What stands there, not opened yet: opening a device may do something, opening a FIFO may wait. */
static int open_place(const char *path, const struct scan_rules *rules, struct stat *st,
		      const char **ret_why)
{
	_cleanup_(fd_closep) int fd = -1;
	bool foreign = false;

	if (rules->only_root && rules->tyrant)
		fd = walk_open(path, &foreign);
	else
		fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0 || fstat(fd, st) < 0)
		return -errno;
	if (foreign)
		*ret_why = "is not taken: a link on the way belongs neither to root nor to the "
			   "owner of the file";
	return TAKE_FD(fd);
}

static int reopen(int place_fd)
{
	char proc[64];

	(void)snprintf(proc, sizeof(proc), "/proc/self/fd/%d", place_fd);
	return open(proc, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

static void look(struct scan_entry *e, bool dir_roots, const struct scan_rules *rules)
{
	_cleanup_(fd_closep) int fd = -1;
	char real[PATH_MAX];
	struct stat st = {0};
	const char *why = NULL;
	_cleanup_(fd_closep) int place_fd = open_place(e->path, rules, &st, &why);

	if (place_fd >= 0 && S_ISREG(st.st_mode))
		fd = reopen(place_fd);
	if (place_fd < 0 || (S_ISREG(st.st_mode) && fd < 0)) {
		e->problem = text_of("cannot be read: %s", strerror(errno));
		(void)lstat(e->path, &st);
		e->owner = st.st_uid;
		fingerprint_make(&e->print, &st, 0, "");
		return;
	}
	/* a link into a directory of somebody else's is somebody else's file */
	if (!realpath(e->path, real))
		real[0] = '\0';
	e->owner = st.st_uid;
	e->roots = dir_roots && owner_is_root_alone(&st) && owner_of_dir_is_root_alone(real);
	if (!why)
		why = refusal(&st, dir_roots && owner_of_dir_is_root_alone(real), rules);
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

static size_t count_of(const struct scan *s, uid_t owner)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += s->v[i].owner == owner;
	return n;
}

static void drop_last(struct scan *s)
{
	struct scan_entry *e = &s->v[--s->n];

	free(e->path);
	free(e->bytes);
	free(e->problem);
}

static int take_file(struct scan *s, const char *dir, const char *file_name, bool known,
		     bool dir_roots, const struct scan_rules *rules)
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
	if (s->n >= LIMIT_APPS && !known) {
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
	if (rules->only_root && rules->tyrant && !known && e->owner != 0 &&
	    count_of(s, e->owner) > LIMIT_TENANT_APPS) {
		complain(s, text_of("%s: ignored, uid %u has %d apps already", e->path,
				    (unsigned)e->owner, LIMIT_TENANT_APPS));
		drop_last(s);
	}
	return 0;
}

static bool is_known(const char *dir, const char *file_name, const struct scan_rules *rules)
{
	char name[LIMIT_NAME];
	const char *path;
	size_t n = strlen(dir);

	if (!rules->known)
		return false;
	(void)snprintf(name, sizeof(name), "%.*s", (int)(strlen(file_name) - (sizeof(SUFFIX) - 1)),
		       file_name);
	path = rules->known(rules->known_arg, name);
	return path && strncmp(path, dir, n) == 0 && path[n] == '/' &&
	       str_eq(path + n + 1, file_name);
}

static int note_name(struct found *f, size_t dir, const char *file_name, bool known)
{
	struct candidate *c;

	if (f->n == f->room) {
		size_t room = f->room ? f->room * 2 : 32;
		struct candidate *v = reallocarray(f->v, room, sizeof(*v));

		if (!v)
			return -ENOMEM;
		f->v = v;
		f->room = room;
	}
	c = &f->v[f->n++];
	*c = (struct candidate){.dir = dir, .known = known};
	(void)snprintf(c->file_name, sizeof(c->file_name), "%s", file_name);
	return 0;
}

static int find_names(struct scan *s, struct found *f, const char *dir, size_t dir_at,
		      const struct scan_rules *rules, bool *ret_dir_roots)
{
	DIR *d = opendir(dir);
	struct dirent *de;
	struct stat st;
	int r = 0;

	f->new_here = 0;
	if (!d || fstat(dirfd(d), &st) < 0) {
		complain(s, text_of("%s: cannot be read: %s; what runs from there keeps running",
				    dir, strerror(errno)));
		s->incomplete = true;
		if (d)
			(void)closedir(d);
		return 0;
	}
	*ret_dir_roots = owner_is_root_alone(&st);
	errno = 0;
	while (r == 0 && (de = readdir(d)) != NULL) {
		if (scan_takes_name(de->d_name)) {
			bool known = is_known(dir, de->d_name, rules);

			if (known || f->new_here++ < LIMIT_SCAN_NAMES)
				r = note_name(f, dir_at, de->d_name, known);
		} else if (is_misnamed(de->d_name)) {
			complain(s,
				 text_of("%s/%s: ignored: an app's name has at most %d bytes, no "
					 "control characters and is UTF-8",
					 dir, de->d_name, LIMIT_NAME - 1));
		}
		errno = 0;
	}
	if (f->new_here > LIMIT_SCAN_NAMES)
		complain(s, text_of("%s: holds more than %d new names, the rest is ignored", dir,
				    LIMIT_SCAN_NAMES));
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

/* Not in the order of readdir: what is left out at a limit must not change from look to look. */
static int by_claim(const void *a, const void *b)
{
	const struct candidate *x = a;
	const struct candidate *y = b;

	if (x->known != y->known)
		return x->known ? -1 : 1;
	if (x->dir != y->dir)
		return x->dir < y->dir ? -1 : 1;
	return strcmp(x->file_name, y->file_name);
}

static int scan_dirs(struct scan *s, const char *const *dirs, size_t dirs_n,
		     const struct scan_rules *rules)
{
	_cleanup_(freep) bool *dir_roots = calloc(dirs_n + 1, sizeof(*dir_roots));
	struct found f = {0};
	int r = dir_roots ? 0 : -ENOMEM;

	for (size_t i = 0; i < dirs_n && r == 0; i++)
		r = find_names(s, &f, dirs[i], i, rules, &dir_roots[i]);
	if (f.n > 1)
		qsort(f.v, f.n, sizeof(*f.v), by_claim);
	for (size_t i = 0; i < f.n && r == 0; i++) {
		const struct candidate *c = &f.v[i];

		r = take_file(s, dirs[c->dir], c->file_name, c->known, dir_roots[c->dir], rules);
	}
	free(f.v);
	return r;
}

int scan_run(struct scan *ret, const char *const *dirs, size_t dirs_n,
	     const struct scan_rules *rules, struct err *err)
{
	struct scan s = {0};
	int r = scan_dirs(&s, dirs, dirs_n, rules);

	if (r < 0) {
		scan_done(&s);
		return err_set(err, r, "vassals directories: %s", strerror(-r));
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

/*
 * inifile_sources - see inifile_sources.h. Identities are compared, not bytes: a file that was touched is only a reason to
 * read the ini again, and whoever does that compares what it says.
 */
#include "shared/inifile_sources.h"

#include <errno.h>
#include <glob.h>
#include <sys/stat.h>

#include "shared/clock.h"

/* FNV-1a: nobody gains from two lists of names that are told for one. */
#define FNV_BASIS 14695981039346656037ULL
#define FNV_PRIME 1099511628211ULL

static int64_t to_ns(const struct timespec *ts)
{
	return (int64_t)ts->tv_sec * (int64_t)NS_PER_S + ts->tv_nsec;
}

static struct inifile_identity identify(enum inifile_source_use use, const struct stat *st)
{
	if (!st)
		return (struct inifile_identity){0};
	if (use == INIFILE_SOURCE_ASKED)
		return (struct inifile_identity){.type = st->st_mode & S_IFMT};
	return (struct inifile_identity){
		.type = st->st_mode & S_IFMT,
		.device = st->st_dev,
		.inode = st->st_ino,
		.size = (uint64_t)st->st_size,
		.mtime_ns = to_ns(&st->st_mtim),
		.ctime_ns = to_ns(&st->st_ctim),
	};
}

/* Of the directory that the pattern begins with: whether something in it is newer, not what. */
static int64_t directory_ctime(const char *pattern)
{
	size_t n = strcspn(pattern, "*?[\\");
	char *dir;
	struct stat st;
	bool there;

	while (n > 0 && pattern[n - 1] != '/')
		n--;
	dir = n > 0 ? strndup(pattern, n) : strdup(".");
	there = dir && stat(dir, &st) == 0;
	free(dir);
	return there ? to_ns(&st.st_ctim) : 0;
}

/* With its NUL, so that "ab", "c" is not "a", "bc". */
static uint64_t add_name(uint64_t h, const char *name)
{
	for (size_t i = 0; i <= strlen(name); i++)
		h = (h ^ (unsigned char)name[i]) * FNV_PRIME;
	return h;
}

/* Other files come and go in a directory all the time, an app's own too: only names that match are a change. */
static struct inifile_identity list(const char *pattern)
{
	struct inifile_identity is = {.type = S_IFDIR, .names = FNV_BASIS};
	glob_t found;

	is.ctime_ns = directory_ctime(pattern);
	if (glob(pattern, 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			is.names = add_name(is.names, found.gl_pathv[i]);
	globfree(&found);
	return is;
}

static bool same(const struct inifile_identity *a, const struct inifile_identity *b)
{
	if (a->names || b->names)
		return a->names == b->names;
	return a->type == b->type && a->device == b->device && a->inode == b->inode &&
	       a->size == b->size && a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

static struct inifile_identity look(const struct inifile_source *source)
{
	struct stat st;

	if (source->use == INIFILE_SOURCE_NAMES)
		return list(source->path);
	return identify(source->use, stat(source->path, &st) == 0 ? &st : NULL);
}

int inifile_sources_add(struct inifile_sources *s, const char *path, enum inifile_source_use use,
			const struct stat *st)
{
	struct inifile_source *source = NULL;

	for (size_t i = 0; i < s->n && !source; i++)
		if (str_eq(s->v[i].path, path) &&
		    (s->v[i].use == INIFILE_SOURCE_NAMES) == (use == INIFILE_SOURCE_NAMES))
			source = &s->v[i];
	if (source) {
		/* read twice: as it was first, so that a change between the two is one */
		if (use == INIFILE_SOURCE_READ && source->use == INIFILE_SOURCE_ASKED) {
			source->use = use;
			source->is = identify(use, st);
		}
		return 0;
	}
	if (s->n == INIFILE_SOURCES_MAX)
		return -E2BIG;
	if (s->n == s->room) {
		size_t room = s->room ? s->room * 2 : 4;
		struct inifile_source *v = reallocarray(s->v, room, sizeof(*v));

		if (!v)
			return -ENOMEM;
		s->v = v;
		s->room = room;
	}
	source = &s->v[s->n];
	*source = (struct inifile_source){.path = strdup(path),
					  .use = use,
					  .is = use == INIFILE_SOURCE_NAMES ? list(path)
									    : identify(use, st)};
	if (!source->path)
		return -ENOMEM;
	s->n++;
	return 0;
}

const char *inifile_sources_changed(struct inifile_sources *s)
{
	const char *first = NULL;

	for (size_t i = 0; i < s->n; i++) {
		struct inifile_identity now = look(&s->v[i]);

		if (!same(&now, &s->v[i].is) && !first)
			first = s->v[i].path;
		s->v[i].is = now;
	}
	return first;
}

const char *inifile_sources_differ(const struct inifile_sources *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct inifile_identity now = look(&s->v[i]);

		if (!same(&now, &s->v[i].is))
			return s->v[i].path;
	}
	return NULL;
}

bool inifile_sources_newer(const struct inifile_sources *s, uint64_t wall_ns)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].is.ctime_ns > 0 && (uint64_t)s->v[i].is.ctime_ns > wall_ns)
			return true;
	return false;
}

void inifile_sources_done(struct inifile_sources *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i].path);
	free(s->v);
	*s = (struct inifile_sources){0};
}

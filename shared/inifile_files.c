/*
 * inifile_files - the files beside an ini that it reads: found, read within bounds, and written down, so that whoever
 * wants to know what the configuration depends on can (inifile_sources.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "shared/err.h"
#include "shared/fd.h"
#include "shared/inifile_parts.h"

#define READ_STEP 8192 /* bytes of one read(): most inis come whole */

/* All of it, at most LIMIT_INI_BYTES. *ret may hold something on failure too. */
static int read_all(int fd, struct buf *ret)
{
	ssize_t got = 1;

	while (got > 0) {
		char *p = buf_reserve(ret, READ_STEP, LIMIT_INI_BYTES + READ_STEP);

		if (!p)
			return -ENOMEM;
		got = read(fd, p, READ_STEP);
		if (got < 0)
			return -errno;
		buf_commit(ret, (size_t)got);
		if (ret->n > LIMIT_INI_BYTES)
			return -E2BIG;
	}
	return 0;
}

int inifile_read_stat(const char *path, char **ret_bytes, size_t *ret_n, struct stat *ret_st,
		      struct err *err)
{
	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct buf bytes = {0};
	int r;

	if (fd < 0)
		return err_set(err, -errno, "%s: cannot open: %s", path, strerror(errno));
	if (fstat(fd, ret_st) < 0 || !S_ISREG(ret_st->st_mode))
		return err_set(err, -EINVAL, "%s: not a regular file", path);
	r = read_all(fd, &bytes);
	if (r < 0) {
		buf_done(&bytes);
		if (r == -E2BIG)
			return err_set(err, r, "%s: more than %d bytes", path, LIMIT_INI_BYTES);
		return err_set(err, r, "%s: cannot read: %s", path, strerror(-r));
	}
	*ret_bytes = bytes.p;
	*ret_n = bytes.n;
	return 0;
}

int inifile_read(const char *path, char **ret_bytes, size_t *ret_n, struct err *err)
{
	struct stat st;

	return inifile_read_stat(path, ret_bytes, ret_n, &st, err);
}

void ini_note_error(struct inifile_notes *errors, const char *file, struct err *err)
{
	const char *text = err->text;
	size_t n = strcspn(text, ":");
	char name[NAME_MAX + 1];
	char *end = NULL;
	unsigned line = 0;

	(void)snprintf(name, sizeof(name), "%s", file);
	if (text[n] == ':' && n > 0 && n < sizeof(name)) {
		line = (unsigned)strtoul(text + n + 1, &end, 10);
		if (end > text + n + 1 && strncmp(end, ": ", 2) == 0) {
			(void)snprintf(name, sizeof(name), "%.*s", (int)n, text);
			text = end + 2;
		} else {
			line = 0;
		}
	}
	inifile_notes_add(errors, name, line, "%s", text);
	*err = (struct err){0};
}

int ini_forgive(const struct ini_run *run, int r, struct err *err)
{
	const char *slash = strrchr(run->facts->path, '/');

	if (r >= 0 || !run->facts->errors || r == -ENOMEM || r == -E2BIG)
		return r;
	ini_note_error(run->facts->errors, slash ? slash + 1 : run->facts->path, err);
	return 0;
}

char *ini_value_path(const char *path, const char *dir)
{
	char *joined;

	if (path[0] == '/')
		return strdup(path);
	return asprintf(&joined, "%s%s", dir, path) < 0 ? NULL : joined;
}

void ini_value_source(struct ini_run *run, const char *path, enum inifile_source_use use,
		      const struct stat *st)
{
	/* what finds no room is not followed */
	if (run->facts->sources)
		(void)inifile_sources_add(run->facts->sources, path, use, st);
}

int ini_value_file(struct ini_run *run, const char *path, const char *dir, char **ret,
		   size_t *ret_n, struct err *err)
{
	struct stat st = {0};
	bool found;
	char *full;
	int r;

	if (!run->facts->allow_files)
		return err_set(err, -EPERM, "%s: this ini may not read other files", path);
	if (run->files++ >= INI_FILES_MAX)
		return err_set(err, -E2BIG, "%s: more than %d files", path, INI_FILES_MAX);
	full = ini_value_path(path, dir);
	if (!full)
		return err_set(err, -ENOMEM, "out of memory");
	r = inifile_read_stat(full, ret, ret_n, &st, err);
	/* One that may not be opened is there all the same: else each look would take it for new. */
	found = st.st_mode || stat(full, &st) == 0;
	ini_value_source(run, full, INIFILE_SOURCE_READ, found ? &st : NULL);
	free(full);
	return r;
}

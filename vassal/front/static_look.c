/*
 * static_look - see static_look.h.
 */
#include "vassal/front/static_look.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "shared/fd.h"
#include "shared/vassal_config.h"
#include "vassal/front/static_open.h"
#include "vassal/front/static_rules.h"

static const char *const endings[HTTP_CODING_IDENTITY] = {
	[HTTP_CODING_BR] = ".br",
	[HTTP_CODING_ZSTD] = ".zst",
	[HTTP_CODING_GZIP] = ".gz",
};

/* These are not "no such file": to ask again may help, to ask the app would be wrong. */
static bool is_ours(int error)
{
	return error == -EAGAIN || error == -EMFILE || error == -ENFILE;
}

static void form_done(struct static_form *form)
{
	if (form->fd >= 0)
		(void)close(form->fd);
	form->fd = -1;
}

void static_found_done(struct static_found *found)
{
	for (unsigned i = 0; i < HTTP_CODING_COUNT; i++)
		form_done(&found->forms[i]);
	found->verdict = STATIC_NONE;
}

static void take_form(struct static_form *form, int fd, const struct stat *st)
{
	*form = (struct static_form){
		.fd = fd, .size = (uint64_t)st->st_size, .mtime = st->st_mtim, .ino = st->st_ino};
}

bool static_form_stands(const struct static_form *form)
{
	struct stat st;

	return fstat(form->fd, &st) == 0 && st.st_nlink > 0 && (uint64_t)st.st_size == form->size &&
	       st.st_mtim.tv_sec == form->mtime.tv_sec && st.st_mtim.tv_nsec == form->mtime.tv_nsec;
}

/* One name: 0 = open, -EISDIR, or another negative errno. */
static int open_one(const struct static_question *q, const char *path, bool cached_only,
		    struct static_form *ret)
{
	_cleanup_(fd_closep) int fd =
		static_open(q->root_fd, path, &q->rules->config->static_safe, cached_only);
	struct stat st;

	if (fd < 0)
		return TAKE_FD(fd);
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EACCES;
	take_form(ret, TAKE_FD(fd), &st);
	return 0;
}

/* .br and its like count if they were made of this file as it is: not older. Tools that keep times cut them to seconds. */
static int open_others(const struct static_question *q, bool cached_only, struct static_found *ret)
{
	const struct static_form *plain = &ret->forms[HTTP_CODING_IDENTITY];
	char path[LIMIT_STATIC_PATH + 8];
	char file[PATH_MAX];

	(void)snprintf(file, sizeof(file), "%s/%s", q->target, ret->name);
	if (q->plain || ret->name[0] == '\0' || !static_rules_compressed(q->rules, file))
		return 0;
	for (unsigned i = 0; i < HTTP_CODING_IDENTITY; i++) {
		struct static_form *form = &ret->forms[i];
		int r;

		(void)snprintf(path, sizeof(path), "%s%s", ret->name, endings[i]);
		r = open_one(q, path, cached_only, form);
		if (is_ours(r))
			return r;
		if (r == 0 && form->mtime.tv_sec < plain->mtime.tv_sec)
			form_done(form);
	}
	return 0;
}

static int look_at_index(const struct static_question *q, bool cached_only,
			 struct static_found *ret)
{
	const struct option_list *index = &q->rules->config->static_index;
	int r;

	for (size_t i = 0; i < index->n; i++) {
		int n = snprintf(ret->name, sizeof(ret->name), "%s%s%s", q->path,
				 q->path[0] ? "/" : "", index->v[i]);

		if (n < 0 || (size_t)n >= sizeof(ret->name))
			continue;
		r = open_one(q, ret->name, cached_only, &ret->forms[HTTP_CODING_IDENTITY]);
		if (is_ours(r))
			return r;
		if (r == 0) {
			ret->verdict = q->directory ? STATIC_FILE : STATIC_MOVED;
			return 0;
		}
	}
	return 0;
}

static int look(const struct static_question *q, bool cached_only, struct static_found *ret)
{
	int r = open_one(q, q->path, cached_only, &ret->forms[HTTP_CODING_IDENTITY]);

	if (is_ours(r))
		return r;
	if (r == 0 && !q->directory) {
		(void)snprintf(ret->name, sizeof(ret->name), "%s", q->path);
		ret->verdict = STATIC_FILE;
	} else if (r == -EISDIR && !q->plain) {
		r = look_at_index(q, cached_only, ret);
		if (r < 0)
			return r;
	}
	if (ret->verdict == STATIC_FILE && !q->plain && static_rules_skip(q->rules, ret->name))
		ret->verdict = STATIC_NONE;
	return ret->verdict == STATIC_FILE ? open_others(q, cached_only, ret) : 0;
}

int static_look(const struct static_question *q, bool cached_only, struct static_found *ret)
{
	int r;

	ret->verdict = STATIC_NONE;
	ret->far = false;
	for (unsigned i = 0; i < HTTP_CODING_COUNT; i++)
		ret->forms[i].fd = -1;
	r = look(q, cached_only, ret);
	/* what is found in memory alone is of the directory's own file system (static_open) */
	for (unsigned i = 0; i < HTTP_CODING_COUNT && !cached_only && !ret->far; i++)
		ret->far = ret->forms[i].fd >= 0 && fd_is_far(ret->forms[i].fd);
	if (r < 0 || ret->verdict != STATIC_FILE) {
		enum static_verdict verdict = r < 0 ? STATIC_NONE : ret->verdict;

		static_found_done(ret);
		ret->verdict = verdict;
	}
	return r;
}

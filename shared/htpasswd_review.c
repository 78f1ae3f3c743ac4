/*
 * htpasswd_review - see htpasswd_review.h.
 */
#include "shared/htpasswd_review.h"

#include <stdio.h>

#include "shared/fd.h"
#include "shared/htpasswd.h"
#include "shared/limits.h"

#define USER_SHOWN 64 /* bytes of a user's name: who it is, not all of it */
#define TEXT_MAX   512
#define ANEW       "make a better one with htpasswd -B"

static const char *const remarks[HTPASSWD_KIND_COUNT] = {
	[HTPASSWD_DES] = "a DES hash, of which eight letters of the password count and which is "
			 "soon guessed, is taken all the same: " ANEW,
	[HTPASSWD_OLD] = "an old kind of hash, which is soon guessed, is taken all the same: " ANEW,
	[HTPASSWD_SHA] = "a {SHA} hash is not taken (503): " ANEW,
	[HTPASSWD_APR] = "an $apr1$ hash, which htpasswd writes if it is not told another, is not "
			 "taken (503): " ANEW,
	[HTPASSWD_NONE] =
		"a hash of a kind that is not known, or no hash, is not taken (503): " ANEW,
};

/* Whose hash is of a kind: the first of them, and how many. */
struct found {
	struct span user;
	size_t n;
};

/* The app may write that file: what is no text must not come to a terminal. */
static void show_user(struct span user, char ret[USER_SHOWN + 1])
{
	size_t n = MIN(user.n, (size_t)USER_SHOWN);

	for (size_t i = 0; i < n; i++)
		ret[i] = (unsigned char)user.p[i] < ' ' || user.p[i] == 0x7f ? '?' : user.p[i];
	ret[n] = '\0';
}

static void tell(const char *path, const struct found *found, const char *remark,
		 htpasswd_review_fn *fn, void *arg)
{
	char text[TEXT_MAX], user[USER_SHOWN + 1], more[32] = "";

	show_user(found->user, user);
	if (found->n > 1)
		(void)snprintf(more, sizeof(more), " and %zu more", found->n - 1);
	(void)snprintf(text, sizeof(text), "basicauth: %s: \"%s\"%s: %s", path, user, more, remark);
	fn(arg, text);
}

void htpasswd_review(const char *path, int fd, htpasswd_review_fn *fn, void *arg)
{
	_cleanup_(freep) char *bytes = NULL;
	struct found found[HTPASSWD_KIND_COUNT] = {0};
	struct span file, user, hash;
	char text[TEXT_MAX];
	size_t n = 0;
	int r = fd_read_file(fd, LIMIT_HTPASSWD_BYTES, &bytes, &n);

	if (r < 0) {
		(void)snprintf(text, sizeof(text),
			       "basicauth: %s: %s: whoever is asked for a password gets 503", path,
			       strerror(-r));
		fn(arg, text);
		return;
	}
	file = span_of(bytes, n);
	while (htpasswd_next(&file, &user, &hash)) {
		struct found *f = &found[htpasswd_kind(hash)];

		if (f->n++ == 0)
			f->user = user;
	}
	for (size_t i = 0; i < HTPASSWD_KIND_COUNT; i++)
		if (remarks[i] && found[i].n > 0)
			tell(path, &found[i], remarks[i], fn, arg);
}

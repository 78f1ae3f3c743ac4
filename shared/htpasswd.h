/*
 * htpasswd - who may come in: lines "user:hash", as htpasswd(1) of Apache writes them. Hashes are what crypt(5) of this
 * machine knows; those that are soon guessed (DES, MD5) let in too, for files that exist have them, and are told apart so
 * that people hear of it (htpasswd_review.h). Apache's own "$apr1$" and "{SHA}" libcrypt cannot check: they are not taken.
 * Takes as long as the hash wants: not for an event loop.
 */
#pragma once
#include "shared/span.h"

enum htpasswd_verdict {
	HTPASSWD_IN,
	HTPASSWD_UNKNOWN, /* no such user */
	HTPASSWD_WRONG,   /* another password */
	HTPASSWD_WEAK,    /* a hash that is not taken */
};

enum htpasswd_kind {
	HTPASSWD_GOOD, /* bcrypt, yescrypt, SHA-512, SHA-256 ... */
	HTPASSWD_DES,  /* taken: htpasswd -d */
	HTPASSWD_OLD,  /* taken: what else libcrypt calls legacy, like md5crypt */
	HTPASSWD_SHA,  /* not taken from here on */
	HTPASSWD_APR,
	HTPASSWD_NONE, /* plain text, nothing, nothing that is known */
	HTPASSWD_KIND_COUNT,
};

/* The next line of *file that names a user; false: there is none. *file is what follows it. */
bool htpasswd_next(struct span *file, struct span *ret_user, struct span *ret_hash);
enum htpasswd_kind htpasswd_kind(struct span hash);

/*
 * file: all of it. An unknown user costs a hash as well, and so does a wrong password where the hash is a cheap one, so that
 * names cannot be found out by the clock.
 */
enum htpasswd_verdict htpasswd_check(struct span file, struct span user, const char *password);

/* "Basic dXNlcjpwYXNz" (RFC 7617): both into buf, NUL after each; -EINVAL: it is not that, or too long. */
int htpasswd_credentials(struct span header, char *buf, size_t size, struct span *ret_user,
			 const char **ret_password);
/* Equal? In a time that says nothing about where they differ. */
bool htpasswd_same(const char *a, const char *b);

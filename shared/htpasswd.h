/*
 * htpasswd - who may come in: lines "user:hash", as htpasswd(1) of Apache writes them. Hashes are what crypt(5) of this
 * machine knows (bcrypt, yescrypt, SHA-512, SHA-256 ...); Apache's own "$apr1$" and "{SHA}" are too weak to be let in and are told
 * apart, so that the log can say it. Takes as long as the hash wants: not for an event loop.
 */
#pragma once
#include "shared/span.h"

enum htpasswd_verdict {
	HTPASSWD_IN,
	HTPASSWD_UNKNOWN, /* no such user */
	HTPASSWD_WRONG,   /* another password */
	HTPASSWD_WEAK,    /* a hash that is not taken */
};

/* The next line of *file that names a user; false: there is none. *file is what follows it. */
bool htpasswd_next(struct span *file, struct span *ret_user, struct span *ret_hash);
/* Is it of a kind that is taken? */
bool htpasswd_takes(struct span hash);

/* file: all of it. An unknown user costs a hash as well, so that names cannot be found out by the clock. */
enum htpasswd_verdict htpasswd_check(struct span file, struct span user, const char *password);

/* "Basic dXNlcjpwYXNz" (RFC 7617): both into buf, NUL after each; -EINVAL: it is not that, or too long. */
int htpasswd_credentials(struct span header, char *buf, size_t size, struct span *ret_user,
			 const char **ret_password);
/* Equal? In a time that says nothing about where they differ. */
bool htpasswd_same(const char *a, const char *b);

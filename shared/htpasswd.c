/*
 * htpasswd - see htpasswd.h.
 */
#include "shared/htpasswd.h"

#include <crypt.h>
#include <errno.h>

#define HASH_MAX (CRYPT_OUTPUT_SIZE - 1)
#define DES_LEN  13
/* What an unknown user costs: bcrypt of cost 10. A salt without a hash is the hash of nobody's password. */
#define NOBODY "$2y$10$abcdefghijklmnopqrstuu"

bool htpasswd_same(const char *a, const char *b)
{
	size_t an = strlen(a), bn = strlen(b);
	unsigned char differ = an != bn;

	for (size_t i = 0; i < an; i++)
		differ |= (unsigned char)(a[i] ^ b[bn ? i % bn : 0]);
	return differ == 0;
}

bool htpasswd_next(struct span *file, struct span *ret_user, struct span *ret_hash)
{
	while (file->n > 0) {
		const char *end = memchr(file->p, '\n', file->n);
		struct span line = span_of(file->p, end ? (size_t)(end - file->p) : file->n);
		const char *colon;

		*file = span_skip(*file, MIN(file->n, line.n + 1));
		line = span_trim(line);
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		colon = line.n > 0 && line.p[0] != '#' ? memchr(line.p, ':', line.n) : NULL;
		if (!colon)
			continue;
		*ret_user = span_of(line.p, (size_t)(colon - line.p));
		*ret_hash = span_skip(line, ret_user->n + 1);
		return true;
	}
	return false;
}

static bool find(struct span file, struct span user, struct span *ret)
{
	struct span name;

	while (htpasswd_next(&file, &name, ret))
		if (span_eq(name, user))
			return true;
	return false;
}

/* With its NUL, as libcrypt wants it. */
static bool copy_hash(char to[HASH_MAX + 1], struct span hash)
{
	if (hash.n == 0 || hash.n > HASH_MAX)
		return false;
	memcpy(to, hash.p, hash.n);
	to[hash.n] = '\0';
	return true;
}

static bool begins(const char *hash, const char *with)
{
	return strncmp(hash, with, strlen(with)) == 0;
}

/* A password in plain text is a salt of DES as well to libcrypt, which looks at two letters. */
static bool is_des(const char *hash)
{
	static const char letters[] = "./0123456789"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

	return strlen(hash) == DES_LEN && strspn(hash, letters) == DES_LEN;
}

/* SHA-256 is legacy to libcrypt too, but costs as much as SHA-512. A libcrypt without the old ones calls them invalid. */
static enum htpasswd_kind kind_of(const char *hash)
{
	int salt = crypt_checksalt(hash);

	if (salt == CRYPT_SALT_OK)
		return HTPASSWD_GOOD;
	if (salt == CRYPT_SALT_METHOD_LEGACY) {
		if (begins(hash, "$5$"))
			return HTPASSWD_GOOD;
		if (begins(hash, "$") || begins(hash, "_"))
			return HTPASSWD_OLD;
		return is_des(hash) ? HTPASSWD_DES : HTPASSWD_NONE;
	}
	if (begins(hash, "{SHA}"))
		return HTPASSWD_SHA;
	return begins(hash, "$apr1$") ? HTPASSWD_APR : HTPASSWD_NONE;
}

enum htpasswd_kind htpasswd_kind(struct span hash)
{
	char text[HASH_MAX + 1];

	return copy_hash(text, hash) ? kind_of(text) : HTPASSWD_NONE;
}

static bool hashes_to(const char *password, const char *hash)
{
	struct crypt_data *data = calloc(1, sizeof(*data));
	const char *made = data ? crypt_r(password, hash, data) : NULL;
	bool same = made && made[0] != '*' && htpasswd_same(made, hash);

	if (data)
		explicit_bzero(data, sizeof(*data));
	free(data);
	return same;
}

enum htpasswd_verdict htpasswd_check(struct span file, struct span user, const char *password)
{
	char hash[HASH_MAX + 1];
	enum htpasswd_kind kind;
	struct span found;

	if (user.n == 0 || memchr(user.p, ':', user.n) || !find(file, user, &found)) {
		(void)hashes_to(password, NOBODY);
		return HTPASSWD_UNKNOWN;
	}
	if (!copy_hash(hash, found))
		return HTPASSWD_WEAK;
	kind = kind_of(hash);
	if (kind >= HTPASSWD_SHA)
		return HTPASSWD_WEAK;
	if (hashes_to(password, hash))
		return HTPASSWD_IN;
	if (kind != HTPASSWD_GOOD)
		(void)hashes_to(password, NOBODY);
	return HTPASSWD_WRONG;
}

/* -- credentials ---------------------------------------------------------------------------------------- */

static int sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* RFC 4648 4. Bytes written, or -EINVAL. */
static int decode(struct span in, char *buf, size_t size)
{
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0;

	while (in.n > 0 && in.p[in.n - 1] == '=')
		in.n--;
	for (size_t i = 0; i < in.n; i++) {
		int v = sextet(in.p[i]);

		if (v < 0)
			return -EINVAL;
		bits = bits << 6 | (uint32_t)v;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		if (n >= size)
			return -EINVAL;
		buf[n++] = (char)(bits >> have);
	}
	return in.n % 4 == 1 ? -EINVAL : (int)n;
}

int htpasswd_credentials(struct span header, char *buf, size_t size, struct span *ret_user,
			 const char **ret_password)
{
	char *colon;
	int n;

	if (header.n < 6 || !span_eq_nocase(span_of(header.p, 6), SPAN("Basic ")))
		return -EINVAL;
	n = decode(span_trim(span_skip(header, 6)), buf, size - 1);
	if (n < 0)
		return n;
	colon = memchr(buf, ':', (size_t)n);
	/* a NUL would cut the password */
	if (!colon || memchr(buf, '\0', (size_t)n))
		return -EINVAL;
	buf[n] = '\0';
	*colon = '\0';
	*ret_user = span_of(buf, (size_t)(colon - buf));
	*ret_password = colon + 1;
	return 0;
}

/* libs: shared vassal_proto */
/*
 * A connection's first bytes: what detect says of a prefix it says of the whole, within its limit; a PROXY header is
 * never decided otherwise by a prefix, and names an address or none.
 */
#include "shared/proxy.h"
#include "vassal/proto/detect.h"

static void check(bool ok)
{
	if (!ok)
		abort();
}

static bool is_address(const char *s)
{
	return s[0] && s[strspn(s, "0123456789abcdef:.")] == '\0';
}

/* What is handed on says the same. */
static void check_written(const struct proxy *x)
{
	char buf[PROXY_V1_MAX + 1];
	size_t n = proxy_write(buf, x->addr, x->port, x->self_port, x->https);
	struct proxy y;

	check(n < sizeof(buf) && proxy_parse(buf, n, &y) == (long)n);
	check(y.known == x->known && y.https == x->https && strcmp(y.addr, x->addr) == 0);
	check(!y.known || (strcmp(y.port, x->port) == 0 && strcmp(y.self_port, x->self_port) == 0));
}

static void check_header(const char *p, size_t n)
{
	struct proxy x, y;
	long r = proxy_parse(p, n, &x);

	check(r <= LIMIT_PROXY_BYTES && (r < 0 || (size_t)r <= n));
	check((r < 0) == (x.reason != NULL));
	check(!x.known || (r > 0 && is_address(x.addr) && x.port[0] && x.self_port[0]));
	check(!x.https || x.known);
	if (r > 0)
		check_written(&x);
	for (size_t i = 0; i < MIN(n, (size_t)LIMIT_PROXY_BYTES); i++) {
		long early = proxy_parse(p, i, &y);

		check(early == PROXY_MORE || early == r);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;
	enum detect_kind kind = detect(p, size);

	check(size < DETECT_BYTES || kind != DETECT_MORE);
	for (size_t i = 0; i < size; i++) {
		enum detect_kind early = detect(p, i);

		check(early == DETECT_MORE || early == kind);
		if (early != DETECT_MORE)
			break;
	}
	check_header(p, size);
	return 0;
}

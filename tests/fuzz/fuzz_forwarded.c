/* libs: shared vassal_proto */
/*
 * What proxies say of their clients: an address in the kernel's own spelling or none, a host that is one or none; and
 * whatever a client puts in front of what the nearest proxy adds, that one's word stands.
 */
#include <arpa/inet.h>

#include "vassal/proto/forwarded.h"

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_said(const struct forwarded *f)
{
	struct span host, port;
	uint8_t raw[16];

	check(f->used != FORWARDED_AUTO);
	check(!f->addr[0] || inet_pton(AF_INET, f->addr, raw) == 1 ||
	      inet_pton(AF_INET6, f->addr, raw) == 1);
	check(strspn(f->port, "0123456789") == strlen(f->port) && (f->addr[0] || !f->port[0]));
	check((f->authority.n > 0) == (f->host.n > 0));
	check(f->host.n == 0 || http_host_split(f->authority, &host, &port));
}

/* The client's own fields, then what a proxy that is trusted adds in a field of its own. */
static void check_last_word(const uint8_t *data, size_t size, enum forwarded_mode mode,
			    const char *added)
{
	static const char begin[] = "GET / HTTP/1.1\r\nHost: a\r\n";
	const struct trust nobody = {0};
	static struct http_head head;
	struct forwarded f;
	size_t n = sizeof(begin) - 1 + size + strlen(added);
	char *text;

	if (size > 0 && (size < 2 || data[size - 2] != '\r' || data[size - 1] != '\n'))
		return; /* what is added would be the end of its last field */
	text = malloc(n);
	check(text != NULL);
	memcpy(text, begin, sizeof(begin) - 1);
	if (size > 0)
		memcpy(text + sizeof(begin) - 1, data, size);
	memcpy(text + sizeof(begin) - 1 + size, added, strlen(added));
	if (http_head_parse(text, n, LIMIT_HEAD_BYTES, 0, &head) == (long)n) {
		forwarded_read(&head, mode, &nobody, &f);
		check_said(&f);
		check(str_eq(f.addr, "192.0.2.7"));
	}
	free(text);
}

static void check_any(const uint8_t *data, size_t size)
{
	static const enum forwarded_mode modes[] = {FORWARDED_AUTO, FORWARDED_X, FORWARDED_RFC};
	struct trust trust = {0};
	static struct http_head head;

	check(trust_add(&trust, "10.0.0.0/8 ::/1", NULL) == 0);
	if (http_head_parse((const char *)data, size, LIMIT_HEAD_BYTES, 0, &head) <= 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct forwarded f;

		forwarded_read(&head, modes[i], &trust, &f);
		check_said(&f);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_any(data, size);
	check_last_word(data, size, FORWARDED_X, "X-Forwarded-For: 192.0.2.7\r\n\r\n");
	check_last_word(data, size, FORWARDED_AUTO, "X-Forwarded-For: 192.0.2.7\r\n\r\n");
	check_last_word(data, size, FORWARDED_RFC, "Forwarded: for=192.0.2.7\r\n\r\n");
	return 0;
}

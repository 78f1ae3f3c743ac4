/* libs: shared vassal_proto */
/*
 * A chunked body: fed whole, byte by byte or in pieces, it decodes to the same bytes, ends at the same place and is
 * refused for the same reason.
 */
#include "vassal/proto/chunked.h"

struct decoded {
	char *payload;
	size_t n;
	size_t used;
	bool bad, done;
	const char *reason;
};

static void check(bool ok)
{
	if (!ok)
		abort();
}

static struct decoded decode(const uint8_t *data, size_t size, size_t piece)
{
	struct decoded d = {.payload = malloc(size ? size : 1)};
	struct chunked c = {0};

	check(d.payload != NULL);
	while (d.used < size && !c.done) {
		size_t n = MIN(piece, size - d.used);
		size_t got = 0;
		char *copy = malloc(n);
		ssize_t r;

		check(copy != NULL);
		memcpy(copy, data + d.used, n);
		r = chunked_feed(&c, copy, n, &got);
		d.bad = r < 0;
		if (d.bad) {
			check(c.reason && chunked_feed(&c, copy, n, &got) < 0);
			free(copy);
			break;
		}
		check(got <= n && (size_t)r <= n && ((size_t)r == n || c.done));
		memcpy(d.payload + d.n, copy, got);
		d.n += got;
		d.used += (size_t)r;
		free(copy);
	}
	d.done = c.done;
	d.reason = c.reason;
	return d;
}

/*
 * Every prefix of a whole body asks for more, and has decoded a prefix of its payload; every prefix of a bad one does so
 * up to the byte that makes it bad, and is bad from there on.
 */
static void check_prefixes(const uint8_t *data, size_t size, const struct decoded *whole)
{
	bool was_bad = false;

	/* Not each of a long one: the fuzzer moves the cuts by growing the input. */
	for (size_t i = 0; i < size; i += 1 + size / 128) {
		struct decoded d = decode(data, i, i ? i : 1);

		check(!d.bad || whole->bad);
		check(!was_bad || d.bad);
		check(d.done == (whole->done && i >= whole->used));
		check(d.bad || whole->bad ||
		      (d.n <= whole->n && memcmp(d.payload, whole->payload, d.n) == 0));
		was_bad = d.bad;
		free(d.payload);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t pieces[] = {1, 3, 7, size / 2 + 1};
	struct decoded whole = decode(data, size, size ? size : 1);

	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		struct decoded d = decode(data, size, pieces[i]);

		check(d.bad == whole.bad && d.done == whole.done && d.reason == whole.reason);
		if (!d.bad)
			check(d.used == whole.used && d.n == whole.n &&
			      memcmp(d.payload, whole.payload, d.n) == 0);
		free(d.payload);
	}
	check_prefixes(data, size, &whole);
	free(whole.payload);
	return 0;
}

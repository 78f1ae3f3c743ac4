/* libs: shared */
/*
 * Masked bytes are within their limit and have the lines that they had; and whatever stands before them, secrets are not
 * among them.
 */
#include <stdlib.h>
#include <string.h>

#include "shared/buf.h"
#include "shared/ini_mask.h"

#define LIMIT 65536

static const char secrets[] =
	"\nenv = A=canary\n; password: canary\ndb = x://me:canary@host --token canary\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t lines(struct span s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == '\n';
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n = size + sizeof(secrets) - 1;
	char *ini = malloc(n);
	struct buf all = {0}, few = {0};
	struct span shown;

	if (!ini || memmem(data, size, "canary", 6)) {
		free(ini);
		return 0;
	}
	memcpy(ini, data, size);
	memcpy(ini + size, secrets, sizeof(secrets) - 1);
	if (ini_mask(span_of(ini, n), LIMIT, &all) != 0 ||
	    ini_mask(span_of(ini, n), 100, &few) != 0 || all.n > LIMIT || few.n > 100)
		__builtin_trap();
	shown = buf_span(&all);
	if (size < LIMIT / 8 && lines(shown) != lines(span_of(ini, n)))
		__builtin_trap();
	if (memmem(shown.p, shown.n, "canary", 6))
		__builtin_trap();
	buf_done(&all);
	buf_done(&few);
	free(ini);
	return 0;
}

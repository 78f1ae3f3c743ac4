/* libs: emperor_vassals */
/*
 * Files of state: whatever they hold, what is taken from them writes and reads back as the same. The digest is made good
 * first, so that the fuzzer reaches what stands behind it.
 */
#include <stdio.h>

#include "emperor/vassals/saved.h"
#include "shared/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct span bytes)
{
	struct saved was, now;
	struct buf out = {0};

	if (saved_decode(bytes, &was, NULL) < 0)
		return;
	if (saved_encode(&was, &out) < 0 || saved_decode(buf_span(&out), &now, NULL) < 0)
		abort();
	if (!span_eq(was.ini, now.ini) || !span_eq(was.file_ini, now.file_ini))
		abort();
	if (!span_eq(was.config, now.config) || !span_eq(was.old_ini, now.old_ini) ||
	    !span_eq(was.old_config, now.old_config))
		abort();
	for (size_t i = 0; i < sizeof(was.reason); i++)
		was.reason[i] = now.reason[i] = '\0'; /* control bytes are cleaned on the way out */
	if (was.id != now.id || was.state != now.state || was.doors_n != now.doors_n ||
	    was.generations_n != now.generations_n || was.trial != now.trial ||
	    was.old_number != now.old_number)
		abort();
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf made = {0};
	char end[32];
	int n;

	check(span_of((const char *)data, size));
	n = snprintf(end, sizeof(end), "\nend %016llx\n",
		     (unsigned long long)fingerprint_digest(data, size));
	if (buf_append(&made, data, size, SIZE_MAX / 2) == 0 &&
	    buf_append(&made, end, (size_t)n, SIZE_MAX / 2) == 0)
		check(buf_span(&made));
	buf_done(&made);
	return 0;
}

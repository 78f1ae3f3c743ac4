/*
 * plain - see plain.h.
 */
#include "emperor/ctl/plain.h"

#include "shared/utf8.h"

void plain_put(FILE *out, const char *p, size_t n)
{
	size_t i = 0;

	while (i < n) {
		size_t k = p[i] == '\t' ? 1 : utf8_plain(p + i, n - i);

		if (k > 0)
			(void)fwrite(p + i, 1, k, out);
		else
			(void)fprintf(out, "\\x%02x", (unsigned char)p[i]);
		i += MAX(k, (size_t)1);
	}
}

/*
 * utf8 - see utf8.h.
 */
#include "shared/utf8.h"

static bool in_range(unsigned char c, unsigned char low, unsigned char high)
{
	return c >= low && c <= high;
}

size_t utf8_length(const char *text, size_t n)
{
	/* clang-format off */
	static const struct {
		unsigned char first_low, first_high, second_low, second_high, n;
	} rows[] = {
		{0x01, 0x7f, 0x00, 0x00, 1}, /* not NUL: most readers refuse \u0000 */
		{0xc2, 0xdf, 0x80, 0xbf, 2},
		{0xe0, 0xe0, 0xa0, 0xbf, 3},
		{0xe1, 0xec, 0x80, 0xbf, 3},
		{0xed, 0xed, 0x80, 0x9f, 3},
		{0xee, 0xef, 0x80, 0xbf, 3},
		{0xf0, 0xf0, 0x90, 0xbf, 4},
		{0xf1, 0xf3, 0x80, 0xbf, 4},
		{0xf4, 0xf4, 0x80, 0x8f, 4},
	};
	/* clang-format on */
	const unsigned char *p = (const unsigned char *)text;

	for (size_t i = 0; i < ARRAY_SIZE(rows) && n > 0; i++) {
		if (!in_range(p[0], rows[i].first_low, rows[i].first_high))
			continue;
		if (rows[i].n > n)
			return 0;
		if (rows[i].n > 1 && !in_range(p[1], rows[i].second_low, rows[i].second_high))
			return 0;
		for (size_t k = 2; k < rows[i].n; k++)
			if (!in_range(p[k], 0x80, 0xbf))
				return 0;
		return rows[i].n;
	}
	return 0;
}

size_t utf8_plain(const char *text, size_t n)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t k = utf8_length(text, n);

	if (k == 1 && (p[0] < 0x20 || p[0] == 0x7f))
		return 0;
	if (k == 2 && p[0] == 0xc2 && p[1] < 0xa0)
		return 0;
	return k;
}

void utf8_clean(char *text, const char *keep)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n;) {
		size_t k = strchr(keep, text[i]) ? 1 : utf8_plain(text + i, n - i);

		if (k == 0)
			text[i] = '?';
		i += MAX(k, (size_t)1);
	}
}

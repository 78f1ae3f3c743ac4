/* libs: vassal_front */
/*
 * A file of types (mimefile), and endings of its own words. What a name is called may stand in a head, whatever the file
 * holds; and the lines in two files say what they say in one.
 */
#include "vassal/front/static_types.h"

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_type(struct span type)
{
	unsigned slashes = 0;

	check(type.n > 0);
	for (size_t i = 0; i < type.n; i++) {
		check(type.p[i] >= ' ' && type.p[i] < 127);
		slashes += type.p[i] == '/';
	}
	check(slashes == 1);
}

/* Both name a file that ends with each word of the text in the same way. */
static void compare(const struct static_types *a, const struct static_types *b, struct span text)
{
	char path[64] = "x.";

	while (text.n > 0) {
		size_t n = 0;
		struct span type;

		while (n < text.n && text.p[n] > ' ')
			n++;
		if (n > 0 && n < sizeof(path) - 3) {
			memcpy(path + 2, text.p, n);
			path[2 + n] = '\0';
			type = static_types_find(a, path);
			check_type(type);
			check(span_eq(type, static_types_find(b, path)));
		}
		text = span_skip(text, n < text.n ? n + 1 : n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of((const char *)data, size);
	const char *middle = size > 1 ? memchr(data + size / 2, '\n', size - size / 2) : NULL;
	size_t n = middle ? (size_t)(middle - text.p) + 1 : size;

	for (unsigned first = 0; first < 2; first++) {
		struct static_types whole = {.first = first}, parts = {.first = first};

		check(static_types_add(&whole, text) == 0);
		check(static_types_add(&parts, span_of(text.p, n)) == 0);
		check(static_types_add(&parts, span_skip(text, n)) == 0);
		compare(&whole, &parts, text);
		static_types_done(&whole);
		static_types_done(&parts);
	}
	return 0;
}

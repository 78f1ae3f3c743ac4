/* libs: shared vassal_proto */
/*
 * What a client may say of a file: lines of Range, Accept-Encoding, tags and dates, one after the other, the first
 * byte of each says which. Whatever they are, no range leaves the file, together they are not more than it, a coding
 * that is chosen is there, and a tag that was sent is found again.
 */
#include "vassal/proto/http_accept.h"
#include "vassal/proto/http_cond.h"
#include "vassal/proto/http_date.h"
#include "vassal/proto/http_range.h"

#define NOW 1795230492

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_range(struct span line, uint64_t size)
{
	struct http_ranges r;
	uint64_t total = 0;
	enum http_range_result result = http_range_parse(line, size, &r);

	check(r.n <= LIMIT_RANGES && (r.n > 0) == (result == HTTP_RANGE_PART));
	for (unsigned i = 0; i < r.n; i++) {
		check(r.v[i].n > 0 && r.v[i].first < size && r.v[i].n <= size - r.v[i].first);
		total += r.v[i].n;
	}
	check(total <= size);
}

static void check_accept(struct span line)
{
	struct http_accept a = {0};

	http_accept_add(&a, line);
	for (unsigned available = 0; available < 1U << HTTP_CODING_COUNT; available++) {
		enum http_coding coding = http_accept_choose(&a, available);

		check(coding == HTTP_CODING_COUNT || available & 1U << coding);
	}
}

static void check_cond(struct span line, unsigned field)
{
	struct http_cond c = {0};
	struct http_validators v = {.etag = line, .modified_s = NOW - 10, .now_s = NOW};
	struct http_lines *const fields[] = {&c.match, &c.none_match, &c.modified_since,
					     &c.unmodified_since, &c.if_range};

	for (unsigned i = 0; i < LIMIT_FIELD_LINES + 1; i++)
		http_lines_add(fields[field], line);
	(void)http_cond_check(&c, &v);
	(void)http_cond_range_holds(&c, &v);
	/* a tag that is one by our own reading matches itself, weakly */
	c = (struct http_cond){0};
	http_lines_add(&c.if_range, line);
	if (line.n > 0 && line.p[0] == '"' && http_cond_range_holds(&c, &v)) {
		c = (struct http_cond){0};
		http_lines_add(&c.none_match, line);
		check(http_cond_check(&c, &v) == HTTP_COND_NOT_MODIFIED);
		c = (struct http_cond){0};
		http_lines_add(&c.match, line);
		check(http_cond_check(&c, &v) == HTTP_COND_GO);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_of((const char *)data, size);

	while (rest.n > 0) {
		const char *end = memchr(rest.p, '\n', rest.n);
		size_t n = end ? (size_t)(end - rest.p) : rest.n;
		struct span line = span_of(rest.p + 1, n > 0 ? n - 1 : 0);
		char kind = rest.p[0];

		if (kind == 'r' || kind == 'R')
			check_range(line, kind == 'r' ? 1000 : UINT64_MAX);
		else if (kind == 'a')
			check_accept(line);
		else if (kind >= '0' && kind <= '4')
			check_cond(line, (unsigned)(kind - '0'));
		else if (kind == 'd')
			check(http_date_parse(line, NOW) <= 253402300799 + 1 ||
			      http_date_parse(line, NOW) == HTTP_DATE_NONE);
		rest = span_skip(rest, end ? n + 1 : n);
	}
	return 0;
}

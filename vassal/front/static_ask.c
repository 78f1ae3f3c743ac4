/*
 * static_ask - see static_ask.h.
 */
#include "vassal/front/static_ask.h"

#include "shared/http_head.h"
#include "shared/vars.h"

enum word {
	WORD_MATCH,
	WORD_NONE_MATCH,
	WORD_MODIFIED,
	WORD_UNMODIFIED,
	WORD_IF_RANGE,
	WORD_RANGE,
	WORD_ACCEPT,
	WORD_COUNT,
};

static const struct {
	const char *field, *var;
} words[WORD_COUNT] = {
	[WORD_MATCH] = {"If-Match", "HTTP_IF_MATCH"},
	[WORD_NONE_MATCH] = {"If-None-Match", "HTTP_IF_NONE_MATCH"},
	[WORD_MODIFIED] = {"If-Modified-Since", "HTTP_IF_MODIFIED_SINCE"},
	[WORD_UNMODIFIED] = {"If-Unmodified-Since", "HTTP_IF_UNMODIFIED_SINCE"},
	[WORD_IF_RANGE] = {"If-Range", "HTTP_IF_RANGE"},
	[WORD_RANGE] = {"Range", "HTTP_RANGE"},
	[WORD_ACCEPT] = {"Accept-Encoding", "HTTP_ACCEPT_ENCODING"},
};

static void take(struct static_ask *a, unsigned word, struct span value)
{
	struct http_lines *const lines[WORD_COUNT] = {
		[WORD_MATCH] = &a->cond.match,
		[WORD_NONE_MATCH] = &a->cond.none_match,
		[WORD_MODIFIED] = &a->cond.modified_since,
		[WORD_UNMODIFIED] = &a->cond.unmodified_since,
		[WORD_IF_RANGE] = &a->cond.if_range,
		[WORD_RANGE] = &a->range,
	};

	if (word == WORD_ACCEPT)
		http_accept_add(&a->accept, value);
	else
		http_lines_add(lines[word], value);
}

void static_ask_head(struct static_ask *a, const struct http_head *head)
{
	for (unsigned i = 0; i < head->fields_n; i++) {
		struct span name = head->fields[i].name;
		char first = name.n >= 5 ? ascii_lower(name.p[0]) : '\0';

		if (first != 'i' && first != 'r' && first != 'a')
			continue;
		for (unsigned w = 0; w < WORD_COUNT; w++)
			if (span_eq_nocase(name, span_str(words[w].field)))
				take(a, w, head->fields[i].value);
	}
}

/* Another method has done its work by now: of that neither conditions nor ranges can say anything (9110 13.1.2, 14.2). */
static bool asks_for_file(struct span method)
{
	return span_eq(method, SPAN("GET")) || span_eq(method, SPAN("HEAD"));
}

void static_ask_vars(struct static_ask *a, const uint8_t *p, size_t n)
{
	struct span key, value;
	bool plain = false;
	size_t at = 0;

	while (vars_next(p, n, &at, &key, &value)) {
		if (span_eq(key, SPAN("REQUEST_METHOD")))
			plain = !asks_for_file(value);
		if (!span_starts(key, SPAN("HTTP_")))
			continue;
		for (unsigned w = 0; w < WORD_COUNT; w++)
			if (span_eq(key, span_str(words[w].var)))
				take(a, w, value);
	}
	if (plain) {
		a->cond = (struct http_cond){0};
		a->range = (struct http_lines){0};
	}
}

/*
 * chunked - see chunked.h. One state per grammar element; everything but the payload is looked at byte by byte, the
 * payload is moved in one piece. Strict, because a proxy in front of us may read a lenient line differently.
 */
#include "vassal/proto/chunked.h"

#include "shared/http_head.h"

enum state {
	SIZE_FIRST, /* at least one digit */
	SIZE,
	BLANK, /* before an extension only (RFC 9112 7.1.1: BWS) */
	EXTENSION,
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	LINE, /* first byte of a trailer line or of the last CRLF */
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	LAST_LF,
	DONE,
	BROKEN,
};

static int broken(struct chunked *c, const char *reason)
{
	c->state = BROKEN;
	c->reason = reason;
	return -1;
}

static int expect(struct chunked *c, char ch, char want, enum state next, const char *reason)
{
	if (ch != want)
		return broken(c, reason);
	c->state = next;
	return 0;
}

static int size_digit(struct chunked *c, char ch)
{
	unsigned digit;

	if (ch <= '9')
		digit = (unsigned)(ch - '0');
	else
		digit = (unsigned)((ch | 0x20) - 'a') + 10;
	/* int64_t is what counts bytes further on. */
	if (c->left > INT64_MAX >> 4)
		return broken(c, "chunk size too large");
	c->left = c->left << 4 | digit;
	c->state = SIZE;
	return 0;
}

static int extension_byte(struct chunked *c, char ch)
{
	if (++c->extensions_n > LIMIT_CHUNK_EXTENSIONS)
		return broken(c, "chunk extensions too long");
	if (c->state == EXTENSION) {
		if (ch == '\r')
			c->state = SIZE_LF;
		else if (!http_char_is(ch, HTTP_VALUE))
			return broken(c, "control character in a chunk extension");
		return 0;
	}
	if (ch == ' ' || ch == '\t')
		return 0;
	return expect(c, ch, ';', EXTENSION, "blank after the chunk size");
}

static int size_byte(struct chunked *c, char ch)
{
	if (++c->line_n > LIMIT_CHUNK_LINE)
		return broken(c, "chunk size line too long");
	if (c->state == EXTENSION || c->state == BLANK)
		return extension_byte(c, ch);
	if (http_char_is(ch, HTTP_HEX))
		return size_digit(c, ch);
	if (c->state == SIZE_FIRST)
		return broken(c, "chunk without a size");
	if (ch == ';' || ch == ' ' || ch == '\t') {
		c->state = ch == ';' ? EXTENSION : BLANK;
		return 0;
	}
	return expect(c, ch, '\r', SIZE_LF, "malformed chunk size");
}

static int size_end(struct chunked *c, char ch)
{
	c->line_n = 0;
	return expect(c, ch, '\n', c->left > 0 ? DATA : LINE,
		      "chunk size line does not end in CRLF");
}

static int trailer_name(struct chunked *c, char ch)
{
	if (ch == ':' && c->state == TRAILER_NAME)
		c->state = TRAILER_VALUE;
	else if (ch == '\r' && c->state == LINE)
		c->state = LAST_LF;
	else if (http_char_is(ch, HTTP_TOKEN))
		c->state = TRAILER_NAME;
	else
		return broken(c, "malformed trailer");
	return 0;
}

static int trailer_byte(struct chunked *c, char ch)
{
	if (++c->line_n > LIMIT_TRAILER_BYTES)
		return broken(c, "trailers too long");
	if (c->state != TRAILER_VALUE)
		return trailer_name(c, ch);
	if (ch == '\r')
		c->state = TRAILER_LF;
	else if (!http_char_is(ch, HTTP_VALUE))
		return broken(c, "control character in a trailer");
	return 0;
}

static int step(struct chunked *c, char ch)
{
	switch (c->state) {
	case SIZE_FIRST:
	case SIZE:
	case BLANK:
	case EXTENSION:
		return size_byte(c, ch);
	case SIZE_LF:
		return size_end(c, ch);
	case DATA_CR:
		return expect(c, ch, '\r', DATA_LF, "chunk longer than its size");
	case DATA_LF:
		return expect(c, ch, '\n', SIZE_FIRST, "chunk does not end in CRLF");
	case LINE:
	case TRAILER_NAME:
	case TRAILER_VALUE:
		return trailer_byte(c, ch);
	case TRAILER_LF:
		return expect(c, ch, '\n', LINE, "trailer does not end in CRLF");
	case LAST_LF:
		return expect(c, ch, '\n', DONE, "body does not end in CRLF");
	default:
		return -1; /* broken before: it stays so */
	}
}

static size_t take_data(struct chunked *c, char *to, const char *p, size_t n)
{
	if (n > c->left)
		n = (size_t)c->left;
	if (to != p)
		memmove(to, p, n);
	c->left -= n;
	if (c->left == 0)
		c->state = DATA_CR;
	return n;
}

ssize_t chunked_feed(struct chunked *c, char *p, size_t n, size_t *ret_payload)
{
	size_t at = 0;
	size_t payload = 0;

	while (at < n && c->state != DONE) {
		if (c->state == DATA) {
			size_t took = take_data(c, p + payload, p + at, n - at);

			at += took;
			payload += took;
			continue;
		}
		if (step(c, p[at]) < 0) {
			*ret_payload = 0;
			return -1;
		}
		at++;
	}
	c->done = c->state == DONE;
	*ret_payload = payload;
	return (ssize_t)at;
}

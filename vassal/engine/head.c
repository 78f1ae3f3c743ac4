/*
 * head - see head.h.
 */
#include "vassal/engine/head.h"

#include <errno.h>

#include "shared/err.h"

/* RFC 9110 5.6.2: characters of a token, and so of a field name. */
static const bool token_char[256] = {
	['!'] = true,         ['#' ... '\''] = true, ['*'] = true,         ['+'] = true,
	['-'] = true,         ['.'] = true,          ['0' ... '9'] = true, ['A' ... 'Z'] = true,
	['^' ... 'z'] = true, ['|'] = true,          ['~'] = true,
};

static bool is_token(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!token_char[(unsigned char)s.p[i]])
			return false;
	return s.n > 0;
}

/* No controls but a tab: CR, LF and NUL would let data become fields, the others confuse every log. */
static bool is_field_value(struct span s)
{
	bool bad = false;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		bad |= (c < 0x20 && c != '\t') || c == 0x7f;
	}
	return !bad;
}

static int take_length(struct head *h, struct span value, struct err *err)
{
	int64_t n = 0;

	value = span_trim(value);
	if (value.n == 0 || value.n > 18)
		return err_set(err, -EINVAL, "Content-Length \"%.*s\" is not a length",
			       (int)MIN(value.n, (size_t)64), value.p);
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return err_set(err, -EINVAL, "Content-Length \"%.*s\" is not a length",
				       (int)value.n, value.p);
		n = n * 10 + (value.p[i] - '0');
	}
	if (h->frame.length >= 0 && h->frame.length != n)
		return err_set(err, -EINVAL, "two different Content-Length headers");
	h->frame.length = n;
	return 0;
}

static int refuse_hop(struct span name, struct err *err)
{
	return err_set(
		err, -EINVAL,
		"hop-by-hop header \"%.*s\" is the server's, an app must not set it (PEP 3333)",
		(int)name.n, name.p);
}

enum special { FIELD_LENGTH, FIELD_HOP, FIELD_FLAG };

struct special_row {
	struct span name;
	enum special what;
	uint32_t flag;
};

static const struct special_row *find_special(struct span name)
{
	/* clang-format off */
	static const struct special_row rows[] = {
		{ SPAN("content-length"),      FIELD_LENGTH, 0 },
		{ SPAN("date"),		       FIELD_FLAG,   FRAME_HAS_DATE },
		{ SPAN("server"),	       FIELD_FLAG,   FRAME_HAS_SERVER },
		{ SPAN("x-request-id"),	       FIELD_FLAG,   FRAME_HAS_REQUEST_ID },
		{ SPAN("connection"),	       FIELD_HOP,    0 },
		{ SPAN("keep-alive"),	       FIELD_HOP,    0 },
		{ SPAN("proxy-authenticate"),  FIELD_HOP,    0 },
		{ SPAN("proxy-authorization"), FIELD_HOP,    0 },
		{ SPAN("proxy-connection"),    FIELD_HOP,    0 },
		{ SPAN("te"),		       FIELD_HOP,    0 },
		{ SPAN("trailer"),	       FIELD_HOP,    0 },
		{ SPAN("trailers"),	       FIELD_HOP,    0 },
		{ SPAN("transfer-encoding"),   FIELD_HOP,    0 },
		{ SPAN("upgrade"),	       FIELD_HOP,    0 },
	};
	/* clang-format on */
	char first = ascii_lower(name.p[0]);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].name.n == name.n && rows[i].name.p[0] == first &&
		    span_eq_nocase(rows[i].name, name))
			return &rows[i];
	return NULL;
}

int head_begin(struct head *h, struct span status, struct err *err)
{
	struct span reason;
	unsigned code = 0;

	for (size_t i = 0; i < 3; i++) {
		if (i >= status.n || status.p[i] < '0' || status.p[i] > '9')
			return err_set(err, -EINVAL,
				       "status \"%.*s\" does not begin with three digits",
				       (int)MIN(status.n, (size_t)64), status.p);
		code = code * 10 + (unsigned)(status.p[i] - '0');
	}
	if (code < 200 || (status.n > 3 && status.p[3] != ' '))
		return err_set(err, -EINVAL, "status \"%.*s\" is no final status of HTTP",
			       (int)MIN(status.n, (size_t)64), status.p);
	reason = span_trim(span_skip(status, 3));
	if (!is_field_value(reason))
		return err_set(err, -EINVAL, "status holds control characters");
	if (reason.n > 512)
		return err_set(err, -EINVAL, "status of %zu characters", status.n);
	h->frame = (struct frame_head){
		.status = (uint16_t)code, .reason_n = (uint16_t)reason.n, .length = -1};
	memcpy(h->p + sizeof(struct frame_head), reason.p, reason.n);
	h->n = sizeof(struct frame_head) + reason.n;
	return 0;
}

static int put_field(struct head *h, struct span name, struct span value, struct err *err)
{
	uint8_t *p = h->p + h->n;

	if (name.n + value.n + 4 > HEAD_SIZE - h->n)
		return err_set(err, -E2BIG, "headers of more than %d bytes", (int)HEAD_SIZE);
	memcpy(p, name.p, name.n);
	p += name.n;
	*p++ = ':';
	*p++ = ' ';
	memcpy(p, value.p, value.n);
	p += value.n;
	*p++ = '\r';
	*p++ = '\n';
	h->n = (size_t)(p - h->p);
	return 0;
}

int head_field(struct head *h, struct span name, struct span value, struct err *err)
{
	const struct special_row *special;

	if (!is_token(name))
		return err_set(err, -EINVAL, "\"%.*s\" is not a header name",
			       (int)MIN(name.n, (size_t)64), name.p);
	if (!is_field_value(value))
		return err_set(err, -EINVAL, "the value of header %.*s holds control characters",
			       (int)MIN(name.n, (size_t)64), name.p);
	special = find_special(name);
	if (special && special->what == FIELD_LENGTH)
		return take_length(h, value, err);
	if (special && special->what == FIELD_HOP)
		return refuse_hop(name, err);
	if (special)
		h->frame.flags |= special->flag;
	return put_field(h, name, span_trim(value), err);
}

void head_finish(struct head *h)
{
	h->frame.fields_n = (uint32_t)(h->n - sizeof(struct frame_head) - h->frame.reason_n);
	memcpy(h->p, &h->frame, sizeof(h->frame));
}

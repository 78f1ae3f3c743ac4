/*
 * fastcgi - see fastcgi.h. Numbers and layouts: FastCGI Specification 1.0 (1996), sections 3 to 8.
 */
#include "vassal/proto/fastcgi.h"

#include "vassal/proto/cgi.h"

#define VERSION 1

enum phase { IDLE, PARAMS, BODY, DONE, BROKEN };

enum type {
	BEGIN_REQUEST = 1,
	ABORT_REQUEST = 2,
	END_REQUEST = 3,
	PARAMS_STREAM = 4,
	STDIN_STREAM = 5,
	STDOUT_STREAM = 6,
	GET_VALUES = 9,
	GET_VALUES_RESULT = 10,
	UNKNOWN_TYPE = 11,
};

enum { ROLE_RESPONDER = 1, FLAG_KEEP_CONN = 1, BEGIN_BYTES = 8 };

static unsigned read_u16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static void write_head(uint8_t *p, enum type type, unsigned id, size_t content, unsigned padding)
{
	p[0] = VERSION;
	p[1] = (uint8_t)type;
	p[2] = (uint8_t)(id >> 8);
	p[3] = (uint8_t)id;
	p[4] = (uint8_t)(content >> 8);
	p[5] = (uint8_t)content;
	p[6] = (uint8_t)padding;
	p[7] = 0;
}

static enum fastcgi_event bad(struct fastcgi *s, const char *reason)
{
	s->phase = BROKEN;
	s->reason = reason;
	return FASTCGI_BAD;
}

/* Somebody who only asks, and reads no answers, is not served for ever. */
static enum fastcgi_event answer(struct fastcgi *s, size_t n)
{
	if (s->asked++ == LIMIT_FASTCGI_QUESTIONS)
		return bad(s, "FastCGI questions without a request");
	s->reply_n = n;
	return FASTCGI_ANSWER;
}

static void write_end(uint8_t *p, unsigned id, enum fastcgi_status status)
{
	write_head(p, END_REQUEST, id, 8, 0);
	memset(p + FASTCGI_HEAD, 0, 8);
	p[FASTCGI_HEAD + 4] = (uint8_t)status;
}

static enum fastcgi_event refuse(struct fastcgi *s, unsigned id, enum fastcgi_status status)
{
	write_end(s->reply, id, status);
	return answer(s, FASTCGI_HEAD + 8);
}

static enum fastcgi_event on_begin(struct fastcgi *s)
{
	unsigned id = read_u16(s->head + 2);
	bool keep = s->small[2] & FLAG_KEEP_CONN;

	if (s->phase != IDLE && id == s->id)
		return bad(s, "FastCGI request begun twice");
	if (s->phase != IDLE)
		return refuse(s, id, FASTCGI_CANT_MPX);
	if (read_u16(s->small) != ROLE_RESPONDER) {
		s->hangs_up = !keep;
		return refuse(s, id, FASTCGI_UNKNOWN_ROLE);
	}
	s->id = (uint16_t)id;
	s->keep_conn = keep;
	s->phase = PARAMS;
	return FASTCGI_MORE;
}

/* One length of a name or value: 1 byte, or 4 with the highest bit set. */
static bool take_length(struct span *rest, size_t *ret)
{
	const uint8_t *p = (const uint8_t *)rest->p;
	size_t n = rest->n > 0 && p[0] >> 7 ? 4 : 1;

	if (rest->n < n)
		return false;
	*ret = n == 1 ? p[0] : (size_t)(p[0] & 0x7f) << 24 | (size_t)p[1] << 16 | read_u16(p + 2);
	*rest = span_skip(*rest, n);
	return true;
}

static bool take_pair(struct span *rest, struct span *ret_name, struct span *ret_value)
{
	size_t name_n, value_n;

	if (!take_length(rest, &name_n) || !take_length(rest, &value_n) || name_n > rest->n ||
	    value_n > rest->n - name_n)
		return false;
	*ret_name = span_of(rest->p, name_n);
	*ret_value = span_of(rest->p + name_n, value_n);
	*rest = span_skip(*rest, name_n + value_n);
	return true;
}

static size_t put_value(uint8_t *p, struct span name, unsigned value)
{
	char digits[10];
	size_t i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	p[0] = (uint8_t)name.n;
	p[1] = (uint8_t)(sizeof(digits) - i);
	memcpy(p + 2, name.p, name.n);
	memcpy(p + 2 + name.n, digits + i, sizeof(digits) - i);
	return 2 + name.n + sizeof(digits) - i;
}

static enum fastcgi_event on_get_values(struct fastcgi *s, unsigned max_conns)
{
	const struct {
		struct span name;
		unsigned value;
	} known[] = {
		{SPAN("FCGI_MAX_CONNS"), max_conns},
		{SPAN("FCGI_MAX_REQS"), max_conns},
		{SPAN("FCGI_MPXS_CONNS"), 0},
	};
	struct span rest = span_of((const char *)s->small, s->small_n);
	bool asked[ARRAY_SIZE(known)] = {false};
	size_t n = 0;

	_Static_assert(FASTCGI_REPLY >= FASTCGI_HEAD + 3 * 2 + 14 + 13 + 15 + 3 * 10,
		       "all values fit the reply");
	while (rest.n > 0) {
		struct span name, value;

		if (!take_pair(&rest, &name, &value))
			return bad(s, "malformed FastCGI question");
		for (size_t i = 0; i < ARRAY_SIZE(known); i++)
			asked[i] |= span_eq(name, known[i].name);
	}
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (asked[i])
			n += put_value(s->reply + FASTCGI_HEAD + n, known[i].name, known[i].value);
	write_head(s->reply, GET_VALUES_RESULT, 0, n, 0);
	return answer(s, FASTCGI_HEAD + n);
}

static enum fastcgi_event on_unknown(struct fastcgi *s)
{
	write_head(s->reply, UNKNOWN_TYPE, 0, 8, 0);
	memset(s->reply + FASTCGI_HEAD, 0, 8);
	s->reply[FASTCGI_HEAD] = s->head[1];
	return answer(s, FASTCGI_HEAD + 8);
}

static bool is_of_request(const struct fastcgi *s)
{
	return s->phase != IDLE && read_u16(s->head + 2) == s->id;
}

/* Must its content be seen whole? */
static bool is_small(const struct fastcgi *s)
{
	return s->head[1] == BEGIN_REQUEST || s->head[1] == GET_VALUES;
}

/* Does it make sense now? */
static enum fastcgi_event judge_record(struct fastcgi *s)
{
	unsigned id = read_u16(s->head + 2);

	if (s->head[0] != VERSION)
		return bad(s, "FastCGI record of another version");
	if (id == 0) {
		if (s->head[1] >= BEGIN_REQUEST && s->head[1] <= 8)
			return bad(s, "FastCGI record without a request");
		return s->left > LIMIT_FASTCGI_QUESTION && is_small(s)
			       ? bad(s, "FastCGI question too long")
			       : FASTCGI_MORE;
	}
	switch (s->head[1]) {
	case BEGIN_REQUEST:
		return s->left == BEGIN_BYTES ? FASTCGI_MORE : bad(s, "malformed FastCGI begin");
	case PARAMS_STREAM:
		return is_of_request(s) && s->phase != PARAMS
			       ? bad(s, "FastCGI parameters after their end")
			       : FASTCGI_MORE;
	case STDIN_STREAM:
		if (is_of_request(s) && (s->phase == PARAMS || (s->phase == DONE && s->left > 0)))
			return bad(s, "FastCGI body out of its place");
		return FASTCGI_MORE;
	case ABORT_REQUEST:
		return FASTCGI_MORE;
	default:
		return bad(s, "FastCGI record that no web server sends");
	}
}

/* The content of the record has been seen, as far as it is to be. */
static enum fastcgi_event end_record(struct fastcgi *s, unsigned max_conns)
{
	s->head_n = 0;
	if (read_u16(s->head + 2) == 0)
		return s->head[1] == GET_VALUES ? on_get_values(s, max_conns) : on_unknown(s);
	if (s->head[1] == BEGIN_REQUEST)
		return on_begin(s);
	if (!is_of_request(s))
		return FASTCGI_MORE;
	if (s->head[1] == ABORT_REQUEST)
		return FASTCGI_ABORT;
	if (read_u16(s->head + 4) > 0)
		return FASTCGI_MORE;
	/* an empty record of a stream is its end */
	if (s->head[1] == PARAMS_STREAM) {
		s->phase = BODY;
		return FASTCGI_READY;
	}
	if (s->phase != BODY)
		return FASTCGI_MORE;
	s->phase = DONE;
	return FASTCGI_DONE;
}

static enum fastcgi_event take_content(struct fastcgi *s, const char *p, size_t n,
				       struct span *ret_payload)
{
	s->left -= (unsigned)n;
	if (is_small(s)) {
		memcpy(s->small + s->small_n, p, n);
		s->small_n += (unsigned)n;
		return FASTCGI_MORE;
	}
	if (!is_of_request(s) || read_u16(s->head + 2) == 0)
		return FASTCGI_MORE;
	if (s->head[1] != PARAMS_STREAM && s->head[1] != STDIN_STREAM)
		return FASTCGI_MORE;
	*ret_payload = span_of(p, n);
	return s->head[1] == PARAMS_STREAM ? FASTCGI_PARAMS : FASTCGI_DATA;
}

static enum fastcgi_event take_head(struct fastcgi *s, const char *p, size_t n)
{
	memcpy(s->head + s->head_n, p, n);
	s->head_n += (unsigned)n;
	if (s->head_n < FASTCGI_HEAD)
		return FASTCGI_MORE;
	s->left = read_u16(s->head + 4);
	s->padding = s->head[6];
	s->small_n = 0;
	return judge_record(s);
}

size_t fastcgi_feed(struct fastcgi *s, const char *p, size_t n, unsigned max_conns,
		    enum fastcgi_event *ret_event, struct span *ret_payload)
{
	enum fastcgi_event event = s->phase == BROKEN ? FASTCGI_BAD : FASTCGI_MORE;
	size_t at = 0;

	*ret_payload = span_of(p, 0);
	while (event == FASTCGI_MORE) {
		size_t room = n - at;
		size_t take;

		if (s->head_n < FASTCGI_HEAD) {
			/* the padding of the record before */
			take = MIN(room, (size_t)s->padding);
			s->padding -= (unsigned)take;
			at += take;
			take = MIN(n - at, (size_t)(FASTCGI_HEAD - s->head_n));
			if (take == 0)
				break;
			event = take_head(s, p + at, take);
			at += take;
			if (s->head_n == FASTCGI_HEAD && event == FASTCGI_MORE && s->left == 0)
				event = end_record(s, max_conns);
			continue;
		}
		take = MIN(room, (size_t)s->left);
		if (take == 0)
			break;
		event = take_content(s, p + at, take, ret_payload);
		at += take;
		/* what a payload ends with is told by the empty record after it */
		if (s->left > 0)
			continue;
		if (event == FASTCGI_MORE)
			event = end_record(s, max_conns);
		else
			s->head_n = 0;
	}
	*ret_event = event;
	return at;
}

bool fastcgi_has_params(const struct fastcgi *s)
{
	return s->phase == BODY || s->phase == DONE;
}

bool fastcgi_is_complete(const struct fastcgi *s)
{
	return s->phase == DONE;
}

bool fastcgi_is_idle(const struct fastcgi *s)
{
	return s->phase == IDLE && s->head_n == 0 && s->left == 0 && s->padding == 0 &&
	       !s->hangs_up;
}

void fastcgi_finish(struct fastcgi *s)
{
	s->id = 0;
	if (s->phase == BROKEN)
		return;
	s->phase = IDLE;
	s->asked = 0;
}

int fastcgi_request(const char *p, size_t n, const struct request_facts *facts, struct request *ret,
		    struct vars *vars)
{
	struct span rest = span_of(p, n);
	struct cgi_pairs pairs;
	int r;

	cgi_begin(&pairs, ret);
	while (rest.n > 0) {
		struct span name, value;

		if (!take_pair(&rest, &name, &value))
			return cgi_bad(ret, 400, "FastCGI parameters overrun their end");
		if (!cgi_add(&pairs, name, value))
			return cgi_bad(ret, 431, "too many FastCGI parameters");
	}
	r = cgi_request(&pairs, false, facts, ret, vars);
	if (r < 0)
		return r;
	ret->has_length = ret->body == BODY_LENGTH;
	ret->body = BODY_RECORDS;
	return 0;
}

size_t fastcgi_stdout(uint16_t id, const struct span *in, size_t n, uint8_t (*heads)[FASTCGI_HEAD],
		      size_t heads_n, struct span *out, size_t out_n)
{
	size_t total = 0, heads_at = 0, out_at = 0;
	size_t room = 0; /* of the record that is open */

	for (size_t i = 0; i < n; i++)
		total += in[i].n;
	for (size_t i = 0; i < n; i++) {
		struct span rest = in[i];

		while (rest.n > 0) {
			size_t take;

			if (room == 0) {
				room = MIN(total, FASTCGI_CHUNK);
				total -= room;
				if (heads_at == heads_n || out_at == out_n)
					return 0;
				write_head(heads[heads_at], STDOUT_STREAM, id, room, 0);
				out[out_at++] =
					span_of((const char *)heads[heads_at++], FASTCGI_HEAD);
			}
			if (out_at == out_n)
				return 0;
			take = MIN(room, rest.n);
			out[out_at++] = span_of(rest.p, take);
			rest = span_skip(rest, take);
			room -= take;
		}
	}
	return out_at;
}

void fastcgi_stdout_head(uint8_t head[FASTCGI_HEAD], uint16_t id, size_t n)
{
	write_head(head, STDOUT_STREAM, id, n, 0);
}

void fastcgi_end(uint8_t buf[FASTCGI_ENDING], uint16_t id, enum fastcgi_status status)
{
	write_head(buf, STDOUT_STREAM, id, 0, 0);
	write_end(buf + FASTCGI_HEAD, id, status);
}

/*
 * framing - see framing.h. Written once per answer: pieces are copied, numbers are turned into digits by hand.
 */
#include "vassal/proto/framing.h"

/* Where the next piece goes. Once one did not fit, none does. */
struct out {
	char *p;
	size_t n, size;
	bool full;
};

static inline void put(struct out *o, struct span s)
{
	if (o->full || s.n > o->size - o->n) {
		o->full = true;
		return;
	}
	if (s.n > 0)
		memcpy(o->p + o->n, s.p, s.n);
	o->n += s.n;
}

static void put_number(struct out *o, uint64_t v)
{
	char digits[20];
	size_t i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	put(o, span_of(digits + i, sizeof(digits) - i));
}

static void put_field(struct out *o, struct span name, struct span value)
{
	if (value.n == 0)
		return;
	put(o, name);
	put(o, value);
	put(o, SPAN("\r\n"));
}

/* clang-format off */
#define PHRASE(status, text) [(status) - 100] = {text, sizeof(text) - 1}
static const struct span phrases[412] = {
	PHRASE(100, "Continue"),
	PHRASE(101, "Switching Protocols"),
	PHRASE(102, "Processing"),
	PHRASE(103, "Early Hints"),
	PHRASE(200, "OK"),
	PHRASE(201, "Created"),
	PHRASE(202, "Accepted"),
	PHRASE(203, "Non-Authoritative Information"),
	PHRASE(204, "No Content"),
	PHRASE(205, "Reset Content"),
	PHRASE(206, "Partial Content"),
	PHRASE(207, "Multi-Status"),
	PHRASE(208, "Already Reported"),
	PHRASE(226, "IM Used"),
	PHRASE(300, "Multiple Choices"),
	PHRASE(301, "Moved Permanently"),
	PHRASE(302, "Found"),
	PHRASE(303, "See Other"),
	PHRASE(304, "Not Modified"),
	PHRASE(305, "Use Proxy"),
	PHRASE(307, "Temporary Redirect"),
	PHRASE(308, "Permanent Redirect"),
	PHRASE(400, "Bad Request"),
	PHRASE(401, "Unauthorized"),
	PHRASE(402, "Payment Required"),
	PHRASE(403, "Forbidden"),
	PHRASE(404, "Not Found"),
	PHRASE(405, "Method Not Allowed"),
	PHRASE(406, "Not Acceptable"),
	PHRASE(407, "Proxy Authentication Required"),
	PHRASE(408, "Request Timeout"),
	PHRASE(409, "Conflict"),
	PHRASE(410, "Gone"),
	PHRASE(411, "Length Required"),
	PHRASE(412, "Precondition Failed"),
	PHRASE(413, "Content Too Large"),
	PHRASE(414, "URI Too Long"),
	PHRASE(415, "Unsupported Media Type"),
	PHRASE(416, "Range Not Satisfiable"),
	PHRASE(417, "Expectation Failed"),
	PHRASE(421, "Misdirected Request"),
	PHRASE(422, "Unprocessable Content"),
	PHRASE(423, "Locked"),
	PHRASE(424, "Failed Dependency"),
	PHRASE(425, "Too Early"),
	PHRASE(426, "Upgrade Required"),
	PHRASE(428, "Precondition Required"),
	PHRASE(429, "Too Many Requests"),
	PHRASE(431, "Request Header Fields Too Large"),
	PHRASE(451, "Unavailable For Legal Reasons"),
	PHRASE(500, "Internal Server Error"),
	PHRASE(501, "Not Implemented"),
	PHRASE(502, "Bad Gateway"),
	PHRASE(503, "Service Unavailable"),
	PHRASE(504, "Gateway Timeout"),
	PHRASE(505, "HTTP Version Not Supported"),
	PHRASE(506, "Variant Also Negotiates"),
	PHRASE(507, "Insufficient Storage"),
	PHRASE(508, "Loop Detected"),
	PHRASE(511, "Network Authentication Required"),
};
#undef PHRASE
/* clang-format on */

struct span framing_reason(unsigned status)
{
	if (status < 100 || status - 100 >= ARRAY_SIZE(phrases) || !phrases[status - 100].p)
		return span_of("", 0);
	return phrases[status - 100];
}

static enum framing_body choose_body(const struct framing_facts *f)
{
	if (f->is_head || f->status < 200 || f->status == 204 || f->status == 205 ||
	    f->status == 304)
		return FRAMING_NONE;
	if (f->length >= 0)
		return FRAMING_LENGTH;
	if (f->in_records)
		return FRAMING_RECORDS;
	return f->minor > 0 && f->wire == FRAMING_HTTP ? FRAMING_CHUNKED : FRAMING_CLOSE;
}

/*
 * RFC 9110 8.6: never in 1xx and 204; in answers to HEAD and in 304 only what a GET would have said, and an app that
 * sends 304 with an empty body does not know that.
 */
static bool says_length(const struct framing_facts *f)
{
	if (f->length < 0 || f->status < 200 || f->status == 204)
		return false;
	return f->status != 304 || f->length > 0;
}

static void put_framing(struct out *o, const struct framing_facts *f, enum framing_body body)
{
	if (f->status == 205) {
		/* RFC 9110 15.3.6: no content, and that must be said, or the client waits for it */
		put(o, SPAN("Content-Length: 0\r\n"));
	} else if (says_length(f)) {
		put(o, SPAN("Content-Length: "));
		put_number(o, (uint64_t)f->length);
		put(o, SPAN("\r\n"));
	} else if (body == FRAMING_CHUNKED) {
		put(o, SPAN("Transfer-Encoding: chunked\r\n"));
	}
}

static void put_connection(struct out *o, const struct framing_facts *f, bool keep_alive)
{
	if (!keep_alive)
		put(o, SPAN("Connection: close\r\n"));
	else if (f->minor == 0)
		put(o, SPAN("Connection: keep-alive\r\n"));
}

static void put_status_line(struct out *o, enum framing_wire wire, unsigned status,
			    struct span reason)
{
	char code[] = "xxx ";

	code[0] = (char)('0' + status / 100);
	code[1] = (char)('0' + status / 10 % 10);
	code[2] = (char)('0' + status % 10);
	put(o, wire == FRAMING_CGI ? SPAN("Status: ") : SPAN("HTTP/1.1 "));
	put(o, span_of(code, sizeof(code) - 1));
	put(o, reason.n > 0 ? reason : framing_reason(status));
	put(o, SPAN("\r\n"));
}

ssize_t framing_head(char *buf, size_t size, const struct framing_facts *f,
		     enum framing_body *ret_body, bool *ret_keep_alive)
{
	struct out o = {.p = buf, .size = size};
	enum framing_body body = choose_body(f);
	bool keep_alive = f->keep_alive && body != FRAMING_CLOSE;

	if (f->status < 100 || f->status > 999)
		return -1;
	put_status_line(&o, f->wire, f->status, f->reason);
	put(&o, f->fields);
	put(&o, f->more);
	/* 1xx is not the answer yet: what describes the answer and the connection waits for it. */
	if (f->status >= 200) {
		put(&o, f->added);
		put(&o, f->routed);
		put_field(&o, SPAN("Date: "), f->date);
		put_field(&o, SPAN("Server: "), f->server);
		put_field(&o, SPAN("X-Request-ID: "), f->request_id);
		put_framing(&o, f, body);
		if (f->wire == FRAMING_HTTP)
			put_connection(&o, f, keep_alive);
	}
	put(&o, SPAN("\r\n"));
	if (o.full)
		return -1;
	*ret_body = body;
	*ret_keep_alive = keep_alive;
	return (ssize_t)o.n;
}

size_t framing_chunk_line(char *buf, size_t n)
{
	static const char hex[] = "0123456789abcdef";
	char digits[16];
	size_t i = sizeof(digits);
	size_t len;

	do {
		digits[--i] = hex[n & 15];
		n >>= 4;
	} while (n > 0);
	len = sizeof(digits) - i;
	memcpy(buf, digits + i, len);
	buf[len] = '\r';
	buf[len + 1] = '\n';
	return len + 2;
}

static void two_digits(char *p, unsigned v)
{
	p[0] = (char)('0' + v / 10);
	p[1] = (char)('0' + v % 10);
}

/* Days since 1970-01-01 to a date, in years that begin in March, so that the leap day comes last. */
static void civil_date(int64_t days, unsigned *ret_year, unsigned *ret_month, unsigned *ret_day)
{
	const unsigned era_days = 146097; /* of 400 years */
	uint64_t z = (uint64_t)(days + 719468);
	unsigned of_era = (unsigned)(z % era_days);
	unsigned year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	unsigned of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	unsigned month = (5 * of_year + 2) / 153; /* 0 = March */

	*ret_day = of_year - (153 * month + 2) / 5 + 1;
	*ret_month = month < 10 ? month + 3 : month - 9;
	*ret_year = (unsigned)(z / era_days) * 400 + year_of_era + (*ret_month <= 2);
}

void framing_date(char buf[30], int64_t unix_s)
{
	const int64_t day_s = 86400;
	const int64_t last_s = 253402300799; /* the end of 9999: the format has four digits */
	int64_t s = MAX((int64_t)0, MIN(unix_s, last_s));
	unsigned of_day = (unsigned)(s % day_s);
	unsigned year, month, day;

	civil_date(s / day_s, &year, &month, &day);
	memcpy(buf, "Thu, 01 Jan 1970 00:00:00 GMT", 30);
	memcpy(buf, &"ThuFriSatSunMonTueWed"[3 * (s / day_s % 7)], 3);
	two_digits(buf + 5, day);
	memcpy(buf + 8, &"JanFebMarAprMayJunJulAugSepOctNovDec"[(size_t)3 * (month - 1)], 3);
	two_digits(buf + 12, year / 100);
	two_digits(buf + 14, year % 100);
	two_digits(buf + 17, of_day / 3600);
	two_digits(buf + 20, of_day / 60 % 60);
	two_digits(buf + 23, of_day % 60);
}

/* "404 Not Found\n" and, where there is one, "request 01J..." for the one who has to look it up. */
static void put_error_text(struct out *o, unsigned status, struct span request_id)
{
	put_number(o, status);
	put(o, SPAN(" "));
	put(o, framing_reason(status));
	put(o, SPAN("\n"));
	if (request_id.n > 0) {
		put(o, SPAN("request "));
		put(o, request_id);
		put(o, SPAN("\n"));
	}
}

ssize_t framing_error(char *buf, size_t size, unsigned status, unsigned retry_after_s, bool is_head,
		      bool keep_alive, struct span date, struct span request_id)
{
	struct out o = {.p = buf, .size = size};
	/* Room for "431 ", the longest phrase, "request " and an id. */
	char text[256];
	struct out body = {.p = text, .size = sizeof(text)};

	if (status < 100 || status > 999)
		return -1;
	put_error_text(&body, status, request_id);
	if (body.full)
		return -1;
	put_status_line(&o, FRAMING_HTTP, status, span_of("", 0));
	put_field(&o, SPAN("Date: "), date);
	put(&o, SPAN("Server: emperor\r\nContent-Type: text/plain; charset=utf-8\r\n"));
	put_field(&o, SPAN("X-Request-ID: "), request_id);
	if (retry_after_s > 0) {
		put(&o, SPAN("Retry-After: "));
		put_number(&o, retry_after_s);
		put(&o, SPAN("\r\n"));
	}
	put(&o, SPAN("Content-Length: "));
	put_number(&o, body.n);
	/* Said either way: no version is known here, and HTTP/1.0 clients need the one, others the other. */
	put(&o, keep_alive ? SPAN("\r\nConnection: keep-alive\r\n\r\n")
			   : SPAN("\r\nConnection: close\r\n\r\n"));
	if (!is_head)
		put(&o, span_of(text, body.n));
	return o.full ? -1 : (ssize_t)o.n;
}

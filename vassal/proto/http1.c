/*
 * http1 - see http1.h.
 *
 * http1_request judges the meaning of a head; the environment itself is written by http1_vars. Everything that says
 * how long the body is gets the strict reading of RFC 9112 6.3, because two readings of one request are how requests
 * are smuggled; and whatever is refused closes the connection, since nobody can know where the next request begins.
 */
#include "vassal/proto/http1.h"

#include "vassal/proto/forwarded.h"
#include "vassal/proto/names.h"

enum expectation { EXPECT_NOTHING, EXPECT_CONTINUE, EXPECT_OTHER };

/* What the fields said, before it is judged together. */
struct findings {
	unsigned lengths_n, codings_n, ids_n; /* fields that came, by kind */
	struct span length, coding;
	bool close, keep, upgrade_token, upgrade, websocket;
	enum expectation expect;
};

static int bad(struct request *rq, int status, const char *reason)
{
	rq->status = status;
	rq->reason = reason;
	rq->keep_alive = false;
	return PROTO_BAD;
}

/* Takes the next element of a comma list, trimmed; empty ones are skipped (RFC 9110 5.6.1.2). False at its end. */
static bool next_element(struct span *list, struct span *ret)
{
	while (list->n > 0) {
		const char *comma = memchr(list->p, ',', list->n);
		size_t n = comma ? (size_t)(comma - list->p) : list->n;

		*ret = span_trim(span_of(list->p, n));
		*list = span_skip(*list, comma ? n + 1 : n);
		if (ret->n > 0)
			return true;
	}
	return false;
}

static void note_connection(struct findings *f, struct span list)
{
	struct span token;

	while (next_element(&list, &token)) {
		if (span_eq_nocase(token, SPAN("close")))
			f->close = true;
		else if (span_eq_nocase(token, SPAN("keep-alive")))
			f->keep = true;
		else if (span_eq_nocase(token, SPAN("upgrade")))
			f->upgrade_token = true;
	}
}

static void note_field(struct findings *f, const struct http_field *field, struct request *rq)
{
	switch (proto_name_kind(field->name)) {
	case NAME_CONTENT_LENGTH:
		f->lengths_n++;
		f->length = field->value;
		break;
	case NAME_TRANSFER_ENCODING:
		f->codings_n++;
		f->coding = field->value;
		break;
	case NAME_CONNECTION:
		note_connection(f, field->value);
		break;
	case NAME_EXPECT:
		if (!span_eq_nocase(field->value, SPAN("100-continue")))
			f->expect = EXPECT_OTHER;
		else if (f->expect == EXPECT_NOTHING)
			f->expect = EXPECT_CONTINUE;
		break;
	case NAME_UPGRADE:
		f->upgrade = true;
		f->websocket |= span_eq_nocase(field->value, SPAN("websocket"));
		break;
	case NAME_X_REQUEST_ID:
		/* Two of them: whose is it? Then ours. */
		rq->request_id = f->ids_n++ == 0 ? http_request_id(field->value) : span_of("", 0);
		break;
	case NAME_X_REQUEST_START:
		rq->start = field->value;
		break;
	case NAME_FORWARDED:
	case NAME_X_FORWARDED_FOR:
	case NAME_X_FORWARDED_HOST:
	case NAME_X_FORWARDED_PROTO:
	case NAME_X_FORWARDED_OTHER:
	case NAME_X_REAL_IP:
		rq->forwarded = true;
		break;
	default:
		break;
	}
}

/* ", chunked" and its like; also an empty list. */
static bool has_empty_element(struct span list)
{
	bool empty = true;

	for (size_t i = 0; i < list.n; i++) {
		if (list.p[i] == ',' && empty)
			return true;
		if (list.p[i] == ',')
			empty = true;
		else if (list.p[i] != ' ' && list.p[i] != '\t')
			empty = false;
	}
	return empty;
}

/*
 * Only "chunked", once. Anything after it, or it twice, leaves the end of the body open (RFC 9112 6.3, 7.1). Empty
 * elements might be skipped (RFC 9110 5.6.1.2), but a proxy that does not takes the body for the next request.
 */
static int judge_coding(struct request *rq, struct span list)
{
	unsigned chunked = 0;
	unsigned others = 0;
	bool chunked_last = false;
	struct span coding;

	if (has_empty_element(list))
		return bad(rq, 400, "empty element in Transfer-Encoding");
	while (next_element(&list, &coding)) {
		chunked_last = span_eq_nocase(coding, SPAN("chunked"));
		chunked += chunked_last;
		others += !chunked_last;
	}
	if (chunked > 1)
		return bad(rq, 400, "chunked twice");
	if (chunked == 1 && !chunked_last)
		return bad(rq, 400, "chunked is not the last transfer coding");
	if (others > 0)
		return bad(rq, 501, "transfer coding not supported");
	rq->body = BODY_CHUNKED;
	return 0;
}

static int judge_body(struct request *rq, const struct findings *f)
{
	if (f->codings_n > 0) {
		if (f->lengths_n > 0)
			return bad(rq, 400, "Transfer-Encoding with Content-Length");
		if (rq->minor == 0)
			return bad(rq, 400, "Transfer-Encoding in HTTP/1.0");
		if (f->codings_n > 1)
			return bad(rq, 400, "Transfer-Encoding twice");
		return judge_coding(rq, f->coding);
	}
	if (f->lengths_n > 1)
		return bad(rq, 400, "Content-Length twice");
	if (f->lengths_n == 0)
		return 0;
	if (!http_parse_size(f->length, &rq->length))
		return bad(rq, 400, "malformed Content-Length");
	rq->body = BODY_LENGTH;
	return 0;
}

int http1_request(const struct http_head *head, struct request *ret)
{
	struct findings f = {0};
	int r;

	*ret = (struct request){
		.method = head->method,
		.target = head->target,
		.path = head->path,
		.query = head->query,
		.host = head->host,
		.request_id = span_of("", 0),
		.minor = head->minor,
		.is_head = span_eq(head->method, SPAN("HEAD")),
	};
	for (unsigned i = 0; i < head->fields_n; i++)
		note_field(&f, &head->fields[i], ret);
	if (head->hosts_n > 1)
		return bad(ret, 400, "Host twice"); /* RFC 9112 3.2 */
	if (head->hosts_n == 0 && head->minor > 0)
		return bad(ret, 400, "no Host");
	if (proto_path_holds_nul(head->path))
		return bad(ret, 400, "NUL in the path");
	r = judge_body(ret, &f);
	if (r < 0)
		return r;
	if (f.expect == EXPECT_OTHER)
		return bad(ret, 417, "expectation not supported");
	ret->keep_alive = !f.close && (ret->minor > 0 || f.keep);
	/* RFC 9110 10.1.1: ignored in HTTP/1.0, and without a body there is nothing to wait for. */
	ret->expect_continue = f.expect == EXPECT_CONTINUE && ret->minor > 0 &&
			       (ret->body == BODY_CHUNKED || ret->length > 0);
	ret->upgrade = f.upgrade && f.upgrade_token && ret->minor > 0; /* RFC 9110 7.8 */
	ret->websocket = ret->upgrade && f.websocket;
	return 0;
}

/*
 * Fields of one name, in order. Names are hashed into buckets; each first one keeps the chain of those that repeat it,
 * so that 128 fields cost 128 steps and not their square.
 */
struct repeats {
	uint8_t bucket[64];           /* index + 1 of the newest first field in it */
	uint8_t older[LIMIT_HEADERS]; /* index + 1 of the first field before it in its bucket */
	uint8_t next[LIMIT_HEADERS];  /* index + 1 of the next of the same name */
	uint8_t last[LIMIT_HEADERS];  /* of a first field: the last of its name */
	bool repeated[LIMIT_HEADERS]; /* not the first of its name */
	uint32_t hash[LIMIT_HEADERS];
};

_Static_assert(LIMIT_HEADERS < UINT8_MAX, "repeats counts fields in bytes");

static void find_repeats(const struct http_head *head, struct repeats *r)
{
	memset(r->bucket, 0, sizeof(r->bucket));
	for (unsigned i = 0; i < head->fields_n; i++) {
		struct span name = head->fields[i].name;
		uint32_t hash = proto_name_hash(name);
		uint8_t *bucket = &r->bucket[hash & 63];
		unsigned j = *bucket;

		while (j > 0 &&
		       (r->hash[j - 1] != hash || !span_eq_nocase(head->fields[j - 1].name, name)))
			j = r->older[j - 1];
		r->hash[i] = hash;
		r->next[i] = 0;
		r->repeated[i] = j > 0;
		if (j > 0) {
			r->next[r->last[j - 1]] = (uint8_t)(i + 1);
			r->last[j - 1] = (uint8_t)i;
			continue;
		}
		r->last[i] = (uint8_t)i;
		r->older[i] = *bucket;
		*bucket = (uint8_t)(i + 1);
	}
}

/* Lists are joined with a comma (RFC 9110 5.3), cookies with a semicolon (RFC 9113 8.2.3). */
static size_t joined_length(const struct http_head *head, const struct repeats *r, unsigned i)
{
	size_t n = head->fields[i].value.n;

	while (r->next[i] > 0) {
		i = r->next[i] - 1U;
		n += 2 + head->fields[i].value.n;
	}
	return n;
}

static void write_joined(char *p, const struct http_head *head, const struct repeats *r, unsigned i,
			 char separator)
{
	for (;;) {
		struct span value = head->fields[i].value;

		if (value.n > 0)
			memcpy(p, value.p, value.n);
		p += value.n;
		if (r->next[i] == 0)
			return;
		*p++ = separator;
		*p++ = ' ';
		i = r->next[i] - 1U;
	}
}

/* Whoever is no trusted proxy must not look like one; of those, only the word that was taken goes on. */
static bool is_spoof(enum proto_name_kind kind, const struct forwarded *taken)
{
	switch (kind) {
	case NAME_FORWARDED:
		return !taken || taken->used != FORWARDED_RFC;
	case NAME_X_FORWARDED_FOR:
	case NAME_X_FORWARDED_HOST:
	case NAME_X_FORWARDED_PROTO:
	case NAME_X_FORWARDED_OTHER:
		return !taken || taken->used != FORWARDED_X;
	case NAME_X_REAL_IP:
		return !taken;
	default:
		return false;
	}
}

static void add_field(struct vars *vars, const struct http_head *head, const struct repeats *r,
		      unsigned i, const struct forwarded *taken)
{
	const struct http_field *f = &head->fields[i];
	const struct span prefix = SPAN("HTTP_");
	enum proto_name_kind kind = proto_name_kind(f->name);
	size_t n;
	char *p;

	if (r->repeated[i] || proto_name_is_private(kind) || is_spoof(kind, taken))
		return;
	/* "X_User" would stand where a proxy's "X-User" does: nobody could tell them apart. */
	if (memchr(f->name.p, '_', f->name.n))
		return;
	n = joined_length(head, r, i);
	if (kind == NAME_CONTENT_TYPE) {
		p = vars_reserve(vars, SPAN("CONTENT_TYPE"), n);
	} else {
		p = vars_reserve_item(vars, prefix.n + f->name.n, n);
		if (p) {
			memcpy(p, prefix.p, prefix.n);
			proto_name_to_cgi(p + prefix.n, f->name);
			p += prefix.n + f->name.n;
		}
	}
	if (p)
		write_joined(p, head, r, i, kind == NAME_COOKIE ? ';' : ',');
}

static void add_host(struct vars *vars, const struct http_head *head,
		     const struct request_facts *facts, bool https)
{
	struct span standard = https ? SPAN("443") : SPAN("80");
	const struct forwarded *f = facts->forwarded;
	bool renamed = f && f->host.n > 0;
	struct span authority = renamed ? f->authority : head->authority;
	struct span name = renamed ? f->host : head->host;
	struct span port = renamed ? f->host_port : head->port;

	if (authority.n > 0)
		vars_add(vars, SPAN("HTTP_HOST"), authority);
	if (name.n == 0) {
		name = facts->server_name;
		port = facts->server_port;
	}
	/* PEP 3333: SERVER_NAME and SERVER_PORT can never be empty. */
	vars_add(vars, SPAN("SERVER_NAME"), name.n > 0 ? name : SPAN("localhost"));
	vars_add(vars, SPAN("SERVER_PORT"), port.n > 0 ? port : standard);
}

/* The two belong together: never the client's address with its proxy's port. */
static void add_client(struct vars *vars, const struct request_facts *facts)
{
	const struct forwarded *f = facts->forwarded;
	bool named = f && f->addr[0];

	vars_add(vars, SPAN("REMOTE_ADDR"), named ? span_str(f->addr) : facts->remote_addr);
	vars_add(vars, SPAN("REMOTE_PORT"), named ? span_str(f->port) : facts->remote_port);
}

/* Canonical, whatever zeros the client put in front. */
static void add_length(struct vars *vars, uint64_t length)
{
	char digits[20];
	size_t i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + length % 10);
		length /= 10;
	} while (length > 0);
	vars_add(vars, SPAN("CONTENT_LENGTH"), span_of(digits + i, sizeof(digits) - i));
}

void http1_vars(const struct http_head *head, const struct request *rq,
		const struct request_facts *facts, struct vars *vars)
{
	bool https = facts->https || rq->https;
	struct repeats r;

	vars_add(vars, SPAN("REQUEST_METHOD"), rq->method);
	vars_add(vars, SPAN("REQUEST_URI"), rq->target);
	vars_add(vars, SPAN("RAW_URI"), rq->target);
	proto_path_add(vars, rq->path, facts->script_name);
	vars_add(vars, SPAN("QUERY_STRING"), rq->query);
	vars_add(vars, SPAN("SERVER_PROTOCOL"),
		 rq->minor > 0 ? SPAN("HTTP/1.1") : SPAN("HTTP/1.0"));
	vars_add(vars, SPAN("REQUEST_SCHEME"), https ? SPAN("https") : SPAN("http"));
	if (https)
		vars_add(vars, SPAN("HTTPS"), SPAN("on"));
	add_client(vars, facts);
	add_host(vars, head, facts, https);
	if (rq->body == BODY_LENGTH)
		add_length(vars, rq->length);
	find_repeats(head, &r);
	for (unsigned i = 0; i < head->fields_n; i++)
		add_field(vars, head, &r, i, facts->forwarded);
}

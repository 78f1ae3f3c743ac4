/*
 * cgi - see cgi.h.
 *
 * What the proxy's params left out is derived, then the table goes to vars. A proxy is trusted to say who its client is
 * (that is what these protocols are for), never which code to load.
 */
#include "vassal/proto/cgi.h"

#include "shared/http_head.h"
#include "vassal/proto/names.h"

/* What the variables say or imply, before it is written. */
struct derived {
	struct span method, uri, path_info, script, query, protocol;
	bool path_is_raw; /* from REQUEST_URI: still percent-encoded */
	bool https;
};

int cgi_bad(struct request *rq, int status, const char *reason)
{
	rq->status = status;
	rq->reason = reason;
	rq->keep_alive = false;
	return PROTO_BAD;
}

void cgi_begin(struct cgi_pairs *pairs, struct request *rq)
{
	*rq = (struct request){
		.method = span_of("", 0),
		.target = span_of("", 0),
		.path = span_of("", 0),
		.query = span_of("", 0),
		.host = span_of("", 0),
		.request_id = span_of("", 0),
	};
	if (!pairs)
		return;
	memset(pairs->bucket, 0, sizeof(pairs->bucket));
	pairs->n = 0;
}

static struct cgi_pair *find(struct cgi_pairs *pairs, struct span key)
{
	unsigned i = pairs->bucket[proto_name_hash(key) % CGI_BUCKETS];

	while (i > 0 && !span_eq(pairs->list[i - 1].key, key))
		i = pairs->list[i - 1].older;
	return i > 0 ? &pairs->list[i - 1] : NULL;
}

static struct span value_of(struct cgi_pairs *pairs, struct span key)
{
	const struct cgi_pair *pair = find(pairs, key);

	return pair ? pair->value : span_of("", 0);
}

/* Upper case, digits, '_', as RFC 3875 4.1 names its variables; others ("wsgi.input") are no proxy's business. */
static bool is_cgi_name(struct span key)
{
	for (size_t i = 0; i < key.n; i++) {
		char c = key.p[i];

		if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '_')
			return false;
	}
	return key.n > 0;
}

/* RFC 3875 4.1.18: fields of one name are one variable of the same meaning. There is but one Host. */
static bool is_more(const struct cgi_pair *pair, struct span value)
{
	return span_starts(pair->key, SPAN("HTTP_")) && !span_eq(pair->key, SPAN("HTTP_HOST")) &&
	       !span_eq(pair->value, value);
}

bool cgi_add(struct cgi_pairs *pairs, struct span key, struct span value)
{
	struct cgi_pair *pair;
	uint16_t *bucket;

	if (!is_cgi_name(key))
		return true;
	pair = find(pairs, key);
	if (pair && !is_more(pair, value)) {
		pair->value = value;
		return true;
	}
	if (pairs->n == LIMIT_CGI_VARS)
		return false;
	if (pair) {
		pairs->list[pairs->n] = (struct cgi_pair){
			.key = span_of("", 0), .value = pair->value, .before = pair->before};
		pair->value = value;
		pair->before = (uint16_t)++pairs->n;
		return true;
	}
	bucket = &pairs->bucket[proto_name_hash(key) % CGI_BUCKETS];
	pairs->list[pairs->n] = (struct cgi_pair){.key = key, .value = value, .older = *bucket};
	*bucket = (uint16_t)++pairs->n;
	return true;
}

static bool is_https(struct cgi_pairs *pairs)
{
	struct span https = value_of(pairs, SPAN("HTTPS"));

	return span_eq_nocase(https, SPAN("on")) || span_eq(https, SPAN("1")) ||
	       span_eq_nocase(value_of(pairs, SPAN("REQUEST_SCHEME")), SPAN("https")) ||
	       span_eq_nocase(value_of(pairs, SPAN("UWSGI_SCHEME")), SPAN("https"));
}

/*
 * A balancer that ends TLS before a web server without it says so in a field that this one hands on. uWSGI believes that of
 * everybody, and apps that know no other way would redirect for ever.
 */
static bool is_forwarded_https(struct cgi_pairs *pairs)
{
	struct span proto = value_of(pairs, SPAN("HTTP_X_FORWARDED_PROTO"));
	const char *comma = proto.n > 0 ? memrchr(proto.p, ',', proto.n) : NULL;

	/* of several, what the nearest has said */
	if (comma)
		proto = span_skip(proto, (size_t)(comma - proto.p) + 1);
	return span_eq_nocase(span_trim(proto), SPAN("https")) ||
	       span_eq_nocase(value_of(pairs, SPAN("HTTP_X_FORWARDED_SSL")), SPAN("on"));
}

static struct span before_query(struct span uri)
{
	const char *q = uri.n > 0 ? memchr(uri.p, '?', uri.n) : NULL;

	return q ? span_of(uri.p, (size_t)(q - uri.p)) : uri;
}

/*
 * nginx's stock uwsgi_params send the whole path as PATH_INFO, whatever SCRIPT_NAME somebody has set beside them. Only if it
 * is that of the URI does it hold the script: a client that writes the URI in another way must not have a part of the path
 * taken away that its web server has looked at.
 */
static bool path_holds_script(const struct derived *d)
{
	return !d->path_is_raw && d->path_info.n > d->script.n &&
	       proto_path_is(before_query(d->uri), d->path_info);
}

/*
 * PATH_INFO as sent; else DOCUMENT_URI (which is decoded too); else the path of REQUEST_URI. A SCRIPT_NAME that is
 * the whole path is what nginx's fastcgi_params say for "no idea".
 */
static void derive_path(struct derived *d, struct cgi_pairs *pairs, bool manage_script)
{
	const struct cgi_pair *info = find(pairs, SPAN("PATH_INFO"));

	if (!info)
		info = find(pairs, SPAN("DOCUMENT_URI"));
	d->path_is_raw = !info;
	d->path_info = info ? info->value : before_query(d->uri);
	d->script = value_of(pairs, SPAN("SCRIPT_NAME"));
	if (span_eq(d->path_info, SPAN("*")))
		d->path_info = span_of("", 0);
	manage_script |= path_holds_script(d);
	if (manage_script && proto_path_split(d->path_info, d->script, &d->script))
		d->path_info = span_skip(d->path_info, d->script.n);
	else if (span_eq(d->script, d->path_info) || span_eq(d->script, SPAN("/")))
		d->script = span_of("", 0);
}

static void derive(struct derived *d, struct cgi_pairs *pairs, const struct request_facts *facts,
		   bool manage_script)
{
	const struct cgi_pair *query = find(pairs, SPAN("QUERY_STRING"));

	d->method = value_of(pairs, SPAN("REQUEST_METHOD"));
	d->uri = value_of(pairs, SPAN("REQUEST_URI"));
	d->protocol = value_of(pairs, SPAN("SERVER_PROTOCOL"));
	d->https = facts->https || is_https(pairs) || (facts->trusted && is_forwarded_https(pairs));
	derive_path(d, pairs, manage_script);
	if (query) {
		d->query = query->value;
	} else {
		size_t n = before_query(d->uri).n;

		d->query = n < d->uri.n ? span_skip(d->uri, n + 1) : span_of("", 0);
	}
}

static bool has_nul(struct span s)
{
	return s.n > 0 && memchr(s.p, '\0', s.n);
}

static int judge_host(struct span authority, struct request *rq)
{
	struct span port;

	/* No Host is no error here: an HTTP/1.0 client of the proxy may have sent none. */
	if (authority.n > 0 && !http_host_split(authority, &rq->host, &port))
		return cgi_bad(rq, 400, "bad HTTP_HOST");
	return 0;
}

static int judge_path(const struct derived *d, struct request *rq)
{
	if (d->uri.n > 0 && !http_span_is(d->uri, HTTP_TARGET))
		return cgi_bad(rq, 400, "malformed REQUEST_URI");
	if (has_nul(d->path_info) || has_nul(d->script) ||
	    (d->path_is_raw && proto_path_holds_nul(d->path_info)))
		return cgi_bad(rq, 400, "NUL in the path");
	if (d->path_info.n > 0 && d->path_info.p[0] != '/')
		return cgi_bad(rq, 400, "path does not begin with a slash");
	if (d->script.n > 0 && d->script.p[0] != '/')
		return cgi_bad(rq, 400, "SCRIPT_NAME does not begin with a slash");
	if (d->uri.n == 0 && d->path_info.n == 0 && d->script.n == 0)
		return cgi_bad(rq, 400, "neither REQUEST_URI nor PATH_INFO");
	return 0;
}

static int judge(struct cgi_pairs *pairs, const struct derived *d, struct request *rq)
{
	struct span length = value_of(pairs, SPAN("CONTENT_LENGTH"));
	int r;

	if (d->method.n > LIMIT_METHOD || !http_span_is(d->method, HTTP_TOKEN))
		return cgi_bad(rq, 400, "no REQUEST_METHOD");
	r = judge_path(d, rq);
	if (r < 0)
		return r;
	if (length.n > 0) {
		if (!http_parse_size(length, &rq->length))
			return cgi_bad(rq, 400, "malformed CONTENT_LENGTH");
		rq->body = BODY_LENGTH;
	}
	return judge_host(value_of(pairs, SPAN("HTTP_HOST")), rq);
}

/* What can be said of a request that is refused: its answer, and the log, know it by that. */
static void note_request(struct cgi_pairs *pairs, const struct derived *d, struct request *rq)
{
	if (d->method.n <= LIMIT_METHOD && http_span_is(d->method, HTTP_TOKEN)) {
		rq->method = d->method;
		rq->is_head = span_eq(d->method, SPAN("HEAD"));
	}
	if (http_span_is(d->uri, HTTP_TARGET))
		rq->target = d->uri;
	rq->request_id = http_request_id(value_of(pairs, SPAN("HTTP_X_REQUEST_ID")));
}

static void fill_request(struct cgi_pairs *pairs, const struct derived *d, struct request *rq)
{
	struct span path = before_query(d->uri);

	rq->target = d->uri.n > 0 ? d->uri : d->path_info;
	if (path.n > 0 && (path.p[0] == '/' || span_eq(path, SPAN("*"))))
		rq->path = path;
	else
		rq->path = d->path_info.n > 0 ? d->path_info : SPAN("/");
	rq->path_is_decoded = !d->path_is_raw && rq->path.p == d->path_info.p;
	if (rq->target.n == 0)
		rq->target = rq->path;
	rq->query = d->query;
	rq->start = value_of(pairs, SPAN("HTTP_X_REQUEST_START"));
	rq->https = d->https;
}

/* Written by write_vars in its own way, or dropped; everything else is copied as the proxy sent it. */
static bool is_handled(struct span key)
{
	static const struct span handled[] = {
		/* clang-format off */
		{"REQUEST_METHOD", 14}, {"REQUEST_URI", 11},  {"RAW_URI", 7},	   {"PATH_INFO", 9},
		{"SCRIPT_NAME", 11},	{"QUERY_STRING", 12}, {"SERVER_PROTOCOL", 15},
		{"REQUEST_SCHEME", 14}, {"HTTPS", 5},	      {"SERVER_NAME", 11}, {"SERVER_PORT", 11},
		{"REMOTE_ADDR", 11},	{"REMOTE_PORT", 11},  {"CONTENT_LENGTH", 14},
		/* never the app's: see names.h */
		{"HTTP_PROXY", 10}, {"HTTP_CONTENT_LENGTH", 19}, {"HTTP_CONTENT_TYPE", 17},
		{"HTTP_TRANSFER_ENCODING", 22}, {"HTTP_TE", 7}, {"HTTP_TRAILER", 12},
		/* clang-format on */
	};

	/* UWSGI_FILE, UWSGI_SCRIPT, UWSGI_HOME ...: to uWSGI they are orders to load code. */
	if (span_starts(key, SPAN("UWSGI_")))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(handled); i++)
		if (span_eq(handled[i], key))
			return true;
	return false;
}

/* The first that is not empty. */
static struct span either(struct span a, struct span b)
{
	return a.n > 0 ? a : b;
}

static void write_path(const struct derived *d, const struct request_facts *facts,
		       struct vars *vars)
{
	struct span script = d->script;
	struct span path = d->path_info;

	if (d->path_is_raw) {
		proto_path_add(vars, path, either(script, facts->script_name));
		return;
	}
	if (script.n == 0 && proto_path_split(path, facts->script_name, &script))
		path = span_skip(path, script.n);
	vars_add(vars, SPAN("SCRIPT_NAME"), script);
	vars_add(vars, SPAN("PATH_INFO"), path);
}

static char *put_before(char *end, struct span s)
{
	if (s.n > 0)
		memcpy(end - s.n, s.p, s.n);
	return end - s.n;
}

/* All values of one key, from the last to the first. */
static void add_pair(struct vars *vars, const struct cgi_pairs *pairs, const struct cgi_pair *pair)
{
	struct span separator = span_eq(pair->key, SPAN("HTTP_COOKIE")) ? SPAN("; ") : SPAN(", ");
	size_t n = pair->value.n;
	char *p;

	for (unsigned i = pair->before; i > 0; i = pairs->list[i - 1].before)
		n += separator.n + pairs->list[i - 1].value.n;
	p = vars_reserve(vars, pair->key, n);
	if (!p)
		return;
	p = put_before(p + n, pair->value);
	for (unsigned i = pair->before; i > 0; i = pairs->list[i - 1].before)
		p = put_before(put_before(p, separator), pairs->list[i - 1].value);
}

static void write_vars(struct cgi_pairs *pairs, const struct derived *d, const struct request *rq,
		       const struct request_facts *facts, struct vars *vars)
{
	struct span name = either(value_of(pairs, SPAN("SERVER_NAME")), rq->host);
	struct span port = either(value_of(pairs, SPAN("SERVER_PORT")), facts->server_port);
	struct span addr = value_of(pairs, SPAN("REMOTE_ADDR"));
	struct span length = value_of(pairs, SPAN("CONTENT_LENGTH"));

	vars_add(vars, SPAN("REQUEST_METHOD"), d->method);
	vars_add(vars, SPAN("REQUEST_URI"), rq->target);
	vars_add(vars, SPAN("RAW_URI"), rq->target);
	write_path(d, facts, vars);
	vars_add(vars, SPAN("QUERY_STRING"), d->query);
	vars_add(vars, SPAN("SERVER_PROTOCOL"), either(d->protocol, SPAN("HTTP/1.0")));
	vars_add(vars, SPAN("REQUEST_SCHEME"), d->https ? SPAN("https") : SPAN("http"));
	if (d->https)
		vars_add(vars, SPAN("HTTPS"), SPAN("on"));
	/* The two belong together: never the proxy's address with its client's port. */
	vars_add(vars, SPAN("REMOTE_ADDR"), either(addr, facts->remote_addr));
	vars_add(vars, SPAN("REMOTE_PORT"),
		 addr.n > 0 ? value_of(pairs, SPAN("REMOTE_PORT")) : facts->remote_port);
	vars_add(vars, SPAN("SERVER_NAME"),
		 either(either(name, facts->server_name), SPAN("localhost")));
	vars_add(vars, SPAN("SERVER_PORT"), either(port, d->https ? SPAN("443") : SPAN("80")));
	if (length.n > 0)
		vars_add(vars, SPAN("CONTENT_LENGTH"), length);
	for (unsigned i = 0; i < pairs->n; i++)
		if (pairs->list[i].key.n > 0 && !is_handled(pairs->list[i].key))
			add_pair(vars, pairs, &pairs->list[i]);
}

int cgi_request(struct cgi_pairs *pairs, bool manage_script, const struct request_facts *facts,
		struct request *rq, struct vars *vars)
{
	struct derived d = {0};
	int r;

	derive(&d, pairs, facts, manage_script);
	note_request(pairs, &d, rq);
	r = judge(pairs, &d, rq);
	if (r < 0)
		return r;
	fill_request(pairs, &d, rq);
	write_vars(pairs, &d, rq, facts, vars);
	return vars->overflow ? cgi_bad(rq, 431, "environment too large") : 0;
}

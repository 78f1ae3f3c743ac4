/*
 * uwsgi - see uwsgi.h. The packet is read into cgi's table; what it means is said there.
 */
#include "vassal/proto/uwsgi.h"

#include "vassal/proto/cgi.h"

#define PACKET_HEAD 4

enum modifier { MODIFIER_WSGI = 0, MODIFIER_MANAGE_SCRIPT_NAME = 30, MODIFIER_PING = 100 };

static size_t read_u16(const char *p)
{
	return (size_t)((unsigned char)p[0] | (unsigned char)p[1] << 8);
}

/* One length and its bytes. */
static bool take_string(struct span *rest, struct span *ret)
{
	size_t n;

	if (rest->n < 2)
		return false;
	n = read_u16(rest->p);
	if (n > rest->n - 2)
		return false;
	*ret = span_of(rest->p + 2, n);
	*rest = span_skip(*rest, 2 + n);
	return true;
}

static int read_pairs(struct span rest, struct cgi_pairs *pairs, struct request *rq)
{
	while (rest.n > 0) {
		struct span key, value;

		if (!take_string(&rest, &key) || !take_string(&rest, &value))
			return cgi_bad(rq, 400, "uwsgi variables overrun the packet");
		if (!cgi_add(pairs, key, value))
			return cgi_bad(rq, 431, "too many uwsgi variables");
	}
	return 0;
}

/* "GET ", "POST", "HEAD": a packet of modifier 71 with 21573 bytes is somebody's browser. */
static bool looks_like_http(const char *p)
{
	for (unsigned i = 0; i < PACKET_HEAD; i++)
		if (!(p[i] >= 'A' && p[i] <= 'Z') && !(i > 2 && p[i] == ' '))
			return false;
	return true;
}

static int judge_packet(const char *p, size_t limit, struct request *rq)
{
	unsigned modifier = (unsigned char)p[0];

	if (looks_like_http(p))
		return cgi_bad(rq, 400, "HTTP spoken to a uwsgi socket");
	if (modifier == MODIFIER_PING) {
		rq->ping = true;
		return 0;
	}
	if (modifier != MODIFIER_WSGI && modifier != MODIFIER_MANAGE_SCRIPT_NAME)
		return cgi_bad(rq, 501, "uwsgi modifier not supported");
	if (read_u16(p + 1) == 0)
		return cgi_bad(rq, 400, "uwsgi packet without variables");
	/* who says more than it may is not waited for */
	if (read_u16(p + 1) > limit)
		return cgi_bad(rq, 431, "uwsgi variables too large");
	return 0;
}

static int read_request(struct span packet, bool manage_script, const struct request_facts *facts,
			struct request *rq, struct vars *vars)
{
	struct cgi_pairs pairs;
	int r;

	cgi_begin(&pairs, rq);
	r = read_pairs(packet, &pairs, rq);
	return r < 0 ? r : cgi_request(&pairs, manage_script, facts, rq, vars);
}

long uwsgi_parse(const char *p, size_t n, size_t limit, const struct request_facts *facts,
		 struct request *ret, struct vars *vars)
{
	size_t size;
	int r;

	cgi_begin(NULL, ret);
	if (n < PACKET_HEAD)
		return PROTO_MORE;
	r = judge_packet(p, limit, ret);
	if (r < 0)
		return r;
	size = read_u16(p + 1);
	if (n < PACKET_HEAD + size)
		return PROTO_MORE;
	if (!ret->ping)
		r = read_request(span_of(p + PACKET_HEAD, size),
				 (unsigned char)p[0] == MODIFIER_MANAGE_SCRIPT_NAME, facts, ret,
				 vars);
	return r < 0 ? r : (long)(PACKET_HEAD + size);
}

struct span uwsgi_pong(void)
{
	return span_of("\x64\0\0\1", PACKET_HEAD);
}

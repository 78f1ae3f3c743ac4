/*
 * static_plan - see static_plan.h. RFC 9110: 8.8 (validators), 12.5.3 (codings), 13 (conditions), 14 (ranges).
 */
#include "vassal/front/static_plan.h"

#include <stdarg.h>
#include <stdio.h>

#include "vassal/front/static_path.h"
#include "vassal/front/static_rules.h"
#include "vassal/front/static_types.h"
#include "vassal/proto/framing.h"
#include "vassal/proto/http_date.h"

#define NAME_MAX_SHOWN 2048 /* of a URL that patterns are held against */

static _printf_(2, 3) void add(struct static_plan *p, const char *fmt, ...)
{
	size_t room = sizeof(p->fields) - p->fields_n;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(p->fields + p->fields_n, room, fmt, ap);
	va_end(ap);
	/* a field that does not fit is left out whole: types are the only ones of any length */
	if (n > 0 && (size_t)n < room)
		p->fields_n += (size_t)n;
}

size_t static_plan_part(struct span boundary, struct span type, const struct http_range *part,
			uint64_t size, bool first, char buf[STATIC_PART_HEAD])
{
	const char *eol = first ? "" : "\r\n";
	int n;

	if (!part)
		n = snprintf(buf, STATIC_PART_HEAD, "\r\n--%.*s--\r\n", (int)boundary.n,
			     boundary.p);
	else
		n = snprintf(buf, STATIC_PART_HEAD,
			     "%s--%.*s\r\nContent-Type: %.*s\r\n"
			     "Content-Range: bytes %llu-%llu/%llu\r\n\r\n",
			     eol, (int)boundary.n, boundary.p, (int)type.n, type.p,
			     (unsigned long long)part->first,
			     (unsigned long long)(part->first + part->n - 1),
			     (unsigned long long)size);
	return n > 0 ? MIN((size_t)n, (size_t)STATIC_PART_HEAD - 1) : 0;
}

static enum http_coding choose_form(const struct static_facts *f, bool *ret_several)
{
	unsigned available = 0;

	/* what the app calls coded is not coded once more */
	if (f->said.coding.n > 0) {
		*ret_several = false;
		return HTTP_CODING_IDENTITY;
	}
	for (unsigned i = 0; i < HTTP_CODING_COUNT; i++)
		available |= f->found->forms[i].fd >= 0 ? 1U << i : 0;
	*ret_several = available != 1U << HTTP_CODING_IDENTITY;
	/* of one form there is nothing to choose; to refuse it would help nobody */
	return *ret_several ? http_accept_choose(&f->ask->accept, available) : HTTP_CODING_IDENTITY;
}

static struct span make_etag(const struct static_form *form, enum http_coding coding, char buf[64])
{
	const char *name = http_coding_name(coding);
	int n = snprintf(buf, 64, "\"%llx%08lx-%llx%s%s\"", (unsigned long long)form->mtime.tv_sec,
			 (unsigned long)form->mtime.tv_nsec, (unsigned long long)form->size,
			 name[0] ? "-" : "", name);

	return span_of(buf, (size_t)n);
}

static void describe(struct static_plan *p, const struct static_facts *f, struct span etag,
		     int64_t mtime_s)
{
	char date[30];

	if (f->said.etag.n == 0)
		add(p, "ETag: %.*s\r\n", (int)etag.n, etag.p);
	if (f->said.modified.n == 0) {
		framing_date(date, mtime_s);
		add(p, "Last-Modified: %s\r\n", date);
	}
}

/* A string of what may be longer than anybody's URL. */
static const char *string(struct span s, char *buf, size_t size)
{
	size_t n = MIN(s.n, size - 1);

	if (n > 0)
		memcpy(buf, s.p, n);
	buf[n] = '\0';
	return buf;
}

static void add_expiry(struct static_plan *p, const struct static_facts *f)
{
	char file[2 * LIMIT_STATIC_PATH], uri[NAME_MAX_SHOWN], path[LIMIT_STATIC_PATH + 1],
		date[30];
	struct static_subject s = {.file = file,
				   .path = path,
				   .type = p->type,
				   .mtime_s = p->form->mtime.tv_sec,
				   .now_s = f->now_s};
	int64_t until_s;
	bool directory;

	if (f->said.has_expiry || !static_rules_expire(f->rules))
		return;
	(void)snprintf(file, sizeof(file), "%s%s%s", f->target, f->found->name[0] ? "/" : "",
		       f->found->name);
	s.uri = string(f->uri, uri, sizeof(uri));
	path[0] = '/';
	if (f->path.n == 0 || !static_path_decode(f->path, path + 1, &directory))
		(void)string(f->path, path, sizeof(path));
	if (!static_rules_expires(f->rules, &s, &until_s))
		return;
	framing_date(date, until_s);
	add(p, "Expires: %s\r\nCache-Control: max-age=%lld\r\n", date,
	    (long long)MAX(until_s - f->now_s, (int64_t)0));
}

static void fail(struct static_plan *p, unsigned status)
{
	p->status = status;
	p->ranges.n = 0;
	p->length = 0;
}

static uint64_t multipart_length(const struct static_plan *p)
{
	char buf[STATIC_PART_HEAD];
	uint64_t n = static_plan_part(p->boundary, p->type, NULL, 0, false, buf);

	for (unsigned i = 0; i < p->ranges.n; i++)
		n += p->ranges.v[i].n + static_plan_part(p->boundary, p->type, &p->ranges.v[i],
							 p->form->size, i == 0, buf);
	return n;
}

static void whole(struct static_plan *p)
{
	p->ranges.n = p->form->size > 0;
	p->ranges.v[0] = (struct http_range){0, p->form->size};
	p->length = p->form->size;
}

/*
 * Range is a GET's alone (14.2). Several parts are a multipart body, and of that Content-Encoding would say that it is coded
 * (8.4): what is coded is sent in one piece.
 */
static void choose_parts(struct static_plan *p, const struct static_facts *f, bool coded,
			 const struct http_validators *v)
{
	enum http_range_result r = HTTP_RANGE_WHOLE;

	add(p, "Accept-Ranges: bytes\r\n");
	if (f->ask->range.n == 1 && !f->is_head && http_cond_range_holds(&f->ask->cond, v))
		r = http_range_parse(span_trim(f->ask->range.v[0]), p->form->size, &p->ranges);
	if (r == HTTP_RANGE_UNSATISFIABLE) {
		fail(p, 416);
		p->fields_n = 0; /* they describe what is not sent */
		add(p, "Content-Range: bytes */%llu\r\n", (unsigned long long)p->form->size);
	} else if (r == HTTP_RANGE_WHOLE || (coded && p->ranges.n > 1)) {
		whole(p);
	} else if (p->ranges.n == 1) {
		p->status = 206;
		p->length = p->ranges.v[0].n;
		add(p, "Content-Range: bytes %llu-%llu/%llu\r\n",
		    (unsigned long long)p->ranges.v[0].first,
		    (unsigned long long)(p->ranges.v[0].first + p->length - 1),
		    (unsigned long long)p->form->size);
	} else {
		p->status = 206;
		p->multipart = true;
		p->length = multipart_length(p);
	}
}

static void add_type(struct static_plan *p)
{
	if (p->multipart)
		add(p, "Content-Type: multipart/byteranges; boundary=%.*s\r\n", (int)p->boundary.n,
		    p->boundary.p);
	else
		add(p, "Content-Type: %.*s\r\n", (int)p->type.n, p->type.p);
}

void static_plan_make(const struct static_facts *f, struct static_plan *p)
{
	const char *name = f->found->name[0] ? f->found->name : f->target;
	bool several;
	enum http_coding coding = choose_form(f, &several);
	enum http_cond_result cond = HTTP_COND_GO;
	struct http_validators v;
	char tag[64];

	p->status = f->said.status ? f->said.status : 200;
	p->form = &f->found->forms[coding < HTTP_CODING_COUNT ? coding : HTTP_CODING_IDENTITY];
	p->ranges.n = 0;
	p->multipart = false;
	p->length = 0;
	p->fields_n = 0;
	p->boundary = f->boundary;
	p->type = f->said.type.n > 0 ? f->said.type : static_types_find(f->types, name);
	if (several)
		add(p, "Vary: Accept-Encoding\r\n");
	if (coding == HTTP_CODING_COUNT) {
		fail(p, 406);
		return;
	}
	v = (struct http_validators){.etag = f->said.etag.n > 0 ? f->said.etag
								: make_etag(p->form, coding, tag),
				     /* never later than Date (8.8.2.1) */
				     .modified_s = MIN((int64_t)p->form->mtime.tv_sec, f->now_s),
				     .now_s = f->now_s};
	if (f->said.modified.n > 0)
		v.modified_s = http_date_parse(f->said.modified, f->now_s);
	/* conditions are of what a plain GET is answered with (13.2.1) */
	if (p->status == 200)
		cond = http_cond_check(&f->ask->cond, &v);
	if (cond == HTTP_COND_FAILED) {
		fail(p, 412);
		return;
	}
	describe(p, f, v.etag, v.modified_s);
	add_expiry(p, f);
	if (cond == HTTP_COND_NOT_MODIFIED) {
		fail(p, 304);
		return;
	}
	if (p->status == 200)
		choose_parts(p, f, coding != HTTP_CODING_IDENTITY || f->said.coding.n > 0, &v);
	else
		whole(p);
	if (p->status == 416)
		return;
	if (coding != HTTP_CODING_IDENTITY)
		add(p, "Content-Encoding: %s\r\n", http_coding_name(coding));
	add_type(p);
}

/*
 * static_plan - how a file is answered: which of its forms, which parts of it, with which status and fields. Decides,
 * and sends nothing.
 */
#pragma once
#include "shared/limits.h"
#include "vassal/front/static_ask.h"
#include "vassal/front/static_look.h"
#include "vassal/proto/http_range.h"

struct static_rules;
struct static_types;

#define STATIC_FIELDS    1024
#define STATIC_PART_HEAD 512 /* a boundary, a type and a Content-Range */

/* What the app has said itself, where it hands a file over; status 0: it was not asked. */
struct static_said {
	unsigned status;
	struct span type, etag, modified, coding; /* n = 0: nothing */
	bool has_expiry;                          /* Expires or Cache-Control */
};

struct static_facts {
	const struct static_found *found;
	const char *target; /* of the map: what it is called when found->name is "" */
	struct span path;   /* of the URL, raw, without query */
	struct span uri;    /* as it was asked for */
	const struct static_ask *ask;
	const struct static_rules *rules;
	const struct static_types *types;
	struct static_said said;
	bool is_head;
	int64_t now_s;
	struct span boundary; /* unguessable: no file holds it */
};

struct static_plan {
	unsigned status; /* 200, 206, 304; 406, 412, 416: an error with these fields */
	const struct static_form *form;
	struct http_ranges ranges; /* what to send of it; one, the whole, for 200 */
	bool multipart;
	uint64_t length; /* of the body, part heads included */
	struct span type, boundary;
	size_t fields_n;
	char fields[STATIC_FIELDS];
};

void static_plan_make(const struct static_facts *f, struct static_plan *p);
/* What goes before part i, or behind the last. Returns its length. */
size_t static_plan_part(struct span boundary, struct span type, const struct http_range *part,
			uint64_t size, bool first, char buf[STATIC_PART_HEAD]);

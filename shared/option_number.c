/*
 * option_number - the values of options: numbers with units, truth, lists. What uWSGI made of a value is kept where
 * it made sense ("10 workers" is 10, with a note); where it silently made 0 of it, it is an error here.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#include "shared/err.h"
#include "shared/inifile.h"
#include "shared/option.h"
#include "shared/span.h"

#define KIB 1024ULL
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

struct scale {
	const char *suffix; /* any case; "" = a bare number */
	uint64_t factor;
};

static const struct scale scale_count[] = {
	{"", 1}, {"k", 1000}, {"m", 1000000}, {"g", 1000000000}, {NULL, 0},
};
static const struct scale scale_bytes[] = {
	{"", 1},     {"k", KIB},   {"m", MIB},   {"g", GIB},   {"kb", KIB}, {"mb", MIB},
	{"gb", GIB}, {"kib", KIB}, {"mib", MIB}, {"gib", GIB}, {"b", 1},    {NULL, 0},
};
static const struct scale scale_mbytes[] = {
	{"", MIB},   {"k", KIB},   {"m", MIB},   {"g", GIB},   {"kb", KIB}, {"mb", MIB},
	{"gb", GIB}, {"kib", KIB}, {"mib", MIB}, {"gib", GIB}, {NULL, 0},
};
static const struct scale scale_seconds[] = {
	{"", 1}, {"s", 1}, {"sec", 1}, {"m", 60}, {"min", 60}, {"h", 3600}, {"d", 86400}, {NULL, 0},
};

static bool has_unit(const struct option *o, const char *unit)
{
	return o->unit && str_eq(o->unit, unit);
}

static const struct scale *scales_of(const struct option *o)
{
	switch (o->type) {
	case OPTION_MBYTES:
		return scale_mbytes;
	case OPTION_SECONDS:
		return scale_seconds;
	default:
		if (has_unit(o, "seconds"))
			return scale_seconds;
		return has_unit(o, "bytes") ? scale_bytes : scale_count;
	}
}

static const char *unit_words(const struct option *o)
{
	if (o->type == OPTION_SECONDS || has_unit(o, "seconds"))
		return " of seconds";
	if (o->type == OPTION_MBYTES)
		return " of megabytes";
	return has_unit(o, "bytes") ? " of bytes" : "";
}

static const struct scale *find_scale(const struct scale *scales, const char *text)
{
	for (; scales->suffix; scales++)
		if (strcasecmp(scales->suffix, text) == 0)
			return scales;
	return NULL;
}

struct decimal { /* 1.5 = {1, 5, 10} */
	uint64_t whole, part, part_of;
};

/* The digits at the front, "0.5" too where allowed. NULL: none, or too many. */
static const char *scan_decimal(const char *p, bool fraction, struct decimal *ret)
{
	*ret = (struct decimal){.part_of = 1};
	if (!isdigit((unsigned char)*p))
		return NULL;
	for (; isdigit((unsigned char)*p); p++)
		if (__builtin_mul_overflow(ret->whole, 10U, &ret->whole) ||
		    __builtin_add_overflow(ret->whole, (uint64_t)(*p - '0'), &ret->whole))
			return NULL;
	if (!fraction || *p != '.' || !isdigit((unsigned char)p[1]))
		return p;
	for (p++; isdigit((unsigned char)*p); p++) {
		if (ret->part_of >= 1000000) /* finer than a byte of a megabyte */
			continue;
		ret->part = ret->part * 10 + (uint64_t)(*p - '0');
		ret->part_of *= 10;
	}
	return p;
}

static int not_a_number(const struct option *o, const char *value, struct err *err)
{
	return err_set(err, -EINVAL, "\"%s\" is not a number%s", value, unit_words(o));
}

static int check_range(const struct option *o, const char *value, uint64_t number, struct err *err)
{
	uint64_t max = o->max;

	if (max == 0)
		max = o->type == OPTION_UINT || o->type == OPTION_SECONDS ? UINT32_MAX : UINT64_MAX;
	if (number < o->min)
		return err_set(err, -ERANGE, "%s is too small, at least %" PRIu64 " is possible",
			       value, o->min);
	if (number > max)
		return err_set(err, -ERANGE, "%s is too large, at most %" PRIu64 " is possible",
			       value, max);
	return 0;
}

/* "true" where people write it for "on", "false" for "off". */
static bool word_number(const struct option *o, const char *value, const char **ret_text)
{
	if (!(o->flags & OPTION_ON))
		return false;
	if (strcasecmp(value, "true") == 0 || strcasecmp(value, "on") == 0 ||
	    strcasecmp(value, "yes") == 0) {
		*ret_text = o->def;
		return true;
	}
	if (o->min == 0 && !option_is_true(value)) {
		*ret_text = "0";
		return true;
	}
	return false;
}

int option_number(const struct option *o, const char *value, const char *where,
		  struct inifile_notes *notes, uint64_t *ret, struct err *err)
{
	const struct scale *scales = scales_of(o);
	const struct scale *scale;
	const char *text = value;
	const char *rest;
	struct decimal d;
	uint64_t number;

	if (word_number(o, value, &text) && !str_eq(value, "0"))
		option_note(notes, where, "%s: \"%s\" is no number, read as %s", o->name, value,
			    text);
	rest = scan_decimal(text, o->type == OPTION_MBYTES, &d);
	if (!rest)
		return not_a_number(o, value, err);
	scale = find_scale(scales, rest + strspn(rest, " \t"));
	if (!scale && *rest != ' ' && *rest != '\t')
		return not_a_number(o, value, err);
	if (!scale) {
		option_note(notes, where,
			    "%s: \"%s\" is read as %.*s; what follows the number is "
			    "ignored",
			    o->name, value, (int)(rest - text), text);
		scale = scales;
	}
	if (__builtin_mul_overflow(d.whole, scale->factor, &number) ||
	    __builtin_add_overflow(number, d.part * scale->factor / d.part_of, &number))
		return err_set(err, -ERANGE, "%s is too large", value);
	if (check_range(o, value, number, err) < 0)
		return -ERANGE;
	*ret = number;
	return 0;
}

bool option_is_true(const char *value)
{
	static const char *const no[] = {"false", "off", "no"};

	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		if (strcasecmp(value, no[i]) == 0)
			return false;
	return !str_eq(value, "0");
}

int option_list_add(struct option_list *list, const char *value, struct err *err)
{
	char **v;

	if (list->n >= LIMIT_INI_ITEMS)
		return err_set(err, -E2BIG, "given more than %d times", LIMIT_INI_ITEMS);
	v = reallocarray(list->v, list->n + 1, sizeof(*v));
	if (!v)
		return err_set(err, -ENOMEM, "out of memory");
	list->v = v;
	v[list->n] = strdup(value);
	if (!v[list->n])
		return err_set(err, -ENOMEM, "out of memory");
	list->n++;
	return 0;
}

void option_list_done(struct option_list *list)
{
	if (!list)
		return;
	for (size_t i = 0; i < list->n; i++)
		free(list->v[i]);
	free(list->v);
	*list = (struct option_list){0};
}

/*
 * json - see json.h.
 *
 * How a failure travels to the one check at the end: a value that could not be made is replaced by `broken`, a
 * value of no JSON type, which makes jansson's dump of anything that contains it fail. It is never written to:
 * its reference count is jansson's mark for values that are not counted. Where there is no memory even to put that into
 * an empty object, the object itself stops being one until the dump has failed.
 */
#include "shared/json.h"

#include "shared/buf.h"
#include "shared/utf8.h"

#define REPLACEMENT_N 3

/* LIMIT_APPS apps with LIMIT_WORKERS workers stay far below. */
#define DUMP_MAX ((size_t)64 * 1024 * 1024)

#define NO_TYPE       ((json_type)-1)
#define BROKEN_OBJECT ((json_type)-2)

static json_t broken = {.type = NO_TYPE, .refcount = (size_t)-1};

/* Every byte that belongs to no sequence becomes one U+FFFD. out has room for 3 * n. */
static size_t clean(char *out, const char *p, size_t n)
{
	static const char replacement[REPLACEMENT_N] = {'\xef', '\xbf', '\xbd'}; /* U+FFFD */
	size_t at = 0;

	for (size_t i = 0; i < n;) {
		size_t k = utf8_length(p + i, n - i);

		if (k == 0) {
			memcpy(out + at, replacement, REPLACEMENT_N);
			at += REPLACEMENT_N;
			i++;
			continue;
		}
		memcpy(out + at, p + i, k);
		at += k;
		i += k;
	}
	return at;
}

json_t *json_text(const char *p, size_t n)
{
	json_t *text;
	char *out;

	if (n > DUMP_MAX / REPLACEMENT_N)
		return NULL;
	if (n == 0 || !memchr(p, '\0', n)) {
		json_t *plain = json_stringn(n ? p : "", n); /* NULL if this is no UTF-8 */

		if (plain)
			return plain;
	}
	out = malloc(n * REPLACEMENT_N + 1);
	if (!out)
		return NULL;
	text = json_stringn_nocheck(out, clean(out, p, n));
	free(out);
	return text;
}

static void mark_failed(json_t *obj, const char *key)
{
	void *first;

	if (json_object_set_new_nocheck(obj, key, &broken) == 0)
		return;
	/* No memory even for a key: an entry that is there can be replaced without any. */
	first = json_object_iter(obj);
	if (first)
		(void)json_object_iter_set_new(obj, first, &broken);
	else if (json_is_object(obj))
		obj->type = BROKEN_OBJECT;
}

/* Makes objects of those that stopped being some, so that whoever frees the tree frees them too. */
static void mend(json_t *v)
{
	if (v->type == BROKEN_OBJECT) {
		v->type = JSON_OBJECT;
		return;
	}
	if (json_is_object(v))
		for (void *i = json_object_iter(v); i; i = json_object_iter_next(v, i))
			mend(json_object_iter_value(i));
	for (size_t i = 0; i < json_array_size(v); i++)
		mend(json_array_get(v, i));
}

void json_put(json_t *obj, const char *key, json_t *value)
{
	if (!obj) {
		json_decref(value);
		return;
	}
	if (json_object_set_new_nocheck(obj, key, value) < 0)
		mark_failed(obj, key);
}

void json_put_text(json_t *obj, const char *key, const char *text)
{
	json_put(obj, key, json_text(text, strlen(text)));
}

void json_put_u64(json_t *obj, const char *key, uint64_t n)
{
	/* JSON has no limit, but jansson, like most readers, holds signed 64-bit integers. */
	json_put(obj, key, json_integer((json_int_t)MIN(n, (uint64_t)INT64_MAX)));
}

void json_push(json_t *array, json_t *value)
{
	if (!array) {
		json_decref(value);
		return;
	}
	/* An array has room for its first values from birth, so one of the last two cannot fail. */
	if (json_array_append_new(array, value) < 0 && json_array_append_new(array, &broken) < 0)
		(void)json_array_set_new(array, 0, &broken);
}

static int take(const char *p, size_t n, void *arg)
{
	return buf_append(arg, p, n, DUMP_MAX) < 0 ? -1 : 0;
}

char *json_dump_text(const json_t *root, bool indent, size_t *ret_n)
{
	struct buf out = {0};
	size_t flags = JSON_ENCODE_ANY | (indent ? JSON_INDENT(2) : JSON_COMPACT);

	if (!root || json_dump_callback(root, take, &out, flags) < 0 || take("\n", 2, &out) < 0) {
		if (root)
			mend((json_t *)(uintptr_t)root);
		buf_done(&out);
		return NULL;
	}
	if (ret_n)
		*ret_n = out.n - 1;
	/* Nothing was consumed, so the text starts where the allocation does. */
	return out.p;
}

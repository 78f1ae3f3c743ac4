/*
 * config_items - see config_items.h. On the wire: magic, count, then per item flags, line and three lengths, then the
 * three strings without terminators. Native endian: both ends are the same build on the same machine.
 */
#include "shared/config_items.h"

#include <errno.h>

#include "shared/err.h"

#define ITEMS_MAGIC 0x534d5449u /* "ITMS" */

enum item_flags { ITEM_HAS_VALUE = 1, ITEM_USED = 2, ITEM_FLAGS = 3 };

struct wire_head {
	uint32_t magic, count;
};

struct wire_item { /* then key, value, file */
	uint32_t flags, line, key_n, value_n, file_n;
};

static void item_done(struct config_item *item)
{
	free(item->key);
	free(item->value);
	free(item->file);
	*item = (struct config_item){0};
}

static int grow(struct config_items *items, struct err *err)
{
	size_t room = items->room ? items->room * 2 : 32;
	struct config_item *v;

	if (items->n >= LIMIT_INI_ITEMS) {
		(void)err_set(err, -E2BIG, "more than %d options", LIMIT_INI_ITEMS);
		return -E2BIG;
	}
	if (items->n < items->room)
		return 0;
	v = reallocarray(items->v, room, sizeof(*v));
	if (!v) {
		(void)err_set(err, -ENOMEM, "out of memory");
		return -ENOMEM;
	}
	items->v = v;
	items->room = room;
	return 0;
}

/* Takes the strings over, also on failure; one that is NULL is an allocation that failed. */
static int add_owned(struct config_items *items, struct config_item *item, struct err *err)
{
	int r = grow(items, err);

	if (r == 0 && (!item->key || !item->value || !item->file))
		r = err_set(err, -ENOMEM, "out of memory");
	if (r < 0) {
		item_done(item);
		return r;
	}
	items->v[items->n++] = *item;
	return 0;
}

int config_items_add(struct config_items *items, const char *key, const char *value,
		     const char *file, unsigned line, bool has_value, struct err *err)
{
	struct config_item item = {
		.key = strdup(key),
		.value = strdup(value ? value : ""),
		.file = strdup(file ? file : ""),
		.line = line,
		.has_value = has_value,
	};

	return add_owned(items, &item, err);
}

int config_items_append(struct config_items *items, const struct config_items *from,
			struct err *err)
{
	for (size_t i = 0; i < from->n; i++) {
		const struct config_item *it = &from->v[i];
		int r = config_items_add(items, it->key, it->value, it->file, it->line,
					 it->has_value, err);

		if (r < 0)
			return r;
		items->v[items->n - 1].used = it->used;
	}
	return 0;
}

const char *config_items_get(const struct config_items *items, const char *key)
{
	for (size_t i = items->n; i > 0; i--)
		if (str_eq(items->v[i - 1].key, key))
			return items->v[i - 1].value;
	return NULL;
}

const struct config_item *config_items_find_text(const struct config_items *items, const char *key,
						 const char *text)
{
	const struct config_item *found = NULL;

	for (size_t i = items->n; i-- > 0;) {
		const struct config_item *item = &items->v[i];

		if ((key && !str_eq(item->key, key)) || !strstr(item->value, text))
			continue;
		if (str_eq(item->value, text))
			return item;
		if (!found)
			found = item;
	}
	return found;
}

void config_items_done(struct config_items *items)
{
	if (!items)
		return;
	for (size_t i = 0; i < items->n; i++)
		item_done(&items->v[i]);
	free(items->v);
	*items = (struct config_items){0};
}

static char *put(char *p, const void *data, size_t n)
{
	memcpy(p, data, n);
	return p + n;
}

static size_t encoded_size(const struct config_items *items)
{
	size_t n = sizeof(struct wire_head);

	for (size_t i = 0; i < items->n; i++)
		n += sizeof(struct wire_item) + strlen(items->v[i].key) +
		     strlen(items->v[i].value) + strlen(items->v[i].file);
	return n;
}

int config_items_encode(const struct config_items *items, char **ret_bytes, size_t *ret_n,
			struct err *err)
{
	struct wire_head head = {.magic = ITEMS_MAGIC, .count = (uint32_t)items->n};
	size_t n = encoded_size(items);
	char *bytes;
	char *p;

	if (n > LIMIT_CONFIG_BLOB)
		return err_set(err, -E2BIG, "configuration of %zu bytes, at most %d are possible",
			       n, LIMIT_CONFIG_BLOB);
	bytes = malloc(n);
	if (!bytes)
		return err_set(err, -ENOMEM, "out of memory");
	p = put(bytes, &head, sizeof(head));
	for (size_t i = 0; i < items->n; i++) {
		const struct config_item *item = &items->v[i];
		struct wire_item w = {
			.flags = (item->has_value ? ITEM_HAS_VALUE : 0U) |
				 (item->used ? ITEM_USED : 0U),
			.line = item->line,
			.key_n = (uint32_t)strlen(item->key),
			.value_n = (uint32_t)strlen(item->value),
			.file_n = (uint32_t)strlen(item->file),
		};

		p = put(p, &w, sizeof(w));
		p = put(p, item->key, w.key_n);
		p = put(p, item->value, w.value_n);
		p = put(p, item->file, w.file_n);
	}
	*ret_bytes = bytes;
	*ret_n = n;
	return 0;
}

struct reader {
	const char *p;
	size_t n;
};

static bool take(struct reader *r, void *ret, size_t n)
{
	if (r->n < n)
		return false;
	memcpy(ret, r->p, n);
	r->p += n;
	r->n -= n;
	return true;
}

/* NULL: too short, or a NUL inside (it could hide the rest of a value from every reader). */
static char *take_string(struct reader *r, size_t n)
{
	char *s;

	if (r->n < n || memchr(r->p, 0, n))
		return NULL;
	s = strndup(r->p, n);
	r->p += n;
	r->n -= n;
	return s;
}

static int decode_item(struct reader *r, struct config_items *items, struct err *err)
{
	struct wire_item w;
	struct config_item item = {0};

	if (!take(r, &w, sizeof(w)) || (w.flags & ~(uint32_t)ITEM_FLAGS))
		return -EBADMSG;
	item.key = take_string(r, w.key_n);
	if (item.key)
		item.value = take_string(r, w.value_n);
	if (item.value)
		item.file = take_string(r, w.file_n);
	if (!item.file) {
		item_done(&item);
		return -EBADMSG;
	}
	item.line = w.line;
	item.has_value = w.flags & ITEM_HAS_VALUE;
	item.used = w.flags & ITEM_USED;
	return add_owned(items, &item, err);
}

int config_items_decode(const char *bytes, size_t n, struct config_items *ret, struct err *err)
{
	struct reader r = {bytes, n};
	struct config_items items = {0};
	struct wire_head head;
	int e = 0;

	if (n > LIMIT_CONFIG_BLOB || !take(&r, &head, sizeof(head)) || head.magic != ITEMS_MAGIC ||
	    head.count > LIMIT_INI_ITEMS)
		return err_set(err, -EBADMSG, "configuration: not ours, or of another version");
	for (uint32_t i = 0; i < head.count && e == 0; i++)
		e = decode_item(&r, &items, err);
	if (e == 0 && r.n > 0)
		e = -EBADMSG;
	if (e < 0) {
		config_items_done(&items);
		return err_set(err, e, "configuration: damaged");
	}
	*ret = items;
	return 0;
}

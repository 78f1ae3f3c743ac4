/*
 * table - see table.h.
 */
#include "emperor/ctl/table.h"

#include <errno.h>

#include "shared/utf8.h"

#define GAP 2

static bool continues(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

size_t table_width(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += !continues(*text);
	return n;
}

static char *harmless(const char *text)
{
	char *copy = strdup(text);

	for (char *p = copy; p && *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	if (copy)
		utf8_clean(copy, "");
	return copy;
}

void table_add(struct table *t, const char *const *cells)
{
	char **grown;

	if (t->failed)
		return;
	grown = reallocarray(t->cells, (t->rows + 1) * t->columns, sizeof(char *));
	if (!grown) {
		t->failed = true;
		return;
	}
	t->cells = grown;
	for (size_t i = 0; i < t->columns; i++) {
		t->cells[t->rows * t->columns + i] = harmless(cells[i]);
		t->failed |= !t->cells[t->rows * t->columns + i];
	}
	t->rows++;
}

/* The bytes of the first width columns. */
static size_t cut(const char *text, size_t width)
{
	size_t i = 0;

	for (; text[i]; i++) {
		if (continues(text[i]))
			continue;
		if (width == 0)
			break;
		width--;
	}
	return i;
}

static void print_cell(FILE *out, const char *text, size_t width, bool right)
{
	size_t fill = width - MIN(width, table_width(text));

	if (right)
		(void)fprintf(out, "%*s", (int)fill, "");
	(void)fputs(text, out);
	if (!right)
		(void)fprintf(out, "%*s", (int)fill, "");
}

static void print_row(const struct table *t, size_t row, const size_t *widths, FILE *out,
		      size_t width)
{
	char *const *cells = t->cells + row * t->columns;
	size_t used = 0, last = t->columns - 1;

	for (size_t i = 0; i < last; i++) {
		print_cell(out, cells[i], widths[i], t->right >> i & 1);
		used += widths[i] + GAP;
		(void)fprintf(out, "%*s", cells[last][0] || i + 1 < last ? GAP : 0, "");
	}
	if (width > 0) /* something always shows of the last column */
		width = MAX(width > used ? width - used : 0, (size_t)10);
	else
		width = SIZE_MAX;
	(void)fprintf(out, "%.*s\n", (int)MIN(cut(cells[last], width), (size_t)INT32_MAX),
		      cells[last]);
}

int table_print(const struct table *t, FILE *out, size_t width)
{
	size_t widths[TABLE_COLUMNS] = {0};

	if (t->failed || t->columns == 0 || t->columns > TABLE_COLUMNS)
		return -ENOMEM;
	for (size_t i = 0; i < t->rows * t->columns; i++)
		widths[i % t->columns] = MAX(widths[i % t->columns], table_width(t->cells[i]));
	for (size_t row = 0; row < t->rows; row++)
		print_row(t, row, widths, out, width);
	return 0;
}

void table_done(struct table *t)
{
	for (size_t i = 0; i < t->rows * t->columns; i++)
		free(t->cells[i]);
	free(t->cells);
	t->cells = NULL;
	t->rows = 0;
}

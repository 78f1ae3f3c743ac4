/*
 * option_suggest - "did you mean": the nearest name by edit distance (insert, delete, replace, swap of neighbours each
 * cost one), with '_' read as '-' and capitals as small letters. Quadratic, but only run for names that are unknown.
 */
#include "shared/option.h"
#include "shared/span.h"

#define NAME_MAX_N 48 /* no option is longer; a longer key is no slip of a name */

static char fold(char c)
{
	return c == '_' ? '-' : ascii_lower(c);
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	return MIN(MIN(a, b), c);
}

static unsigned distance(struct span a, struct span b)
{
	unsigned rows[3][NAME_MAX_N + 1];

	for (unsigned j = 0; j <= b.n; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= a.n; i++) {
		unsigned *now = rows[i % 3];
		const unsigned *last = rows[(i + 2) % 3];
		const unsigned *before = rows[(i + 1) % 3]; /* row i - 2 */

		now[0] = i;
		for (unsigned j = 1; j <= b.n; j++) {
			char x = fold(a.p[i - 1]);
			char y = fold(b.p[j - 1]);

			now[j] = min3(last[j] + 1, now[j - 1] + 1, last[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == fold(b.p[j - 2]) && fold(a.p[i - 2]) == y)
				now[j] = MIN(now[j], before[j - 2] + 1);
		}
	}
	return rows[a.n % 3][b.n];
}

/* How wrong a name of this length may be: "pid" is not "uid". */
static unsigned tolerance(size_t n)
{
	if (n < 4)
		return 0;
	if (n < 6)
		return 1;
	return n < 10 ? 2 : 3;
}

struct nearest {
	struct span name;
	const struct option *option;
	unsigned distance;
};

static void consider(struct nearest *best, const struct option *o, struct span name,
		     struct span wanted)
{
	unsigned d;

	/* The lengths alone already differ by more. */
	if (name.n > NAME_MAX_N || name.n + best->distance < wanted.n ||
	    wanted.n + best->distance < name.n)
		return;
	d = distance(wanted, name);
	/* Among equals one that does something wins over one that is refused. */
	if (d < best->distance ||
	    (d == best->distance && best->option && best->option->type == OPTION_REFUSED))
		*best = (struct nearest){name, o, d};
}

const char *option_suggest(const struct option *table, size_t n, const char *name)
{
	struct span wanted = span_str(name);
	struct nearest best = {.distance = tolerance(wanted.n) + 1};

	if (wanted.n == 0 || wanted.n > NAME_MAX_N)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		const char *p = table[i].aliases;

		consider(&best, &table[i], span_str(table[i].name), wanted);
		while (p && *p) {
			struct span alias = span_of(p, strcspn(p, " "));

			/* A near alias suggests the option's own name. */
			if (alias.n > 2 && *p != '!')
				consider(&best, &table[i], alias, wanted);
			p += alias.n + strspn(p + alias.n, " ");
		}
	}
	return best.option ? best.option->name : NULL;
}

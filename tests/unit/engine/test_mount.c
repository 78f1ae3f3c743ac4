/* mount: which app a path is for, cell by cell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/vassal_config.h"
#include "vassal/engine/mount.h"

static char a[] = "/a", ab[] = "/a/b", c[] = "/c", shop[] = "/shop/x", root[] = "", py[] = "app";

static const struct mount_config mounts[] = {{c, py}, {a, py}, {ab, py}, {shop, py}};
static const struct mount_config with_root[] = {{a, py}, {root, py}};

struct row {
	const char *script, *path;
	int wanted; /* index, -1: none */
	size_t move;
};

/* clang-format off */
static const struct row rows[] = {
	{ "",	   "/",		-1, 0 },
	{ "",	   "",		-1, 0 },
	{ "",	   "/a",	 1, 2 },
	{ "",	   "/a/",	 1, 2 },
	{ "",	   "/a/x",	 1, 2 },
	{ "",	   "/ab",	-1, 0 },
	{ "",	   "/A",	-1, 0 },
	{ "",	   "//a",	-1, 0 },
	{ "",	   "/a/b",	 2, 4 },	/* the longest */
	{ "",	   "/a/b/c",	 2, 4 },
	{ "",	   "/a/bc",	 1, 2 },
	{ "",	   "/c/a",	 0, 2 },
	{ "",	   "/shop",	-1, 0 },
	{ "",	   "/shop/x",	 3, 7 },
	/* somebody has cut script off: the mount is in the whole path, */
	{ "/a",	   "/x",	 1, 0 },
	{ "/a",	   "",		 1, 0 },
	{ "/a",	   "/b/x",	 2, 2 },
	{ "/a",	   "/bc",	 1, 0 },
	{ "/a",	   "/a/x",	 1, 0 },
	{ "/shop", "/x/y",	 3, 2 },
	{ "/shop/x/y", "/z",	 3, 0 },
	{ "/shop", "/xy",	-1, 0 },
	/* or behind script */
	{ "/blog", "/a/x",	 1, 2 },
	{ "/blog", "/a/b",	 2, 4 },
	{ "/blog", "/x",	-1, 0 },
	{ "/blog", "",		-1, 0 },
	{ "/ab",   "/x",	-1, 0 },
};

static const struct row rooted[] = {
	{ "",	   "/x",	 1, 0 },
	{ "",	   "",		 1, 0 },
	{ "",	   "/a",	 0, 2 },
	{ "/blog", "/x",	 1, 0 },
	{ "/blog", "/a/x",	 0, 2 },
};
/* clang-format on */

static void check(const struct mount_config *m, size_t n, const struct row *r)
{
	size_t move = 99;
	int got = mount_choose(m, n, span_str(r->script), span_str(r->path), &move);

	if (got != r->wanted || move != r->move)
		fail_msg("\"%s\" + \"%s\": %d, %zu moved", r->script, r->path, got, move);
}

static void the_longest_prefix_on_a_segment_boundary(_unused_ void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check(mounts, ARRAY_SIZE(mounts), &rows[i]);
}

static void the_root_takes_what_is_left(_unused_ void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(rooted); i++)
		check(with_root, ARRAY_SIZE(with_root), &rooted[i]);
}

static void without_mounts_there_is_none(_unused_ void **state)
{
	check(NULL, 0, &(struct row){"", "/a", -1, 0});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_longest_prefix_on_a_segment_boundary),
		cmocka_unit_test(the_root_takes_what_is_left),
		cmocka_unit_test(without_mounts_there_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * plain - see plain.h. Dots are left as they are: no app takes "/x/../admin" for "/admin", and no file is found by it.
 */
#include "vassal/routing/plain.h"

struct span plain_variable(const struct vars *vars, struct span name)
{
	struct span key, value, found = {0};
	size_t at = 0;

	while (vars_next(vars->p, vars->n, &at, &key, &value))
		if (span_eq(key, name))
			found = value;
	return found;
}

/* Each run of slashes as one; there is always a first. */
static void add_path(struct vars *vars, struct span path)
{
	const struct span key = SPAN("PATH_INFO");
	char *to = vars_reserve(vars, key, path.n + 1);
	size_t n = 0;

	if (!to)
		return;
	to[n++] = '/';
	for (size_t i = 0; i < path.n; i++)
		if (path.p[i] != '/' || to[n - 1] != '/')
			to[n++] = path.p[i];
	vars_shrink_last(vars, key.n, path.n + 1, n);
}

/* "http://host/path" -> "/path" */
static struct span origin_form(struct span target)
{
	const char *p = target.n > 0 ? memmem(target.p, target.n, "://", 3) : NULL;

	if (!p || target.p[0] == '/')
		return target;
	target = span_skip(target, (size_t)(p + 3 - target.p));
	while (target.n > 0 && target.p[0] != '/' && target.p[0] != '?')
		target = span_skip(target, 1);
	return target.n > 0 ? target : SPAN("/");
}

void plain_vars(struct vars *vars)
{
	struct span path = plain_variable(vars, SPAN("PATH_INFO"));
	struct span target = plain_variable(vars, SPAN("REQUEST_URI"));
	struct span origin = origin_form(target);

	if (path.n == 0 || memmem(path.p, path.n, "//", 2))
		add_path(vars, path);
	if (origin.n != target.n)
		vars_add(vars, SPAN("REQUEST_URI"), origin);
}

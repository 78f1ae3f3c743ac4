/*
 * engines - see engines.h. Reads one directory and at most one small file.
 */
#include "shared/engines.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/stat.h>

#include "shared/base.h"
#include "shared/err.h"
#include "shared/span.h"

struct engine_list {
	struct engine_version v[ENGINES_MAX];
	size_t n;
};

static bool take_number(struct span *s, unsigned *ret)
{
	unsigned n = 0;
	size_t i = 0;

	while (i < s->n && i < 4 && s->p[i] >= '0' && s->p[i] <= '9')
		n = n * 10 + (unsigned)(s->p[i++] - '0');
	if (i == 0)
		return false;
	*s = span_skip(*s, i);
	*ret = n;
	return true;
}

/* "3.11", "3.11.2", "3.11.2.final.0", "3" (any minor: wildcard). What follows the minor does not
 * choose an engine. */
static bool parse_version(struct span s, struct engine_version *ret, bool *ret_has_minor)
{
	struct engine_version v = {0};
	bool has_minor = false;

	if (!take_number(&s, &v.major))
		return false;
	if (s.n > 0) {
		if (s.p[0] != '.')
			return false;
		s = span_skip(s, 1);
		if (!take_number(&s, &v.minor) || (s.n > 0 && s.p[0] != '.'))
			return false;
		has_minor = true;
	}
	*ret = v;
	*ret_has_minor = has_minor;
	return true;
}

static bool newer(struct engine_version a, struct engine_version b)
{
	return a.major != b.major ? a.major > b.major : a.minor > b.minor;
}

static void list_add(struct engine_list *l, int dirfd, const char *name)
{
	struct span s = span_str(name);
	struct engine_version v;
	struct stat st;
	bool has_minor;
	char exact[64];
	size_t at;

	if (!span_starts(s, SPAN(ENGINE_PREFIX)) || l->n == ENGINES_MAX)
		return;
	if (!parse_version(span_skip(s, sizeof(ENGINE_PREFIX) - 1), &v, &has_minor))
		return;
	/* Not a packager's engine-python3.11.dpkg-old, whose name also begins with a version. */
	(void)snprintf(exact, sizeof(exact), ENGINE_PREFIX "%u.%u", v.major, v.minor);
	if (!str_eq(name, exact))
		return;
	if (fstatat(dirfd, name, &st, 0) < 0 || !S_ISREG(st.st_mode) ||
	    faccessat(dirfd, name, X_OK, 0) < 0)
		return;
	for (at = l->n++; at > 0 && newer(v, l->v[at - 1]); at--)
		l->v[at] = l->v[at - 1];
	l->v[at] = v;
}

/* Newest first. */
static int list_engines(const char *dir, struct engine_list *ret, struct err *err)
{
	struct engine_list l = {0};
	DIR *d = opendir(dir);
	const struct dirent *e;

	if (!d)
		return err_set(err, -errno, "%s: cannot look for engines: %s", dir,
			       strerror(errno));
	while ((e = readdir(d)))
		list_add(&l, dirfd(d), e->d_name);
	(void)closedir(d);
	if (l.n == 0)
		return err_set(err, -ENOENT, "%s: no %sX.Y there", dir, ENGINE_PREFIX);
	*ret = l;
	return 0;
}

static void name_engines(const struct engine_list *l, char *buf, size_t size)
{
	size_t n = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < l->n && n < size; i++)
		n += (size_t)snprintf(buf + n, size - n, "%s%u.%u", i ? ", " : "", l->v[i].major,
				      l->v[i].minor);
}

/* The value of the first of our two keys; venv writes `version`, virtualenv and uv write
 * `version_info`. */
static bool find_version(struct span text, struct span *ret)
{
	while (text.n > 0) {
		const char *end = memchr(text.p, '\n', text.n);
		struct span line = span_of(text.p, end ? (size_t)(end - text.p) : text.n);
		const char *eq = memchr(line.p, '=', line.n);

		text = span_skip(text, end ? line.n + 1 : line.n);
		if (!eq)
			continue;
		struct span key = span_trim(span_of(line.p, (size_t)(eq - line.p)));

		if (!span_eq_nocase(key, SPAN("version")) &&
		    !span_eq_nocase(key, SPAN("version_info")))
			continue;
		*ret = span_trim(span_skip(line, (size_t)(eq - line.p) + 1));
		if (ret->n > 0 && ret->p[ret->n - 1] == '\r')
			ret->n--;
		return true;
	}
	return false;
}

static int read_pyvenv(const char *home, char *buf, size_t size, size_t *ret_n, struct err *err)
{
	char path[PATH_MAX];
	ssize_t n;

	if (snprintf(path, sizeof(path), "%s/pyvenv.cfg", home) >= (int)sizeof(path))
		return err_set(err, -ENAMETOOLONG, "virtualenv %.200s...: path too long", home);

	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 && errno == ENOENT && access(home, F_OK) < 0)
		return err_set(err, -ENOENT, "virtualenv %s does not exist", home);
	if (fd < 0)
		return err_set(err, -EINVAL, "%s is not a virtualenv: pyvenv.cfg: %s", home,
			       strerror(errno));
	n = read(fd, buf, size);
	if (n < 0)
		return err_set(err, -EINVAL, "virtualenv %s: cannot read pyvenv.cfg: %s", home,
			       strerror(errno));
	*ret_n = (size_t)n;
	return 0;
}

int engine_parse_pyvenv(struct span text, struct engine_version *ret, struct span *ret_value)
{
	struct engine_version v;
	bool has_minor;

	if (!find_version(text, ret_value))
		return -ENOENT;
	if (!parse_version(*ret_value, &v, &has_minor) || !has_minor)
		return -EINVAL;
	*ret = v;
	return 0;
}

static int venv_version(const char *home, struct engine_version *ret, struct err *err)
{
	char buf[ENGINE_PYVENV_BYTES];
	struct span value = {0};
	size_t n = 0;
	int r = read_pyvenv(home, buf, sizeof(buf), &n, err);

	if (r < 0)
		return r;
	r = engine_parse_pyvenv(span_of(buf, n), ret, &value);
	if (r == -ENOENT)
		return err_set(err, -EINVAL,
			       "virtualenv %s: pyvenv.cfg does not say for which version of Python",
			       home);
	if (r < 0)
		return err_set(err, -EINVAL,
			       "virtualenv %s: pyvenv.cfg: \"%.*s\" is not a version of Python",
			       home, (int)MIN(value.n, (size_t)40), value.p);
	return 0;
}

static const struct engine_version *pick(const struct engine_list *l, struct engine_version v,
					 bool has_minor)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].major == v.major && (!has_minor || l->v[i].minor == v.minor))
			return &l->v[i];
	return NULL;
}

static int pick_for_option(const struct engine_list *l, const char *python,
			   const struct engine_version **ret, struct err *err)
{
	struct span s = span_str(python);
	struct engine_version v;
	bool has_minor;
	char have[128];

	if (span_starts(s, SPAN("python")))
		s = span_skip(s, sizeof("python") - 1);
	if (!parse_version(s, &v, &has_minor))
		return err_set(err, -EINVAL, "python: \"%s\" is not a version such as 3.11",
			       python);
	*ret = pick(l, v, has_minor);
	if (*ret)
		return 0;
	name_engines(l, have, sizeof(have));
	return err_set(err, -ENOENT, "python = %s: this machine has engines for %s", python, have);
}

static int pick_for_home(const struct engine_list *l, const char *home, const char *python,
			 const struct engine_version **ret, struct err *err)
{
	const struct engine_version *asked = *ret;
	struct engine_version v;
	char have[128];
	int r = venv_version(home, &v, err);

	if (r < 0)
		return r;
	if (asked && (asked->major != v.major || asked->minor != v.minor))
		return err_set(err, -EINVAL, "virtualenv %s is for Python %u.%u, but python = %s",
			       home, v.major, v.minor, python);
	*ret = pick(l, v, true);
	if (*ret)
		return 0;
	name_engines(l, have, sizeof(have));
	return err_set(err, -ENOENT,
		       "virtualenv %s is for Python %u.%u, this machine has engines for %s", home,
		       v.major, v.minor, have);
}

void engine_find_dir(char *buf, size_t size)
{
	char exe[4000];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	exe[n < 0 ? 0 : n] = '\0';
	(void)snprintf(buf, size, "%s/../libexec/emperor", dirname(exe));
}

int engine_find(const char *dir, const char *python, const char *home, struct engine *ret,
		struct err *err)
{
	const struct engine_version *v = NULL;
	struct engine_list l;
	int r = list_engines(dir, &l, err);

	if (r == 0 && python)
		r = pick_for_option(&l, python, &v, err);
	if (r == 0 && home)
		r = pick_for_home(&l, home, python, &v, err);
	if (r < 0)
		return r;
	if (!v)
		v = &l.v[0];
	if (snprintf(ret->path, sizeof(ret->path), "%s/" ENGINE_PREFIX "%u.%u", dir, v->major,
		     v->minor) >= (int)sizeof(ret->path))
		return err_set(err, -ENAMETOOLONG, "%.200s...: path too long", dir);
	ret->version = *v;
	return 0;
}

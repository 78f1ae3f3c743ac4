/*
 * venv - see venv.h.
 *
 * A virtualenv made for another minor version would load, and then fail at the first compiled extension, or find
 * none of its packages; so it is refused here, with both versions named.
 */
#include "vassal/engine/venv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "shared/err.h"

struct span venv_cfg_get(struct span text, const char *key)
{
	while (text.n > 0) {
		const char *nl = memchr(text.p, '\n', text.n);
		size_t line_n = nl ? (size_t)(nl - text.p) : text.n;
		const char *eq = memchr(text.p, '=', line_n);

		if (eq && span_eq_nocase(span_trim(span_of(text.p, (size_t)(eq - text.p))),
					 span_str(key))) {
			struct span value = span_of(eq + 1, line_n - (size_t)(eq + 1 - text.p));

			if (value.n > 0 && value.p[value.n - 1] == '\r')
				value.n--;
			return span_trim(value);
		}
		text = span_skip(text, nl ? line_n + 1 : line_n);
	}
	return span_of("", 0);
}

static int read_cfg(const char *home, char *buf, size_t size, size_t *ret_n)
{
	char path[PATH_MAX];
	_cleanup_(fd_closep) int fd = -1;
	ssize_t n;

	if (snprintf(path, sizeof(path), "%s/pyvenv.cfg", home) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, buf, size);
	if (n < 0)
		return -errno;
	*ret_n = (size_t)n;
	return 0;
}

static int look(const char *dir, const char *rest)
{
	char path[PATH_MAX];
	struct stat st;

	if (snprintf(path, sizeof(path), "%s/%s", dir, rest) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	return stat(path, &st) < 0 ? -errno : 0;
}

static bool is_there(const char *dir, const char *rest)
{
	return look(dir, rest) == 0;
}

/* People also write the interpreter instead of the directory: home = /srv/venv/bin/python3. */
static int find_root(const char *home, char root[PATH_MAX], struct err *err)
{
	size_t n = strlen(home);
	struct stat st;
	char *slash;

	if (n >= PATH_MAX)
		return err_set(err, -ENAMETOOLONG, "home: path of %zu bytes", n);
	memcpy(root, home, n + 1);
	if (stat(home, &st) < 0)
		return err_set(err, -errno, "home = %s: %s", home, strerror(errno));
	if (S_ISREG(st.st_mode)) {
		for (int i = 0; i < 2; i++) {
			slash = strrchr(root, '/');
			if (!slash)
				return err_set(err, -ENOTDIR, "home = %s: not a virtualenv", home);
			*slash = '\0';
		}
	}
	slash = root + strlen(root);
	while (slash > root + 1 && slash[-1] == '/')
		*--slash = '\0';
	return 0;
}

/* "3.11" or "3.11.2": what follows the minor does not matter. */
static bool parse_version(const char *text, unsigned *ret_major, unsigned *ret_minor)
{
	char *dot, *end;
	unsigned long major = strtoul(text, &dot, 10);
	unsigned long minor;

	if (dot == text || *dot != '.')
		return false;
	minor = strtoul(dot + 1, &end, 10);
	if (end == dot + 1 || major > UINT_MAX || minor > UINT_MAX)
		return false;
	*ret_major = (unsigned)major;
	*ret_minor = (unsigned)minor;
	return true;
}

static int check_version(const char *home, struct span cfg, unsigned major, unsigned minor,
			 struct err *err)
{
	struct span version = venv_cfg_get(cfg, "version");
	char text[32];
	unsigned got_major;
	unsigned got_minor;

	if (version.n == 0)
		version = venv_cfg_get(cfg, "version_info");
	if (version.n == 0)
		return 0; /* its lib directory is looked at next */
	(void)snprintf(text, sizeof(text), "%.*s", (int)MIN(version.n, sizeof(text) - 1),
		       version.p);
	if (!parse_version(text, &got_major, &got_minor))
		return err_set(err, -EINVAL, "home = %s: pyvenv.cfg has version \"%s\"", home,
			       text);
	if (got_major == major && got_minor == minor)
		return 0;
	return err_set(
		err, -ENOEXEC,
		"home = %s: this virtualenv was made for Python %u.%u, the app runs on Python "
		"%u.%u; "
		"make it again with python%u.%u -m venv, or choose the other with python = %u.%u",
		home, got_major, got_minor, major, minor, major, minor, got_major, got_minor);
}

static int find_executable(const char *root, struct venv *ret, struct err *err)
{
	static const char *const names[] = {"bin/python", "bin/python3"};

	bool denied = false;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int r = look(root, names[i]);

		denied |= r == -EACCES;
		if (r < 0)
			continue;
		if (snprintf(ret->executable, sizeof(ret->executable), "%s/%s", root, names[i]) >=
		    (int)sizeof(ret->executable))
			return err_set(err, -ENAMETOOLONG, "home = %s: path too long", root);
		return 0;
	}
	if (denied)
		return err_set(err, -EACCES,
			       "home = %s: the app's user may not reach the Python that its "
			       "bin/python points to: %s",
			       root, strerror(EACCES));
	return err_set(
		err, -ENOENT,
		"home = %s: there is no bin/python in it, or the Python it points to is gone",
		root);
}

static int make_absolute(char root[PATH_MAX], struct err *err)
{
	char cwd[PATH_MAX];
	char whole[PATH_MAX];
	int n;

	if (root[0] == '/')
		return 0;
	if (!getcwd(cwd, sizeof(cwd)))
		return err_set(err, -errno, "getcwd: %s", strerror(errno));
	n = snprintf(whole, sizeof(whole), "%s/%s", cwd, root);
	if (n >= (int)sizeof(whole))
		return err_set(err, -ENAMETOOLONG, "home = %s: path too long", root);
	memcpy(root, whole, (size_t)n + 1);
	return 0;
}

int venv_find(const char *home, const char *system_python, unsigned major, unsigned minor,
	      struct venv *ret, struct err *err)
{
	char root[PATH_MAX];
	char cfg[VENV_CFG_MAX];
	char lib[64];
	struct venv v = {0};
	struct span base;
	size_t n = 0;
	int r;

	if (!home) {
		(void)snprintf(v.executable, sizeof(v.executable), "%s", system_python);
		*ret = v;
		return 0;
	}
	r = find_root(home, root, err);
	if (r == 0)
		r = make_absolute(root, err);
	if (r < 0)
		return r;
	(void)snprintf(lib, sizeof(lib), "lib/python%u.%u", major, minor);
	r = read_cfg(root, cfg, sizeof(cfg), &n);
	if (r < 0 && !is_there(root, lib))
		return err_set(err, r, "home = %s: not a virtualenv (pyvenv.cfg: %s)", home,
			       strerror(-r));
	r = check_version(home, span_of(cfg, n), major, minor, err);
	if (r < 0)
		return r;
	if (!is_there(root, lib))
		return err_set(err, -ENOEXEC,
			       "home = %s: it has no %s, so it was made for another Python", home,
			       lib);
	r = find_executable(root, &v, err);
	if (r < 0)
		return r;
	base = venv_cfg_get(span_of(cfg, n), "home");
	if (base.n < sizeof(v.base))
		memcpy(v.base, base.p, base.n);
	*ret = v;
	return 0;
}

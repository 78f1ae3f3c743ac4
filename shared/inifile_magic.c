/*
 * inifile_magic - %p, %d, %n and their kin. uWSGI replaces them in the whole file before it parses anything, and an
 * unknown %X vanishes with its X; so does it here, with a note, because "%Y-%m-%d" is how people lose a log file's name.
 */
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>

#include "shared/clock.h"
#include "shared/err.h"
#include "shared/inifile_parts.h"
#include "shared/span.h"

static int set(struct ini_magic *m, char name, const char *value)
{
	char *copy = strdup(value);

	free(m->v[(unsigned char)name]);
	m->v[(unsigned char)name] = copy;
	return copy ? 0 : -ENOMEM;
}

static int set_number(struct ini_magic *m, char name, uint64_t number)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	return set(m, name, text);
}

/* A link stays a link: an ini linked into the vassals directory is known by its place there. */
static void absolute(const char *path, char out[PATH_MAX])
{
	char cwd[PATH_MAX];
	struct stat st;

	if ((lstat(path, &st) < 0 || !S_ISLNK(st.st_mode)) && realpath(path, out))
		return;
	if (path[0] == '/' || !getcwd(cwd, sizeof(cwd)))
		(void)snprintf(out, PATH_MAX, "%s", path);
	else if (snprintf(out, PATH_MAX, "%s/%s", cwd, path) >= PATH_MAX)
		out[PATH_MAX - 1] = '\0';
}

/* DJB's hash with xor. */
static uint32_t hash(const char *s)
{
	uint32_t h = 5381;

	for (; *s; s++)
		h = ((h << 5) + h) ^ (unsigned char)*s;
	return h;
}

/* /srv/apps/ -> %0 srv, %1 apps */
static int fill_components(struct ini_magic *m, const char *dir)
{
	const char *p = dir;
	int r = 0;

	for (int name = '0'; name <= '9'; name++) {
		size_t n;
		char part[NAME_MAX + 1];

		p += strspn(p, "/");
		n = strcspn(p, "/");
		(void)snprintf(part, sizeof(part), "%.*s", (int)n, p);
		r |= set(m, (char)name, part);
		p += n;
	}
	return r;
}

static int fill_path(struct ini_magic *m, const struct inifile_facts *facts, const char *path)
{
	char full[PATH_MAX];
	char dir[PATH_MAX];
	char number[16];
	const char *base;
	const char *dot;
	const char *up;
	struct stat st;
	int r;

	absolute(path, full);
	base = strrchr(full, '/');
	base = base ? base + 1 : full;
	(void)snprintf(dir, sizeof(dir), "%.*s", (int)(base - full), full);
	dot = strrchr(base, '.');
	r = set(m, 'o', path) | set(m, 'p', full) | set(m, 's', base) | set(m, 'd', dir) |
	    set(m, 'x', facts->section ? facts->section : "") | set(m, 'e', dot ? dot + 1 : "") |
	    fill_components(m, dir);
	/* uWSGI prints the bytes of the number as x86 has them in memory, so people know it this way round. */
	(void)snprintf(number, sizeof(number), "%08X", __builtin_bswap32(hash(full)));
	r |= set(m, 'j', number);
	r |= set_number(m, 'i', stat(path, &st) == 0 ? (uint64_t)st.st_ino : 0);
	if (dot)
		full[dot - full] = '\0';
	r |= set(m, 'n', base);
	if (dir[0] && dir[1])
		dir[strlen(dir) - 1] = '\0';
	up = strrchr(dir, '/');
	return r | set(m, 'c', up ? up + 1 : dir);
}

static int fill_machine(struct ini_magic *m, const struct inifile_facts *facts)
{
	const struct passwd *user = getpwuid(getuid());
	const struct group *group = getgrgid(getgid());
	uint64_t now_us = clock_wall_ns() / NS_PER_US;
	char text[PATH_MAX] = "";
	ssize_t n;
	int r;

	r = set(m, 'v', facts->vassals_dir ? facts->vassals_dir : "") |
	    set(m, 'V', EMPEROR_VERSION) | set(m, '[', "\033") | set(m, '%', "%") |
	    set_number(m, 'k', facts->cpus) | set_number(m, 'u', getuid()) |
	    set_number(m, 'g', getgid()) | set(m, 'U', user ? user->pw_name : "") |
	    set(m, 'G', group ? group->gr_name : "") | set_number(m, 't', now_us / 1000000) |
	    set_number(m, 'T', now_us);
	if (gethostname(text, sizeof(text)) < 0)
		text[0] = '\0';
	r |= set(m, 'h', text);
	n = readlink("/proc/self/exe", text, sizeof(text) - 1);
	text[MAX(n, 0)] = '\0';
	return r | set(m, 'b', text);
}

int ini_magic_fill(struct ini_magic *magic, const struct inifile_facts *facts, const char *path,
		   const struct ini_magic *first, struct err *err)
{
	static const char of_file[] = "pdsnecoxij";
	int r = fill_machine(magic, facts) | fill_path(magic, facts, path);

	for (const char *p = of_file; *p && r == 0; p++) {
		unsigned char capital = (unsigned char)(*p - 'a' + 'A');

		r |= set(magic, (char)capital,
			 first ? first->v[capital] : magic->v[(unsigned char)*p]);
	}
	return r == 0 ? 0 : err_set(err, -ENOMEM, "out of memory");
}

int ini_magic_replace(const struct ini_magic *magic, struct span line, const char *file,
		      unsigned number, char **ret, struct inifile_notes *notes, struct err *err)
{
	struct buf out = {0};
	int r = 0;

	for (size_t i = 0; i < line.n && r == 0; i++) {
		unsigned char c = i + 1 < line.n ? (unsigned char)line.p[i + 1] : 0;
		const char *value = c < 128 ? magic->v[c] : NULL;

		if (line.p[i] != '%' || c == '(') {
			r = buf_append(&out, line.p + i, 1, LIMIT_INI_LINE);
			continue;
		}
		if (value)
			r = buf_append(&out, value, strlen(value), LIMIT_INI_LINE);
		else
			inifile_notes_add(
				notes, file, number,
				"\"%%%c\" is no magic variable and vanishes, as in uWSGI; a "
				"percent sign is written %%%%",
				c ? c : ' ');
		i++;
	}
	if (r == 0)
		r = buf_append(&out, "", 1, LIMIT_INI_LINE + 1);
	if (r < 0) {
		buf_done(&out);
		return err_set(err, r, "%s:%u: longer than %d bytes with its magic variables", file,
			       number, LIMIT_INI_LINE);
	}
	*ret = out.p;
	return 0;
}

void ini_magic_done(struct ini_magic *magic)
{
	for (size_t i = 0; i < ARRAY_SIZE(magic->v); i++)
		free(magic->v[i]);
	*magic = (struct ini_magic){0};
}

int inifile_magic(const struct inifile_facts *facts,
		  int (*fn)(void *arg, char name, const char *value), void *arg, struct err *err)
{
	struct ini_magic magic = {0};
	int r = fill_machine(&magic, facts);

	if (r == 0 && facts->path)
		r = ini_magic_fill(&magic, facts, facts->path, NULL, err);
	for (size_t i = 1; r == 0 && i < ARRAY_SIZE(magic.v); i++)
		if (magic.v[i] && magic.v[i][0])
			r = fn(arg, (char)i, magic.v[i]);
	ini_magic_done(&magic);
	return r;
}

/* "200000 100000" is two CPUs; "max 100000" is no quota. */
static unsigned count_quota(void)
{
	FILE *f = fopen("/sys/fs/cgroup/cpu.max", "re");
	char line[64] = "";
	char *end = NULL;
	unsigned long quota, period;

	if (!f)
		return UINT32_MAX;
	quota = fgets(line, sizeof(line), f) ? strtoul(line, &end, 10) : 0;
	(void)fclose(f);
	if (quota == 0 || *end != ' ')
		return UINT32_MAX;
	period = strtoul(end, NULL, 10);
	if (period == 0)
		return UINT32_MAX;
	return (unsigned)MIN((quota - 1) / period + 1, (unsigned long)UINT32_MAX);
}

unsigned inifile_count_cpus(void)
{
	cpu_set_t set;
	unsigned n = 1;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		n = (unsigned)CPU_COUNT(&set);
	return MAX(MIN(n, count_quota()), 1U);
}

/*
 * check_machine - see check_inner.h. What this machine may not have: a cgroup v2 with a memory controller.
 */
#include <limits.h>
#include <stdio.h>

#include "emperor/ctl/check_inner.h"

#define TEXT_MAX 1024

static bool find_mount(char *ret, size_t size)
{
	FILE *f = fopen("/proc/self/mounts", "re");
	char line[TEXT_MAX], dir[512], type[64];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %511s %63s", dir, type) == 2 && str_eq(type, "cgroup2")) {
			(void)snprintf(ret, size, "%s", dir);
			found = true;
		}
	if (f)
		(void)fclose(f);
	return found;
}

static bool has_memory(const char *dir)
{
	char path[PATH_MAX], text[TEXT_MAX] = "";
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/cgroup.controllers", dir);
	f = fopen(path, "re");
	if (!f)
		return false;
	(void)!fgets(text, sizeof(text), f);
	(void)fclose(f);
	return strstr(text, "memory");
}

static const char *why_not(void)
{
	static char mount[512];

	if (!find_mount(mount, sizeof(mount)))
		return "there is no cgroup v2 on this machine";
	if (!has_memory(mount))
		return "the cgroup v2 of this machine has no memory controller";
	/* an emperor that is root may be allowed what we are not */
	if (geteuid() == 0 && access(mount, W_OK) < 0)
		return "the cgroup v2 of this machine may not be written";
	return NULL;
}

void check_machine(struct check *k)
{
	const char *why;

	if (k->config.limit_memory_bytes == 0)
		return;
	/* One that runs has looked, and may have been given a directory. */
	why = json_is_string(json_object_get(k->where, "no_cgroup"))
		      ? check_text(k->where, "no_cgroup")
		      : why_not();
	if (why && *why)
		check_say(k, &k->notes, "limit-memory",
			  "limit-memory: not in force: %s; limit-as limits each process", why);
}

/*
 * privs - see privs.h.
 */
#include "shared/privs.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>

#include "shared/err.h"

#define NSS_BUFFER 16384 /* sysconf's hint is 1 KB; groups with thousands of members need more */

static bool parse_id(const char *text, uint32_t *ret_id)
{
	uint64_t n = 0;

	for (const char *p = text; *p; p++) {
		if (*p < '0' || *p > '9')
			return false;
		n = n * 10 + (uint64_t)(*p - '0');
		if (n >= UINT32_MAX) /* -1 means "leave" to every system call */
			return false;
	}
	*ret_id = (uint32_t)n;
	return *text != '\0';
}

static int lookup_user(const char *text, struct privs *p, char *ret_name, size_t name_size,
		       bool *ret_known, struct err *err)
{
	char buf[NSS_BUFFER];
	struct passwd pw;
	struct passwd *found = NULL;
	uint32_t id;
	bool number = parse_id(text, &id);
	int r;

	if (number)
		r = getpwuid_r(id, &pw, buf, sizeof(buf), &found);
	else
		r = getpwnam_r(text, &pw, buf, sizeof(buf), &found);
	if (!found && !number)
		return err_set(err, r && r != ENOENT ? -r : -ENOENT, "uid = %s: no such user",
			       text);
	*ret_known = found != NULL;
	if (!found) {
		p->uid = id;
		return 0;
	}
	p->uid = pw.pw_uid;
	p->gid = pw.pw_gid;
	(void)snprintf(ret_name, name_size, "%s", pw.pw_name);
	return 0;
}

static int lookup_group(const char *key, const char *text, gid_t *ret_gid, struct err *err)
{
	char buf[NSS_BUFFER];
	struct group gr;
	struct group *found = NULL;
	uint32_t id;

	if (parse_id(text, &id)) {
		*ret_gid = id;
		return 0;
	}
	(void)getgrnam_r(text, &gr, buf, sizeof(buf), &found);
	if (!found)
		return err_set(err, -ENOENT, "%s = %s: no such group", key, text);
	*ret_gid = gr.gr_gid;
	return 0;
}

static int add_groups(char *const *add, size_t add_n, struct privs *p, struct err *err)
{
	for (size_t i = 0; i < add_n; i++) {
		gid_t gid = (gid_t)-1;
		int r = lookup_group("add-gid", add[i], &gid, err);

		if (r < 0)
			return r;
		if (p->groups_n == PRIVS_GROUPS)
			return err_set(err, -E2BIG, "add-gid = %s: more than %d groups", add[i],
				       PRIVS_GROUPS);
		p->groups[p->groups_n++] = gid;
	}
	return 0;
}

static int check_may_become(const struct privs *p, const char *uid, const char *gid, size_t add_n,
			    struct err *err)
{
	if (geteuid() == 0)
		return 0;
	if (p->uid != (uid_t)-1 && p->uid != geteuid())
		return err_set(err, -EPERM,
			       "uid = %s: the emperor runs as uid %u, only root can change that",
			       uid, (unsigned)geteuid());
	if (gid && p->gid != getegid())
		return err_set(err, -EPERM,
			       "gid = %s: the emperor runs as gid %u, only root can change that",
			       gid, (unsigned)getegid());
	if (add_n > 0)
		return err_set(err, -EPERM, "add-gid: only a root emperor can add groups");
	return 0;
}

int privs_lookup(const char *uid, const char *gid, char *const *add, size_t add_n,
		 struct privs *ret, struct err *err)
{
	struct privs p = {.uid = (uid_t)-1, .gid = (gid_t)-1};
	char name[PRIVS_NAME] = "";
	bool known = false;
	int r;

	if (uid) {
		r = lookup_user(uid, &p, name, sizeof(name), &known, err);
		if (r < 0)
			return r;
	}
	if (gid) {
		r = lookup_group("gid", gid, &p.gid, err);
		if (r < 0)
			return r;
	}
	r = check_may_become(&p, uid, gid, add_n, err);
	if (r < 0)
		return r;
	if (geteuid() != 0) {
		/* Already that user: nothing to become, and nothing that we could. */
		*ret = (struct privs){.uid = (uid_t)-1, .gid = (gid_t)-1};
		return 0;
	}
	if (uid && !known && !gid)
		return err_set(err, -ENOENT,
			       "uid = %s: no such user, so its group must be named (gid = ...)",
			       uid);
	if (known) {
		int n = PRIVS_GROUPS;

		/* Cut at PRIVS_GROUPS: fewer groups are fewer rights, never more. */
		(void)getgrouplist(name, p.gid, p.groups, &n);
		p.groups_n = (size_t)MIN(n, PRIVS_GROUPS);
	}
	r = add_groups(add, add_n, &p, err);
	if (r < 0)
		return r;
	p.set_groups = uid != NULL || gid != NULL || add_n > 0;
	*ret = p;
	return 0;
}

void privs_user_name(uid_t uid, char buf[static PRIVS_NAME])
{
	char nss[NSS_BUFFER];
	struct passwd pw;
	struct passwd *found = NULL;

	(void)getpwuid_r(uid, &pw, nss, sizeof(nss), &found);
	if (found)
		(void)snprintf(buf, PRIVS_NAME, "%s", pw.pw_name);
	else
		(void)snprintf(buf, PRIVS_NAME, "uid %u", (unsigned)uid);
}

static bool is_now(const struct privs *p)
{
	uid_t ru, eu, su;
	gid_t rg, eg, sg;

	if (getresuid(&ru, &eu, &su) < 0 || getresgid(&rg, &eg, &sg) < 0)
		return false;
	if (p->gid != (gid_t)-1 && (rg != p->gid || eg != p->gid || sg != p->gid))
		return false;
	return p->uid == (uid_t)-1 || (ru == p->uid && eu == p->uid && su == p->uid);
}

int privs_become(const struct privs *p)
{
	if (p->set_groups && setgroups(p->groups_n, p->groups) < 0)
		return -errno;
	if (p->gid != (gid_t)-1 && setresgid(p->gid, p->gid, p->gid) < 0)
		return -errno;
	if (p->uid != (uid_t)-1 && setresuid(p->uid, p->uid, p->uid) < 0)
		return -errno;
	if (!is_now(p))
		return -EPERM;
	/* A user who could become root again never left. */
	if (p->uid != (uid_t)-1 && p->uid != 0 && setuid(0) == 0)
		return -EPERM;
	return 0;
}

int privs_fs_enter(uid_t uid, gid_t gid, const gid_t *groups, size_t groups_n,
		   struct privs_fs *ret_was)
{
	ret_was->entered = false;
	if (geteuid() != 0 || uid == (uid_t)-1 || uid == 0)
		return 0;
	ret_was->groups_n = getgroups(PRIVS_GROUPS, ret_was->groups);
	if (ret_was->groups_n < 0)
		return -errno;
	/* The raw call changes this thread alone; glibc's would stop and change every thread. */
	if (syscall(SYS_setgroups, groups_n, groups) < 0)
		return -errno;
	ret_was->entered = true;
	if (gid != (gid_t)-1)
		(void)setfsgid(gid);
	(void)setfsuid(uid);
	/* setfsuid tells no errors: ask who we are now. */
	if ((uid_t)setfsuid((uid_t)-1) != uid ||
	    (gid != (gid_t)-1 && (gid_t)setfsgid((gid_t)-1) != gid)) {
		privs_fs_leave(ret_was);
		return -EPERM;
	}
	return 0;
}

void privs_fs_leave(const struct privs_fs *was)
{
	if (!was->entered)
		return;
	(void)setfsuid(geteuid());
	(void)setfsgid(getegid());
	if ((uid_t)setfsuid((uid_t)-1) != geteuid() || (gid_t)setfsgid((gid_t)-1) != getegid() ||
	    syscall(SYS_setgroups, (size_t)was->groups_n, was->groups) < 0)
		abort();
}

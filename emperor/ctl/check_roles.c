/*
 * check_roles - see check_inner.h. Who the roles run as stands in emperor.ini, which need not be on this machine, or not
 * be ours to read: an emperor that runs says it; else it is who they run as if nothing is said.
 */
#include "emperor/ctl/check_inner.h"
#include "emperor/options.h"
#include "shared/err.h"

static void judge(struct check *k, uid_t uid, const char *option, const char *user,
		  const char *harm)
{
	struct privs p;

	/* "": an emperor that is not root, whose roles are as it is */
	if (!user || !*user || privs_lookup(user, NULL, NULL, 0, &p, NULL) < 0 || p.uid != uid)
		return;
	check_say(k, &k->errors, "uid",
		  "uid = %s: no app may run as \"%s\", the emperor's %s: it could reach %s",
		  k->config.uid, user, option, harm);
}

void check_role_users(struct check *k, uid_t uid)
{
	const char *gate = ROOT_GATE_USER, *stats = ROOT_STATS_USER;

	if (json_object_get(k->where, "gate_user")) {
		gate = check_text(k->where, "gate_user");
		stats = check_text(k->where, "stats_user");
	}
	judge(k, uid, "gate-user", gate, "the connections of every app");
	judge(k, uid, "stats-user", stats, "the statistics of every app");
}

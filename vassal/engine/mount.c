/*
 * mount - see mount.h.
 */
#include "vassal/engine/mount.h"

#include "shared/vassal_config.h"

static bool begins(struct span path, struct span mount)
{
	return path.n >= mount.n && (mount.n == 0 || memcmp(path.p, mount.p, mount.n) == 0);
}

static bool is_inside(struct span path, struct span mount)
{
	return begins(path, mount) && (path.n == mount.n || mount.n == 0 || path.p[mount.n] == '/');
}

/* mount in script and path, as if they were one. */
static bool is_inside_whole(struct span script, struct span path, struct span mount)
{
	if (mount.n <= script.n)
		return is_inside(script, mount) &&
		       (mount.n < script.n || path.n == 0 || path.p[0] == '/');
	return begins(mount, script) && is_inside(path, span_skip(mount, script.n));
}

static int choose(const struct mount_config *mounts, size_t n, struct span script, struct span path)
{
	size_t longest = 0;
	int found = -1;

	for (size_t i = 0; i < n; i++) {
		struct span mount = span_str(mounts[i].path);

		if (!is_inside_whole(script, path, mount) || (found >= 0 && mount.n <= longest))
			continue;
		found = (int)i;
		longest = mount.n;
	}
	return found;
}

int mount_choose(const struct mount_config *mounts, size_t n, struct span script, struct span path,
		 size_t *ret_move)
{
	int found = choose(mounts, n, script, path);
	size_t length = found >= 0 ? strlen(mounts[found].path) : 0;

	*ret_move = length > script.n ? length - script.n : 0;
	/* one that claims more than everything is not asked again */
	if (length > 0 || script.n == 0)
		return found;
	found = choose(mounts, n, span_of("", 0), path);
	*ret_move = found >= 0 ? strlen(mounts[found].path) : 0;
	return found;
}

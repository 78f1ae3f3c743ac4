/*
 * static_roots - what a front has for its files: the directories, lists of types, rules, files kept open. See
 * static_file.h and static_inner.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/err.h"
#include "shared/fd.h"
#include "shared/vassal_config.h"
#include "vassal/front/static_file.h"
#include "vassal/front/static_inner.h"
#include "vassal/front/static_open.h"

#define ROOT_AGE_NS  NS_PER_S /* a directory that was replaced by a deploy is noticed after this */
#define SYSTEM_TYPES "/etc/mime.types"

static bool is_fresh(const struct front *f, const struct static_root *root)
{
	return root->fd >= 0 && f->now_ns - root->opened_ns < ROOT_AGE_NS;
}

void static_root_opened(struct front *f, unsigned i, int fd, bool far)
{
	struct static_root *root = &f->statics->roots[i];

	if (root->fd >= 0)
		(void)close(root->fd);
	root->opened_ns = f->now_ns;
	root->fd = MAX(fd, -1);
	root->far = far;
	if (fd < 0 && !root->said)
		logbook_say(&f->log, f->wall_ns, "%s: files are looked for there: %s", root->target,
			    strerror(-fd));
	root->said = fd < 0;
	/* one that is far is not asked even that here */
	if (fd >= 0 && !far && static_open_device(fd, &root->device) < 0)
		root->far = true; /* nobody knows */
}

int static_root_of(struct front *f, unsigned i, int *ret_fd)
{
	struct static_root *root = &f->statics->roots[i];
	dev_t device;
	int fd;

	*ret_fd = is_fresh(f, root) ? root->fd : -1;
	if (root->far)
		return -EAGAIN;
	if (*ret_fd >= 0)
		return 0;
	fd = static_open_root(root->target, true);
	/* another file system is mounted there than before, or for the first time one that we know */
	if (fd >= 0 &&
	    (root->fd < 0 || static_open_device(fd, &device) < 0 || device != root->device)) {
		(void)close(fd);
		fd = -EAGAIN;
	}
	if (fd == -EAGAIN)
		return fd;
	static_root_opened(f, i, fd, false);
	*ret_fd = root->fd;
	return MIN(fd, 0);
}

/* A file of types, whole or not at all. */
static int read_types(struct static_types *t, const char *path)
{
	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	_cleanup_(freep) char *text = NULL;
	size_t n;
	int r = fd_read_file(fd < 0 ? -errno : fd, LIMIT_MIME_BYTES, &text, &n);

	return r < 0 ? r : static_types_add(t, span_of(text, n));
}

static void load_types(struct front *f, struct static_types *t)
{
	const struct option_list *files = &f->config->mimefiles;

	t->first = files->n > 0;
	if (files->n == 0)
		(void)read_types(t, SYSTEM_TYPES); /* where there is none, the built-in ones do */
	for (size_t i = 0; i < files->n; i++) {
		int r = read_types(t, files->v[i]);

		if (r < 0)
			logbook_say(&f->log, f->wall_ns, "mimefile: %s: %s", files->v[i],
				    strerror(-r));
	}
}

static void add_root(struct statics *s, const struct static_map_config *map)
{
	s->roots[s->roots_n++] = (struct static_root){.mount = map->mount,
						      .target = map->target,
						      .whole_path = map->kind == STATIC_MAP2,
						      .fd = -1};
}

/* Routes that send files: each has a root. */
static size_t routes_n(const struct vassal_config *g)
{
	size_t n = 0;

	for (size_t i = 0; i < g->routing.n; i++)
		n += g->routing.v[i].action == ROUTING_STATIC;
	return n;
}

unsigned static_root_of_route(const struct front *f, size_t rule)
{
	unsigned n = f->statics->sends_n;

	for (size_t i = 0; i < rule; i++)
		n += f->config->routing.v[i].action == ROUTING_STATIC;
	return n;
}

unsigned statics_keep(const struct front *f)
{
	const struct vassal_config *g = f->config;

	if (g->static_maps_n + g->sendfile_roots_n + routes_n(g) == 0)
		return 0;
	return MIN((unsigned)LIMIT_STATIC_FILES, f->fds_limit / (8 * HTTP_CODING_COUNT));
}

int statics_open(struct front *f, struct statics **ret, struct err *err)
{
	const struct vassal_config *g = f->config;
	size_t n = g->static_maps_n + g->sendfile_roots_n + routes_n(g);
	struct statics *s;
	int r;

	*ret = NULL;
	if (n == 0)
		return 0;
	s = calloc(1, sizeof(*s) + n * sizeof(s->roots[0]));
	if (!s)
		return err_set(err, -ENOMEM, "out of memory");
	r = static_rules_compile(&s->rules, g, err);
	if (r < 0) {
		static_rules_done(&s->rules);
		free(s);
		return r;
	}
	for (size_t i = 0; i < g->static_maps_n; i++)
		add_root(s, &g->static_maps[i]);
	s->maps_n = s->roots_n;
	for (size_t i = 0; i < g->sendfile_roots_n; i++)
		add_root(s, &g->sendfile_roots[i]);
	s->sends_n = s->roots_n;
	for (size_t i = 0; i < g->routing.n; i++)
		if (g->routing.v[i].action == ROUTING_STATIC)
			s->roots[s->roots_n++] = (struct static_root){
				.mount = "", .target = g->routing.v[i].root, .fd = -1};
	s->cache.limit = statics_keep(f);
	load_types(f, &s->types);
	*ret = f->statics = s;
	for (unsigned i = 0; i < s->roots_n; i++) {
		int fd = static_open_root(s->roots[i].target, false);

		static_root_opened(f, i, fd, fd >= 0 && fd_is_far(fd));
	}
	return 0;
}

bool statics_hold(const struct front *f)
{
	return f->statics && f->statics->cache.n > 0;
}

void statics_tend(struct front *f)
{
	if (f->statics)
		static_cache_sweep(&f->statics->cache, f->now_ns);
}

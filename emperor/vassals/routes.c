/*
 * routes - who answers for which name. A name belongs to the first app that claimed it, for as long as that app has its
 * ini; a second one is refused with the name of the first. The gate gets the whole table after each turn in which it
 * changed, and the epoch in shared memory moves on, so that fronts know their kept connections may be someone else's.
 */
#include "emperor/vassals/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "shared/err.h"
#include "shared/fd.h"
#include "shared/log.h"

static int make_epoch(struct err *err)
{
	_cleanup_(fd_closep) int fd =
		memfd_create("emperor-routes-epoch", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, sizeof(uint32_t)) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return err_set(err, -errno, "memfd: %s", strerror(errno));
	/* A memfd is born 0777: whoever holds the read-only descriptor could reopen it for writing. */
	if (fchmod(fd, 0444) < 0)
		return err_set(err, -errno, "memfd: %s", strerror(errno));
	return TAKE_FD(fd);
}

/* It must hold what will be read from it, for as long as it is mapped. */
static bool is_epoch(int fd)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & F_SEAL_SHRINK) && fstat(fd, &st) == 0 &&
	       st.st_size == sizeof(uint32_t);
}

int routes_open(struct vassals *v, int epoch_fd, struct err *err)
{
	_cleanup_(fd_closep) int fd = epoch_fd;
	char path[64];
	void *p;

	v->epoch_fd = fd >= 0 && is_epoch(fd) ? TAKE_FD(fd) : make_epoch(err);
	if (v->epoch_fd < 0)
		return v->epoch_fd;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", v->epoch_fd);
	v->epoch_ro_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (v->epoch_ro_fd < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	p = mmap(NULL, sizeof(uint32_t), PROT_READ | PROT_WRITE, MAP_SHARED, v->epoch_fd, 0);
	if (p == MAP_FAILED)
		return err_set(err, -errno, "mmap: %s", strerror(errno));
	v->epoch = p;
	/* One that is gone on with stays as it is until a route changes. */
	if (atomic_load_explicit(v->epoch, memory_order_relaxed) == 0)
		atomic_store_explicit(v->epoch, 1, memory_order_relaxed);
	return 0;
}

void routes_close(struct vassals *v)
{
	if (v->epoch)
		(void)munmap((void *)(uintptr_t)v->epoch, sizeof(uint32_t));
	if (v->epoch_fd >= 0)
		(void)close(TAKE_FD(v->epoch_fd));
	if (v->epoch_ro_fd >= 0)
		(void)close(TAKE_FD(v->epoch_ro_fd));
	v->epoch = NULL;
	free(TAKE_PTR(v->routes_text));
}

bool routes_claims(const struct loaded *l, const struct domain_config *d)
{
	if (!l)
		return false;
	for (size_t i = 0; i < l->config.domains_n; i++)
		if (str_eq(l->config.domains[i].host, d->host) &&
		    str_eq(l->config.domains[i].path, d->path))
			return true;
	return l->config.default_site && d->host[0] == '\0' && d->path[0] == '\0';
}

bool routes_app_claims(const struct app *a, const struct domain_config *d)
{
	return !a->gone && (routes_claims(a->face, d) ||
			    (a->candidate && routes_claims(a->candidate->loaded, d)));
}

int routes_check_by(const struct loaded *l, const char *file, routes_holder_fn *holder, void *arg,
		    struct err *err)
{
	static char nothing[] = "";
	const struct domain_config whole = {.host = nothing, .path = nothing};
	const char *other;
	char place[ERR_TEXT_MAX];

	for (size_t i = 0; i < l->config.domains_n; i++) {
		const struct domain_config *d = &l->config.domains[i];

		other = holder(arg, d);
		if (other)
			return err_set(err, -EEXIST,
				       "%s: domain = %s%s: \"%s\" answers for that name already",
				       load_place(l, file, NULL, d->host, place, sizeof(place)),
				       d->host, d->path, other);
	}
	if (!l->config.default_site)
		return 0;
	other = holder(arg, &whole);
	if (other)
		return err_set(err, -EEXIST,
			       "%s: default = true: \"%s\" is the default site already",
			       load_place(l, file, "default", "", place, sizeof(place)), other);
	return 0;
}

struct claimant {
	const struct vassals *v;
	const struct app *but;
};

static const char *holder_now(void *arg, const struct domain_config *d)
{
	const struct claimant *c = arg;

	for (size_t i = 0; i < c->v->n; i++)
		if (c->v->v[i] != c->but && routes_app_claims(c->v->v[i], d))
			return c->v->v[i]->name;
	return NULL;
}

int routes_check(const struct vassals *v, const struct app *a, const struct loaded *l,
		 struct err *err)
{
	struct claimant c = {v, a};

	return routes_check_by(l, a->file, holder_now, &c, err);
}

/* It is there, or leaves and answers until somebody else does. */
static bool answers(const struct app *a)
{
	return a->face && (!a->gone || a->yields);
}

static bool is_taken(const struct vassals *v, const struct app *a, const struct domain_config *d)
{
	struct claimant c = {v, a};

	return a->yields && holder_now(&c, d);
}

static void add(struct route *r, const struct app *a, const char *host, const char *path)
{
	r->app = a->id;
	(void)snprintf(r->host, sizeof(r->host), "%s", host);
	(void)snprintf(r->path, sizeof(r->path), "%s", path);
}

static size_t count(const struct vassals *v)
{
	size_t n = 0;

	for (size_t i = 0; i < v->n; i++)
		if (answers(v->v[i]))
			n += v->v[i]->face->config.domains_n + 1;
	return MIN(n, (size_t)ROUTES_MAX);
}

static size_t fill(const struct vassals *v, struct route *routes, size_t room)
{
	size_t n = 0;

	static char nothing[] = "";
	const struct domain_config whole = {.host = nothing, .path = nothing};

	for (size_t i = 0; i < v->n; i++) {
		const struct app *a = v->v[i];
		const struct vassal_config *c = a->face ? &a->face->config : NULL;

		if (!answers(a))
			continue;
		for (size_t k = 0; k < c->domains_n && n < room; k++)
			if (!is_taken(v, a, &c->domains[k]))
				add(&routes[n++], a, c->domains[k].host, c->domains[k].path);
		if (c->default_site && n < room && !is_taken(v, a, &whole))
			add(&routes[n++], a, "", "");
	}
	return n;
}

void routes_tell(struct vassals *v)
{
	struct role_msg m = {.kind = GATE_ROUTES};
	_cleanup_(freep) struct routes_head *head = NULL;
	_cleanup_(fd_closep) int fd = -1;
	size_t room = count(v);
	int r;

	if (!v->setup.roles)
		return;
	head = calloc(1, sizeof(*head) + room * sizeof(struct route));
	if (!head) {
		log_error("routes: out of memory");
		return;
	}
	head->magic = ROUTES_MAGIC;
	head->epoch = atomic_load_explicit(v->epoch, memory_order_relaxed);
	head->routes_n = (uint32_t)fill(v, (struct route *)(head + 1), room);
	r = fd_sealed_memfd(&fd, "emperor-routes", head,
			    sizeof(*head) + head->routes_n * sizeof(struct route));
	if (r < 0) {
		log_error("routes: %s", strerror(-r));
		return;
	}
	roles_tell(v->setup.roles, ROLE_ID_GATE, &m, NULL, &fd, 1);
}

/*
 * Who answers for what, and as whom: a connection that a front keeps may then be another user's. Order and numbers of
 * apps are those of the table, so equal texts mean equal tables.
 */
static char *describe(const struct vassals *v)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		return NULL;
	for (size_t i = 0; i < v->n; i++)
		if (answers(v->v[i]))
			(void)fprintf(f, "%u %u %s\n", v->v[i]->id, (unsigned)v->v[i]->face->uid,
				      v->v[i]->face->domains);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

/* A reload that changes no route must not send every kept connection of every app once through the gate. */
static bool is_as_published(struct vassals *v)
{
	_cleanup_(freep) char *text = describe(v);

	if (text && v->routes_text && str_eq(text, v->routes_text))
		return true;
	free(v->routes_text);
	v->routes_text = TAKE_PTR(text);
	return false;
}

void routes_publish(struct vassals *v)
{
	v->routes_changed = false;
	if (is_as_published(v))
		return;
	/* First the epoch: a front that sees it early asks the gate, which then has the table or gets it next. */
	(void)atomic_fetch_add_explicit(v->epoch, 1, memory_order_release);
	routes_tell(v);
}

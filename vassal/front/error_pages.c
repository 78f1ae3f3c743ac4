/*
 * error_pages - see error_pages.h.
 */
#include "vassal/front/error_pages.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "shared/fd.h"
#include "shared/vassal_config.h"
#include "vassal/front/state.h"
#include "vassal/front/static_types.h"

struct error_pages {
	size_t n;
	struct error_page v[];
};

static int read_page(const char *path, struct error_page *ret)
{
	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	const struct static_types built_in = {0};
	char *text;
	size_t n;
	int r = fd_read_file(fd < 0 ? -errno : fd, LIMIT_ERROR_PAGE, &text, &n);

	if (r < 0)
		return r;
	ret->type = static_types_find(&built_in, path);
	if (span_eq(ret->type, SPAN("application/octet-stream")))
		ret->type = SPAN("text/html; charset=utf-8");
	ret->text = text;
	ret->n = n;
	return 0;
}

static int join_headers(struct front *f)
{
	const struct option_list *add = &f->config->add_headers;
	size_t n = 0;
	char *text;

	for (size_t i = 0; i < add->n; i++)
		n += strlen(add->v[i]) + 2;
	if (n == 0)
		return 0;
	text = calloc(1, n);
	if (!text)
		return -ENOMEM;
	f->added = span_of(text, n);
	for (size_t i = 0; i < add->n; i++) {
		text = mempcpy(text, add->v[i], strlen(add->v[i]));
		text = mempcpy(text, "\r\n", 2);
	}
	return 0;
}

int error_pages_load(struct front *f)
{
	const struct vassal_config *g = f->config;

	if (join_headers(f) < 0)
		return -ENOMEM;
	if (g->error_pages_n == 0)
		return 0;
	f->pages = calloc(1, sizeof(*f->pages) + g->error_pages_n * sizeof(f->pages->v[0]));
	if (!f->pages)
		return -ENOMEM;
	for (size_t i = 0; i < g->error_pages_n; i++) {
		const struct error_page_config *page = &g->error_pages[i];
		struct error_page *to = &f->pages->v[f->pages->n];
		int r;

		if (error_pages_find(f->pages, page->status))
			continue;
		r = read_page(page->file, to);
		to->status = page->status;
		if (r == 0)
			f->pages->n++;
		else
			logbook_say(&f->log, f->wall_ns, "error-page-%u: %s: %s", page->status,
				    page->file, strerror(-r));
	}
	return 0;
}

const struct error_page *error_pages_find(const struct error_pages *p, unsigned status)
{
	for (size_t i = 0; p && i < p->n; i++)
		if (p->v[i].status == status)
			return &p->v[i];
	return NULL;
}

void error_pages_free(struct error_pages *p)
{
	for (size_t i = 0; p && i < p->n; i++)
		free(p->v[i].text);
	free(p);
}

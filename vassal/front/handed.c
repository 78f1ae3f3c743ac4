/*
 * handed - see handed.h. The emperor's side; alone.c is the other.
 */
#include "vassal/front/handed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

#include "shared/config_items.h"
#include "shared/err.h"
#include "shared/fd.h"
#include "shared/handoff.h"
#include "shared/inifile.h"
#include "shared/scoreboard.h"
#include "shared/vassal_config.h"

/* The emperor is the same build, or this is the wrong vassal: nothing is guessed. */
static int check(const struct handoff *h, size_t n, struct err *err)
{
	if (n < sizeof(*h) || h->magic != HANDOFF_MAGIC || h->size != sizeof(*h))
		return err_set(err, -EBADMSG, "handoff: made by another build of the emperor");
	if (h->config_n != n - sizeof(*h) || h->n_listeners > LIMIT_LISTENERS ||
	    h->bank >= LIMIT_BANKS || !memchr(h->name, '\0', sizeof(h->name)))
		return err_set(err, -EBADMSG, "handoff: malformed");
	return 0;
}

/* They came over exec; from here on no child may see them unless it is meant to. */
static void keep_from_children(const struct handoff *h)
{
	const int fds[] = {h->link_fd, h->scoreboard_fd, h->gate_fd, h->routes_epoch_fd, h->log_fd};

	(void)fd_set_cloexec(HANDOFF_FD, true);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0)
			(void)fd_set_cloexec(fds[i], true);
	for (uint32_t i = 0; i < h->n_listeners; i++)
		if (h->listener_fds[i] >= 0)
			(void)fd_set_cloexec(h->listener_fds[i], true);
}

static void copy_setup(const struct handoff *h, struct front_setup *setup, char *name)
{
	(void)snprintf(name, LIMIT_NAME, "%s", h->name);
	setup->name = name;
	setup->generation = h->generation;
	setup->bank = h->bank;
	setup->board_fd = h->scoreboard_fd;
	setup->config_fd = HANDOFF_FD;
	setup->link_fd = h->link_fd;
	setup->gate_fd = h->gate_fd;
	setup->routes_epoch_fd = h->routes_epoch_fd;
	setup->log_fd = h->log_fd;
	setup->listeners_n = h->n_listeners;
	memcpy(setup->listener_fds, h->listener_fds, sizeof(setup->listener_fds));
}

static void go_nonblocking(const struct front_setup *setup)
{
	const int fds[] = {setup->link_fd, setup->gate_fd};

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0)
			(void)fd_set_nonblock(fds[i], true);
}

int handed_read(struct config_items *items, struct vassal_config *config, struct front_setup *setup,
		char *name, struct err *err)
{
	struct inifile_notes notes = {0}; /* the emperor has shown them */
	const void *data;
	struct handoff h;
	size_t n;
	int r = fd_map_sealed(HANDOFF_FD, sizeof(h) + LIMIT_CONFIG_BLOB, &data, &n, err);

	if (r < 0)
		return err_prefix(err, "handoff");
	memcpy(&h, data, MIN(n, sizeof(h)));
	r = check(&h, n, err);
	if (r == 0) {
		keep_from_children(&h);
		r = config_items_decode((const char *)data + sizeof(h), h.config_n, items, err);
	}
	(void)munmap((void *)(uintptr_t)data, n);
	if (r == 0)
		r = vassal_config_build(items, config, &notes, err);
	inifile_notes_done(&notes);
	if (r < 0)
		return r;
	copy_setup(&h, setup, name);
	go_nonblocking(setup);
	setup->config = config;
	return board_map(setup->board_fd, &setup->board, err);
}

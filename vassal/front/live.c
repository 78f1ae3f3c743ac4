/*
 * live - see live.h.
 *
 * The configuration in use keeps its place: every module that looks at it sees the new numbers from the next event on.
 * What was derived from it when the front started is derived again here.
 */
#include "vassal/front/live.h"

#include <sys/mman.h>

#include "shared/err.h"
#include "shared/fd.h"
#include "shared/vassal_config.h"
#include "vassal/front/conn.h"
#include "vassal/front/doze.h"
#include "vassal/front/loop.h"
#include "vassal/front/state.h"
#include "vassal/pool/pool.h"

void live_apply(struct front *f)
{
	const struct vassal_config *g = f->config;

	atomic_store_explicit(&f->bank->queue_size, g->queue_size, memory_order_relaxed);
	f->out_limits.memory = (size_t)MAX(g->response_buffer, 4096);
	/* limit-post bounds a body; what is kept in memory must also fit a slot */
	f->body_limits.memory =
		MIN((size_t)MAX(g->post_buffering, 4096U), (size_t)EXCHANGE_BODY_MAX);
	conns_set_timeouts(f);
}

static int decode(int fd, struct config_items *items, struct err *err)
{
	const void *data;
	size_t n;
	int r = fd_map_sealed(fd, LIMIT_CONFIG_BLOB, &data, &n, err);

	if (r < 0)
		return r;
	r = config_items_decode(data, n, items, err);
	(void)munmap((void *)(uintptr_t)data, n);
	return r;
}

int live_configure(struct front *f, int fd, struct err *err)
{
	struct config_items items = {0};
	struct inifile_notes notes = {0}; /* the emperor has shown them */
	struct vassal_config whole = {0};
	int r = decode(fd, &items, err);

	/* all of it is good and there is room for so many processes, or nothing is taken */
	if (r == 0)
		r = vassal_config_build(&items, &whole, &notes, err);
	/* who was told another number by command or signal keeps it, unless the file has got another one too */
	if (r == 0 && f->pool && whole.processes == f->config->processes)
		whole.processes = pool_processes(f->pool);
	if (r == 0 && f->pool)
		r = pool_configure(f->pool, &whole, err);
	if (r == 0)
		r = vassal_config_take_live(f->config, &items, err);
	if (r == 0) {
		live_apply(f);
		doze_configured(f);
		loop_kick(f);
	}
	vassal_config_done(&whole);
	inifile_notes_done(&notes);
	config_items_done(&items);
	return r;
}

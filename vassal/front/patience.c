/*
 * patience - see patience.h.
 */
#include "vassal/front/patience.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "shared/clock.h"
#include "shared/vassal_config.h"
#include "vassal/front/conn.h"
#include "vassal/front/queue.h"
#include "vassal/front/state.h"
#include "vassal/front/static_file.h"

static void arm(struct conn *c)
{
	timer_set(&c->front->timers[TIMER_WRITE], &c->timer, c->front->now_ns);
}

/* Bytes that the kernel holds for the client. UNIX sockets count their overhead too: not to be reckoned with. */
static uint64_t unread(const struct conn *c)
{
	int n = 0;

	if (c->unix_peer || ioctl(c->fd, SIOCOUTQ, &n) < 0 || n < 0)
		return 0;
	return (uint64_t)n;
}

/* False: it has not taken a byte since the last look. */
static bool look(struct conn *c)
{
	uint64_t held = unread(c);
	uint64_t taken = c->given - MIN(c->given, held);
	bool moved = taken > c->pace.bytes;

	c->pace.bytes = MAX(taken, c->pace.bytes);
	return moved;
}

static bool is_slow(const struct conn *c)
{
	const struct vassal_config *g = c->front->config;

	return pace_is_slow(&c->pace, g->socket_timeout_s * NS_PER_S, g->min_rate,
			    c->front->now_ns);
}

static void give_up(struct conn *c, const char *why)
{
	struct front *f = c->front;

	board_add(&f->count->write_timeouts, 1);
	if (!f->config->disable_logging)
		logbook_say(&f->log, f->wall_ns, "client %s: %s [%s]: %s", conn_client(c), c->line,
			    c->id, why);
	queue_forget(c);
	/* by a reset: what the kernel holds for it goes too, and may be megabytes */
	conn_kill(c, true);
}

void patience_begin(struct conn *c)
{
	if (!c->is_awaited) {
		c->is_awaited = true;
		c->pace = (struct pace){.begun_ns = c->front->now_ns};
		c->given = unread(c);
	}
	arm(c);
}

bool patience_gave(struct conn *c, uint64_t bytes)
{
	patience_begin(c);
	c->given += bytes;
	(void)look(c);
	if (!is_slow(c))
		return true;
	give_up(c, "reads its answer too slowly (min-rate)");
	return false;
}

void patience_end(struct conn *c)
{
	c->is_awaited = false;
	timer_clear(&c->timer);
}

void patience_expired(struct conn *c)
{
	bool ours = (c->out.job && c->out.written == c->out.consumed) || static_waits(c);

	if (ours)
		pace_excuse(&c->pace, c->front->config->socket_timeout_s * NS_PER_S);
	else if (!look(c)) {
		give_up(c, "does not read its answer (socket-timeout)");
		return;
	}
	if (is_slow(c))
		give_up(c, "reads its answer too slowly (min-rate)");
	else
		arm(c);
}

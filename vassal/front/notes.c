/*
 * notes - see notes.h.
 */
#include "vassal/front/notes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>

#include "shared/clock.h"
#include "shared/fd.h"
#include "shared/htpasswd_review.h"
#include "shared/limits.h"
#include "shared/scoreboard.h"
#include "shared/vassal_config.h"
#include "vassal/front/link.h"
#include "vassal/front/state.h"

#define RARELY_NS (60 * NS_PER_S)

void notes_say(struct front *f, const char *text)
{
	logbook_say(&f->log, clock_wall_ns(), "%s", text);
	/* it keeps no more of them; the log has all */
	if (f->notes_n++ < LIMIT_FRONT_NOTES)
		link_say(f, MSG_STATE, atomic_load_explicit(&f->bank->state, memory_order_relaxed),
			 0, text);
}

void notes_rarely(struct front *f, enum rare_note note, const char *fmt, ...)
{
	uint64_t *at_ns = &f->rare_notes.v[note].at_ns;
	unsigned *unsaid = &f->rare_notes.v[note].unsaid;
	char text[LIMIT_MSG_TEXT];
	va_list ap;
	int n;

	if (*at_ns > 0 && f->now_ns - *at_ns < RARELY_NS) {
		(*unsaid)++;
		return;
	}
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (*unsaid > 0 && n > 0 && (size_t)n < sizeof(text))
		(void)snprintf(text + n, sizeof(text) - (size_t)n,
			       "; %u more since this was said last", *unsaid);
	*at_ns = f->now_ns;
	*unsaid = 0;
	logbook_say(&f->log, f->wall_ns, "%s", text);
	board_event(f->board, f->wall_ns, f->generation, EVENT_NOTE, 0, "%s", text);
}

struct place {
	struct front *front;
	const char *where;
};

static void on_remark(void *arg, const char *text)
{
	const struct place *p = arg;
	char line[LIMIT_MSG_TEXT];

	(void)snprintf(line, sizeof(line), "%s: %s", p->where, text);
	notes_say(p->front, line);
}

/* Of rules that share a file the first one stands for all. */
static bool is_told(const struct routing *routing, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (routing->v[k].file && str_eq(routing->v[k].file, routing->v[i].file))
			return true;
	return false;
}

void notes_passwords(struct front *f)
{
	const struct routing *routing = &f->config->routing;

	for (size_t i = 0; i < routing->n; i++) {
		const struct routing_rule *rule = &routing->v[i];
		struct place place = {.front = f, .where = rule->where};
		_cleanup_(fd_closep) int fd = -1;
		int error;

		if (!rule->file || is_told(routing, i))
			continue;
		fd = open(rule->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		error = errno;
		htpasswd_review(rule->file, fd < 0 ? -error : fd, on_remark, &place);
	}
}

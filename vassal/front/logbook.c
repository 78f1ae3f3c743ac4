/*
 * logbook - see logbook.h.
 */
#include "vassal/front/logbook.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include "shared/clock.h"
#include "shared/limits.h"
#include "shared/log.h"
#include "shared/scoreboard.h"
#include "shared/thread.h"
#include "shared/utf8.h"
#include "vassal/front/access.h"

#define STACK_BYTES (64UL * 1024) /* write() only */

static uint64_t lines_in(const char *p, size_t n)
{
	uint64_t lines = 0;

	for (const char *end = p + n; p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++)
		lines++;
	return lines;
}

static void *writer(void *arg)
{
	struct logbook *b = arg;

	(void)pthread_mutex_lock(&b->lock);
	for (;;) {
		size_t n;
		ssize_t w;

		while (b->n == 0 && b->next_fd < 0) {
			(void)pthread_cond_broadcast(&b->emptied);
			(void)pthread_cond_wait(&b->filled, &b->lock);
		}
		if (b->next_fd >= 0) {
			(void)close(b->fd);
			b->fd = TAKE_FD(b->next_fd);
			continue;
		}
		n = MIN(b->n, (size_t)LIMIT_LOGBOOK_BYTES - b->start);
		b->writing = true;
		(void)pthread_mutex_unlock(&b->lock);
		w = write(b->fd, b->ring + b->start, n);
		(void)pthread_mutex_lock(&b->lock);
		b->writing = false;
		if (w < 0 && errno == EINTR)
			continue;
		/* a full disk: these bytes are lost, the next may not be */
		if (w < 0)
			b->lost += lines_in(b->ring + b->start, n);
		n = w < 0 ? n : (size_t)w;
		b->start = (b->start + n) % LIMIT_LOGBOOK_BYTES;
		b->n -= n;
	}
	return NULL;
}

static void ring_put(struct logbook *b, const char *p, size_t n)
{
	size_t at = (b->start + b->n) % LIMIT_LOGBOOK_BYTES;
	size_t first = MIN(n, (size_t)LIMIT_LOGBOOK_BYTES - at);

	memcpy(b->ring + at, p, first);
	memcpy(b->ring, p + first, n - first);
	b->n += n;
}

void logbook_turn(struct logbook *b)
{
	size_t n = b->turn_n;
	uint64_t lost;

	if (n == 0)
		return;
	b->turn_n = 0;
	if (b->fd < 0) {
		log_raw(b->turn, n);
		return;
	}
	(void)pthread_mutex_lock(&b->lock);
	if (!b->ring)
		b->ring = malloc(LIMIT_LOGBOOK_BYTES);
	if (!b->has_writer && b->ring)
		b->has_writer = thread_start(NULL, STACK_BYTES, writer, b) == 0;
	if (b->has_writer && n <= LIMIT_LOGBOOK_BYTES - b->n)
		ring_put(b, b->turn, n);
	else
		b->lost += lines_in(b->turn, n);
	lost = b->lost;
	b->lost = 0;
	if (!b->writing)
		(void)pthread_cond_signal(&b->filled);
	(void)pthread_mutex_unlock(&b->lock);
	/* the counter is the loop's, the writer may not touch it */
	if (lost)
		board_add(&b->bank->counters.log_dropped, lost);
}

static void turn_put(struct logbook *b, const char *p, size_t n)
{
	n = MIN(n, sizeof(b->turn)); /* a line of the app longer than that is cut */
	if (n > sizeof(b->turn) - b->turn_n)
		logbook_turn(b);
	memcpy(b->turn + b->turn_n, p, n);
	b->turn_n += n;
}

/* On the emperor's stderr many apps speak: each line begins with who it is. */
static void put_named(struct logbook *b, const char *line, size_t n)
{
	size_t name_n = strlen(b->name);

	if (b->fd < 0 && name_n > 0) {
		n = MIN(n, sizeof(b->turn) - name_n - 2);
		if (name_n + 2 + n > sizeof(b->turn) - b->turn_n)
			logbook_turn(b);
		turn_put(b, b->name, name_n);
		turn_put(b, ": ", 2);
	}
	turn_put(b, line, n);
}

void logbook_line(struct logbook *b, const char *line, size_t n, bool to_board)
{
	put_named(b, line, n);
	if (to_board)
		board_log_write(b->bank, line, n);
}

void logbook_output(struct logbook *b, const char *p, size_t n)
{
	while (n > 0) {
		const char *end = memchr(p, '\n', n);
		size_t line_n = end ? (size_t)(end - p) + 1 : n;

		logbook_line(b, p, line_n, true);
		if (!end) {
			turn_put(b, "\n", 1);
			board_log_write(b->bank, "\n", 1);
		}
		p += line_n;
		n -= line_n;
	}
}

void logbook_say(struct logbook *b, uint64_t wall_ns, const char *fmt, ...)
{
	char line[2048];
	size_t n = access_stamp(line, wall_ns);
	va_list ap;
	int r;

	line[n++] = ' ';
	va_start(ap, fmt);
	r = vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
	va_end(ap);
	if (r < 0)
		return;
	n += MIN((size_t)r, sizeof(line) - n - 2);
	/* what a peer or the app sent is quoted here: it begins no line of its own, and commands no terminal */
	line[n] = '\0';
	utf8_clean(line, "\t");
	line[n++] = '\n';
	logbook_line(b, line, n, true);
}

void logbook_say_lines(struct logbook *b, uint64_t wall_ns, const char *text)
{
	do {
		size_t n = strcspn(text, "\n");

		logbook_say(b, wall_ns, "%.*s", (int)MIN(n, (size_t)INT_MAX), text);
		text += n + (text[n] == '\n');
	} while (*text);
}

int logbook_reopen(struct logbook *b, int fd)
{
	if (fd < 0 && b->path) {
		fd = open(b->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
		if (fd < 0)
			return -errno;
	}
	if (fd < 0)
		return 0;
	logbook_turn(b);
	(void)pthread_mutex_lock(&b->lock);
	if (b->next_fd >= 0)
		(void)close(b->next_fd);
	if (b->fd < 0 || !b->has_writer) {
		if (b->fd >= 0)
			(void)close(b->fd);
		b->fd = fd;
		b->next_fd = -1;
	} else {
		b->next_fd = fd; /* the writer may be in a write() to the old one */
		(void)pthread_cond_signal(&b->filled);
	}
	(void)pthread_mutex_unlock(&b->lock);
	return 0;
}

void logbook_flush(struct logbook *b, unsigned timeout_ms)
{
	uint64_t at = clock_wall_ns() + timeout_ms * NS_PER_MS;
	struct timespec until = {(time_t)(at / NS_PER_S), (long)(at % NS_PER_S)};
	int r = 0;

	logbook_turn(b);
	(void)pthread_mutex_lock(&b->lock);
	while (b->n > 0 && r == 0)
		r = pthread_cond_timedwait(&b->emptied, &b->lock, &until);
	(void)pthread_mutex_unlock(&b->lock);
}

void logbook_begin(struct logbook *b, uint64_t wall_ns)
{
	char stamp[ACCESS_STAMP];

	_Static_assert(ACCESS_STAMP == BOARD_STAMP, "marks have the lines' stamps");
	(void)access_stamp(stamp, wall_ns);
	board_log_begin(b->bank, stamp);
}

int logbook_init(struct logbook *b, const char *name, struct board_bank *bank, int fd,
		 const char *path)
{
	b->bank = bank;
	b->fd = fd;
	b->next_fd = -1;
	(void)snprintf(b->name, sizeof(b->name), "%s", name);
	(void)pthread_mutex_init(&b->lock, NULL);
	(void)pthread_cond_init(&b->filled, NULL);
	(void)pthread_cond_init(&b->emptied, NULL);
	b->path = path ? strdup(path) : NULL;
	return path && !b->path ? -ENOMEM : 0;
}

/*
 * log - see log.h.
 *
 * A line goes straight to stderr while that takes it: poll() says whether a write of PIPE_BUF bytes would block, and
 * a pipe that says yes takes them whole. From the first line that would block on, lines go through the ring until the
 * writer thread has emptied it, so their order never changes. The ring is never longer than LOG_BUFFER_BYTES; what
 * finds no room is counted, and the count is said in front of the next line that does.
 *
 * The state is the one global that the style allows. A child of fork() gets it whole: the lock is taken around each
 * fork, so that no thread which the child does not have is in the middle of it. What the ring held then is the parent's
 * to write, and the child starts a writer of its own when it needs one.
 */
#include "shared/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "shared/clock.h"
#include "shared/thread.h"
#include "shared/utf8.h"

#define RING_BYTES         ((size_t)LOG_BUFFER_BYTES)
#define SUBJECT_MAX        64
#define WRITER_STACK_BYTES ((size_t)64 * 1024) /* write() and poll() only */

static struct {
	_Atomic int level;
	_Atomic uint64_t dropped;
	pthread_mutex_t lock;
	pthread_cond_t filled, emptied;
	/* below: under lock. The writer alone moves start, and writes ring[] without the lock. */
	char subject[SUBJECT_MAX];
	size_t start, n;
	uint64_t unsaid; /* dropped since the count was last said */
	bool has_writer;
	time_t stamp_s; /* once a second is enough */
	char stamp[sizeof("2026-11-21T05:21:36")];
	char ring[RING_BYTES];
} logger = {.level = LOG_LEVEL_INFO,
	    .lock = PTHREAD_MUTEX_INITIALIZER,
	    .filled = PTHREAD_COND_INITIALIZER,
	    .emptied = PTHREAD_COND_INITIALIZER};

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

static void count_drop(void)
{
	atomic_fetch_add_explicit(&logger.dropped, 1, memory_order_relaxed);
	logger.unsaid++;
}

/* Bytes that stderr took without blocking; n if it is broken, for then nobody will ever read them. */
static size_t write_now(const char *p, size_t n)
{
	size_t done = 0;

	while (done < n) {
		struct pollfd pfd = {.fd = STDERR_FILENO, .events = POLLOUT};
		ssize_t w;

		if (poll(&pfd, 1, 0) <= 0)
			break;
		w = write(STDERR_FILENO, p + done, MIN(n - done, (size_t)PIPE_BUF));
		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0 && errno == EAGAIN)
			break;
		if (w < 0) {
			count_drop();
			return n;
		}
		done += (size_t)w;
	}
	return done;
}

/* May block: that is what the thread is for. Returns the bytes that are done with. */
static size_t write_slowly(const char *p, size_t n)
{
	for (;;) {
		ssize_t w = write(STDERR_FILENO, p, n);

		if (w >= 0)
			return (size_t)w;
		if (errno == EAGAIN) {
			struct pollfd pfd = {.fd = STDERR_FILENO, .events = POLLOUT};

			(void)poll(&pfd, 1, -1);
		} else if (errno != EINTR) {
			return n;
		}
	}
}

static void *writer(void *arg)
{
	(void)arg;
	(void)pthread_mutex_lock(&logger.lock);
	for (;;) {
		size_t n;

		while (logger.n == 0)
			(void)pthread_cond_wait(&logger.filled, &logger.lock);
		n = MIN(logger.n, RING_BYTES - logger.start);
		(void)pthread_mutex_unlock(&logger.lock);
		n = write_slowly(logger.ring + logger.start, n);
		(void)pthread_mutex_lock(&logger.lock);
		logger.start = (logger.start + n) % RING_BYTES;
		logger.n -= n;
		if (logger.n == 0)
			(void)pthread_cond_broadcast(&logger.emptied);
	}
	return NULL;
}

/* All of it or nothing, so that a line is never cut. */
static bool ring_put(const char *p, size_t n)
{
	size_t at = (logger.start + logger.n) % RING_BYTES;
	size_t first = MIN(n, RING_BYTES - at);

	if (n > RING_BYTES - logger.n)
		return false;
	memcpy(logger.ring + at, p, first);
	memcpy(logger.ring, p + first, n - first);
	logger.n += n;
	return true;
}

static void emit(const char *p, size_t n)
{
	size_t done = logger.n == 0 ? write_now(p, n) : 0;

	if (done == n)
		return;
	if (!logger.has_writer)
		logger.has_writer = thread_start(NULL, WRITER_STACK_BYTES, writer, NULL) == 0;
	if (!logger.has_writer || !ring_put(p + done, n - done))
		count_drop();
	else
		(void)pthread_cond_signal(&logger.filled);
}

static const char *stamp_of(uint64_t wall_ns)
{
	time_t s = (time_t)(wall_ns / NS_PER_S);
	struct tm tm;

	if (s != logger.stamp_s && gmtime_r(&s, &tm)) {
		(void)strftime(logger.stamp, sizeof(logger.stamp), "%Y-%m-%dT%H:%M:%S", &tm);
		logger.stamp_s = s;
	}
	return logger.stamp;
}

static size_t put_prefix(char *line, size_t size, enum log_level level)
{
	uint64_t now = clock_wall_ns();
	int n = snprintf(line, size, "%s.%03uZ %s %s%s", stamp_of(now),
			 (unsigned)(now / NS_PER_MS % 1000), level_names[level], logger.subject,
			 logger.subject[0] ? ": " : "");

	return n < 0 ? 0 : MIN((size_t)n, size - 1);
}

/*
 * Text may quote a peer: nothing in it may look like a line of ours or command a terminal. Later lines of a text (a
 * traceback) are indented by a tab, other control characters, and what is no UTF-8, become '?'.
 */
static size_t put_text(char *line, size_t size, const char *text)
{
	size_t text_n = strlen(text);
	size_t n = 0;

	while (text_n > 0 && text[text_n - 1] == '\n')
		text_n--;
	for (size_t i = 0; i < text_n && n + 4 < size;) {
		size_t k = utf8_plain(text + i, text_n - i);

		if (text[i] == '\n') {
			line[n++] = '\n';
			line[n++] = '\t';
		} else if (k == 0) {
			line[n++] = text[i] == '\t' ? '\t' : '?';
		} else {
			memcpy(line + n, text + i, k);
			n += k;
		}
		i += MAX(k, (size_t)1);
	}
	return n;
}

static size_t make_line(char *line, size_t size, enum log_level level, const char *text)
{
	size_t n = put_prefix(line, size, level);

	n += put_text(line + n, size - n - 1, text);
	line[n++] = '\n';
	return n;
}

static void say_drops(void)
{
	char text[96], line[256];
	size_t n;

	if (logger.unsaid == 0)
		return;
	(void)snprintf(text, sizeof(text), "%llu log lines dropped: stderr did not take them",
		       (unsigned long long)logger.unsaid);
	n = make_line(line, sizeof(line), LOG_LEVEL_WARNING, text);
	/* Only where the next line finds room too: else the saying itself would fill the buffer. */
	if (logger.n > RING_BYTES - n - LOG_LINE_MAX)
		return;
	logger.unsaid = 0;
	emit(line, n);
}

static void before_fork(void)
{
	(void)pthread_mutex_lock(&logger.lock);
}

static void in_parent(void)
{
	(void)pthread_mutex_unlock(&logger.lock);
}

/* Made anew, not unlocked: the writer that may wait on the condition does not exist here. */
static void in_child(void)
{
	(void)pthread_mutex_init(&logger.lock, NULL);
	(void)pthread_cond_init(&logger.filled, NULL);
	(void)pthread_cond_init(&logger.emptied, NULL);
	logger.has_writer = false;
	logger.start = logger.n = 0;
	logger.unsaid = 0;
}

/* Before main(): the app of an engine may fork from any thread, at any time. */
__attribute__((constructor)) static void prepare_for_forks(void)
{
	(void)pthread_atfork(before_fork, in_parent, in_child);
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&logger.level, (int)level, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
	return (enum log_level)atomic_load_explicit(&logger.level, memory_order_relaxed);
}

void log_set_subject(const char *subject)
{
	(void)pthread_mutex_lock(&logger.lock);
	(void)snprintf(logger.subject, sizeof(logger.subject), "%s", subject);
	(void)pthread_mutex_unlock(&logger.lock);
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char text[LOG_LINE_MAX], line[LOG_LINE_MAX];
	int saved = errno; /* callers log between a failure and its use of errno */
	va_list ap;

	if (level > log_get_level())
		return;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	(void)pthread_mutex_lock(&logger.lock);
	say_drops();
	emit(line, make_line(line, sizeof(line), level, text));
	(void)pthread_mutex_unlock(&logger.lock);
	errno = saved;
}

void log_raw(const char *line, size_t n)
{
	int saved = errno;

	if (n == 0)
		return;
	(void)pthread_mutex_lock(&logger.lock);
	say_drops();
	emit(line, n);
	(void)pthread_mutex_unlock(&logger.lock);
	errno = saved;
}

uint64_t log_dropped(void)
{
	return atomic_load_explicit(&logger.dropped, memory_order_relaxed);
}

void log_flush(unsigned timeout_ms)
{
	struct timespec until;
	uint64_t at = clock_wall_ns() + timeout_ms * NS_PER_MS;
	int r = 0;

	until = (struct timespec){(time_t)(at / NS_PER_S), (long)(at % NS_PER_S)};
	(void)pthread_mutex_lock(&logger.lock);
	while (logger.n > 0 && r == 0)
		r = pthread_cond_timedwait(&logger.emptied, &logger.lock, &until);
	(void)pthread_mutex_unlock(&logger.lock);
}

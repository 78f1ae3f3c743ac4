/*
 * scoreboard_log - the last words of a bank: a ring of bytes with one writer, and readers that may come at any time.
 */
#include "shared/scoreboard_inner.h"

/*
 * The log's writer moves head after the bytes, so up to one piece beyond head may be half written: readers
 * keep that far away from the oldest bytes.
 */
#define LOG_RING  ((size_t)BOARD_LOG_BYTES)
#define LOG_PIECE ((size_t)4096)
#define LOG_SAFE  (LOG_RING - LOG_PIECE)
#define LOG_MARK  '\x1e' /* ASCII's record separator */

void board_log_write(struct board_bank *bank, const char *text, size_t n)
{
	struct board_log *log = &bank->log;
	uint64_t head = board_get(&log->head);

	while (n > 0) {
		size_t at = (size_t)(head % LOG_RING);
		size_t piece = MIN(MIN(n, LOG_PIECE), LOG_RING - at);

		memcpy(log->ring + at, text, piece);
		head += piece;
		text += piece;
		n -= piece;
		atomic_store_explicit(&log->head, head, memory_order_release);
	}
}

void board_log_begin(struct board_bank *bank, const char *stamp)
{
	const struct board_log *log = &bank->log;
	uint64_t head = board_get(&log->head);
	char mark[BOARD_STAMP + 3];
	char *p = mark;

	/* who wrote before was killed within a line */
	if (head > 0 && log->ring[(head - 1) % LOG_RING] != '\n')
		*p++ = '\n';
	*p++ = LOG_MARK;
	memcpy(p, stamp, BOARD_STAMP);
	p += BOARD_STAMP;
	*p++ = '\n';
	board_log_write(bank, mark, (size_t)(p - mark));
}

bool board_log_is_mark(const char *line, size_t n)
{
	return n == BOARD_STAMP + 1 && line[0] == LOG_MARK;
}

/* Copies n bytes from absolute position at. */
static void log_copy(const struct board_log *log, uint64_t at, char *buf, size_t n)
{
	size_t from = (size_t)(at % LOG_RING);
	size_t first = MIN(n, LOG_RING - from);

	memcpy(buf, log->ring + from, first);
	memcpy(buf + first, log->ring, n - first);
}

/* After a jump the copy starts somewhere in a line: give back whole lines if there are any. */
static size_t drop_partial_line(char *buf, size_t n)
{
	const char *newline = memchr(buf, '\n', n);
	size_t skip;

	if (!newline || newline + 1 == buf + n)
		return n;
	skip = (size_t)(newline + 1 - buf);
	memmove(buf, buf + skip, n - skip);
	return n - skip;
}

size_t board_log_read(const struct board_bank *bank, uint64_t *at, char *buf, size_t size)
{
	const struct board_log *log = &bank->log;
	bool jumped = false;

	for (unsigned i = 0; i < READ_TRIES; i++) {
		uint64_t head = atomic_load_explicit(&log->head, memory_order_acquire);
		size_t n;

		if (*at > head)
			*at = head;
		if (head - *at > LOG_SAFE) {
			*at = head - LOG_SAFE;
			jumped = true;
		}
		n = MIN((size_t)(head - *at), size);
		log_copy(log, *at, buf, n);
		atomic_thread_fence(memory_order_acquire);
		if (board_get(&log->head) - *at > LOG_SAFE)
			continue;
		*at += n;
		return jumped ? drop_partial_line(buf, n) : n;
	}
	return 0;
}

/*
 * scoreboard - see scoreboard.h.
 *
 * The read side works on memory that an app can write at any moment, also between two of our instructions. So: each
 * value is loaded once into a local and judged there; indexes come from our own arithmetic, never from the board
 * alone; strings are copied whole and terminated in the copy; every retry is counted. Counters are clamped so that
 * sums fit a signed 64-bit integer, which is what JSON readers and sqlite hold.
 */
#include "shared/scoreboard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "shared/err.h"

/* LIMIT_BANKS of them, summed, still fit an int64_t. */
#define COUNTER_MAX (UINT64_MAX >> 4)

/* A reader that loses against the writer this often is reading a board that is made to be hard to read. */
#define READ_TRIES 4

/*
 * The log's writer moves head after the bytes, so up to one piece beyond head may be half written: readers
 * keep that far away from the oldest bytes.
 */
#define LOG_RING  ((size_t)BOARD_LOG_BYTES)
#define LOG_PIECE ((size_t)4096)
#define LOG_SAFE  (LOG_RING - LOG_PIECE)

#define BOARD_SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

/* clang-format off */
#define FIELD(name, unit, text)		{ #name, unit, text, offsetof(struct board_totals, name) }
#define CLASS(n, name, text)		{ name, "", text, offsetof(struct board_totals, responses[n]) }

const struct board_field board_fields[] = {
	FIELD(connections,	"",	 "connections accepted or received from the gate"),
	FIELD(requests,		"",	 "requests answered, by whomever"),
	CLASS(0, "status_none",		 "requests for which no response could be sent"),
	CLASS(1, "status_1xx",		 "responses with a 1xx status"),
	CLASS(2, "status_2xx",		 "responses with a 2xx status"),
	CLASS(3, "status_3xx",		 "responses with a 3xx status"),
	CLASS(4, "status_4xx",		 "responses with a 4xx status"),
	CLASS(5, "status_5xx",		 "responses with a 5xx status"),
	FIELD(bad_requests,	"",	 "malformed requests that the front refused"),
	FIELD(rejected,		"",	 "503: queue full, or waited too long"),
	FIELD(read_timeouts,	"",	 "408: the request came too slowly"),
	FIELD(write_timeouts,	"",	 "answers cut because the client did not read them"),
	FIELD(queue_timeouts,	"",	 "503: waited longer than queue-timeout"),
	FIELD(idle_timeouts,	"",	 "connections closed because no request came"),
	FIELD(timeouts,		"",	 "504: ran longer than harakiri or interrupt-timeout allow"),
	FIELD(interrupts,	"",	 "of those, interrupted by an exception in the app"),
	FIELD(fused,		"",	 "503: the request had killed two workers"),
	FIELD(worker_deaths,	"",	 "502: the worker died while it held the request"),
	FIELD(exceptions,	"",	 "500: the app raised"),
	FIELD(client_gone,	"",	 "the client left before its answer"),
	FIELD(static_requests,	"",	 "answered from files"),
	FIELD(handed_back,	"",	 "connections returned to the gate"),
	FIELD(bytes_in,		"bytes", "received, heads included"),
	FIELD(bytes_out,	"bytes", "sent, heads included"),
	FIELD(queue_us,		"us",	 "time requests waited for a worker, summed"),
	FIELD(app_us,		"us",	 "time requests spent in the app, summed"),
	FIELD(spawned,		"",	 "workers started"),
	FIELD(recycled,		"",	 "workers replaced on purpose"),
	FIELD(killed,		"",	 "workers killed because they were stuck or too large"),
	FIELD(crashed,		"",	 "workers that died by themselves"),
	FIELD(log_dropped,	"",	 "log lines that found no room"),
};
/* clang-format on */
const size_t board_fields_n = ARRAY_SIZE(board_fields);

static const char *name_of(const char *const *names, size_t n, unsigned i)
{
	return i < n && names[i] ? names[i] : "?";
}

const char *board_front_state_name(unsigned state)
{
	static const char *const names[FRONT_STATE_COUNT] = {
		[FRONT_NONE] = "none",       [FRONT_STARTING] = "starting", [FRONT_READY] = "ready",
		[FRONT_SERVING] = "serving", [FRONT_DRAINING] = "draining", [FRONT_GONE] = "gone",
	};

	return name_of(names, ARRAY_SIZE(names), state);
}

const char *board_worker_state_name(unsigned state)
{
	static const char *const names[WORKER_STATE_COUNT] = {
		[WORKER_NONE] = "none", [WORKER_STARTING] = "starting", [WORKER_IDLE] = "idle",
		[WORKER_BUSY] = "busy", [WORKER_RETIRING] = "retiring", [WORKER_DEAD] = "dead",
	};

	return name_of(names, ARRAY_SIZE(names), state);
}

const char *board_task_kind_name(unsigned kind)
{
	return kind == BOARD_TASK_CRON ? "cron" : "daemon";
}

const char *board_task_state_name(unsigned state)
{
	static const char *const names[TASK_STATE_COUNT] = {
		[TASK_NONE] = "none",       [TASK_WAITING] = "waiting",
		[TASK_QUEUED] = "queued",   [TASK_RUNNING] = "running",
		[TASK_BACKOFF] = "backoff", [TASK_STOPPING] = "stopping",
		[TASK_BROKEN] = "broken",   [TASK_STOPPED] = "stopped",
	};

	return name_of(names, ARRAY_SIZE(names), state);
}

const char *board_event_name(unsigned kind)
{
	static const char *const names[EVENT_KIND_COUNT] = {
		[EVENT_NONE] = "none",
		[EVENT_STARTED] = "started",
		[EVENT_RELOADED] = "reloaded",
		[EVENT_FAILED] = "failed",
		[EVENT_STOPPED] = "stopped",
		[EVENT_BACKOFF] = "backoff",
		[EVENT_ASLEEP] = "asleep",
		[EVENT_WOKEN] = "woken",
		[EVENT_BUDGET] = "budget",
		[EVENT_TASK] = "task",
		[EVENT_WORKER_SPAWNED] = "spawned",
		[EVENT_WORKER_RECYCLED] = "recycled",
		[EVENT_WORKER_KILLED] = "killed",
		[EVENT_WORKER_CRASHED] = "crashed",
		[EVENT_HARAKIRI] = "harakiri",
		[EVENT_NOTE] = "note",
		[EVENT_FUSED] = "fused",
		[EVENT_LIMITS] = "limits",
		[EVENT_REFUSED] = "refused",
		[EVENT_ROLLED_BACK] = "rolled back",
	};

	return name_of(names, ARRAY_SIZE(names), kind);
}

/* -- writers -------------------------------------------------------------------------------------------- */

int board_create(int *ret_fd, struct scoreboard **ret_board, const char *name, struct err *err)
{
	_cleanup_(fd_closep) int fd = memfd_create("scoreboard", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct scoreboard *b;

	if (fd < 0)
		return err_set(err, -errno, "scoreboard: memfd_create: %s", strerror(errno));
	if (ftruncate(fd, sizeof(*b)) < 0)
		return err_set(err, -errno, "scoreboard: ftruncate: %s", strerror(errno));
	if (fcntl(fd, F_ADD_SEALS, BOARD_SEALS | F_SEAL_SEAL) < 0)
		return err_set(err, -errno, "scoreboard: cannot seal: %s", strerror(errno));
	b = mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (b == MAP_FAILED)
		return err_set(err, -errno, "scoreboard: mmap: %s", strerror(errno));
	b->magic = BOARD_MAGIC;
	b->version = BOARD_VERSION;
	b->size = sizeof(*b);
	(void)snprintf(b->name, sizeof(b->name), "%s", name);
	*ret_fd = TAKE_FD(fd);
	*ret_board = b;
	return 0;
}

/* What must hold before the memory may be touched at all: no access beyond its end, now or later. */
static int check_file(int fd, struct err *err)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0 || (seals & BOARD_SEALS) != BOARD_SEALS)
		return err_set(err, -EPERM, "scoreboard: descriptor %d is not sealed in its size",
			       fd);
	if (fstat(fd, &st) < 0)
		return err_set(err, -errno, "scoreboard: fstat: %s", strerror(errno));
	if (st.st_size != (off_t)sizeof(struct scoreboard))
		return err_set(err, -EINVAL, "scoreboard: %lld bytes, this build uses %zu",
			       (long long)st.st_size, sizeof(struct scoreboard));
	return 0;
}

static int check_head(const struct scoreboard *b, struct err *err)
{
	uint32_t magic = *(const volatile uint32_t *)&b->magic;
	uint32_t version = *(const volatile uint32_t *)&b->version;
	uint64_t size = *(const volatile uint64_t *)&b->size;

	if (magic == BOARD_MAGIC && version == BOARD_VERSION && size == sizeof(*b))
		return 0;
	return err_set(err, -EINVAL, "scoreboard: magic %08x version %u, expected %08x version %u",
		       magic, version, BOARD_MAGIC, BOARD_VERSION);
}

static int map_checked(int fd, int prot, struct scoreboard **ret_board, struct err *err)
{
	struct scoreboard *b;
	int r = check_file(fd, err);

	if (r < 0)
		return r;
	b = mmap(NULL, sizeof(*b), prot, MAP_SHARED, fd, 0);
	if (b == MAP_FAILED)
		return err_set(err, -errno, "scoreboard: mmap: %s", strerror(errno));
	r = check_head(b, err);
	if (r < 0) {
		board_unmap(b);
		return r;
	}
	*ret_board = b;
	return 0;
}

int board_map(int fd, struct scoreboard **ret_board, struct err *err)
{
	return map_checked(fd, PROT_READ | PROT_WRITE, ret_board, err);
}

void board_unmap(const struct scoreboard *b)
{
	if (b)
		(void)munmap((void *)(uintptr_t)b, sizeof(*b));
}

void board_event(struct scoreboard *b, uint64_t wall_ns, uint64_t generation,
		 enum board_event_kind kind, unsigned worker, const char *fmt, ...)
{
	uint64_t number = atomic_fetch_add_explicit(&b->events, 1, memory_order_relaxed) + 1;
	struct board_event *e = &b->event[(number - 1) % BOARD_EVENTS];
	char text[BOARD_EVENT_TEXT];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);

	/* A reader that sees the new bytes also sees that the old number is gone. */
	atomic_store_explicit(&e->number, 0, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	e->wall_ns = wall_ns;
	e->generation = generation;
	e->kind = kind;
	e->worker = worker;
	memcpy(e->text, text, strlen(text) + 1);
	atomic_store_explicit(&e->number, number, memory_order_release);
}

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

/* -- readers -------------------------------------------------------------------------------------------- */

int board_map_readonly(int fd, const struct scoreboard **ret_board, struct err *err)
{
	_cleanup_(fd_closep) int reopened = -1;
	struct scoreboard *b = NULL;
	int flags = fcntl(fd, F_GETFL);
	int r;

	if (flags < 0)
		return err_set(err, -errno, "scoreboard: descriptor %d: %s", fd, strerror(errno));
	if ((flags & O_ACCMODE) != O_RDONLY) {
		char path[64];

		/* A mapping of a read-only description can never be made writable, whatever goes wrong later. */
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		reopened = open(path, O_RDONLY | O_CLOEXEC);
		if (reopened < 0)
			return err_set(err, -errno, "scoreboard: cannot reopen read-only: %s",
				       strerror(errno));
		fd = reopened;
	}
	r = map_checked(fd, PROT_READ, &b, err);
	if (r < 0)
		return r;
	*ret_board = b;
	return 0;
}

void board_trim(const struct scoreboard *b)
{
	(void)madvise((void *)(uintptr_t)b, sizeof(*b), MADV_DONTNEED);
}

uint64_t board_bucket_floor_us(unsigned b)
{
	unsigned top;

	if (b == 0)
		return 0;
	b = MIN(b, BOARD_BUCKETS);
	top = (b + 1) / 2;
	return (1ULL << top) + ((b + 1) & 1) * (1ULL << (top - 1));
}

uint64_t board_percentile_us(const uint64_t hist[BOARD_BUCKETS], double p)
{
	double total = 0;
	double below = 0;
	double rank;

	/* Doubles: hostile counts may add up to more than 64 bits, and a percentile needs no more digits. */
	for (unsigned b = 0; b < BOARD_BUCKETS; b++)
		total += (double)hist[b];
	if (total <= 0)
		return 0;
	rank = total * (p >= 0 ? MIN(p, 100.0) : 0.0) / 100.0;
	for (unsigned b = 0; b < BOARD_BUCKETS; b++) {
		double count = (double)hist[b];
		double low = (double)board_bucket_floor_us(b);
		double high = (double)board_bucket_floor_us(b + 1);

		if (count > 0 && below + count >= rank) {
			/* The last bucket has no upper end: its floor is all that is known. */
			if (b == BOARD_BUCKETS - 1)
				return board_bucket_floor_us(b);
			return (uint64_t)(low + (high - low) * (rank - below) / count);
		}
		below += count;
	}
	return board_bucket_floor_us(BOARD_BUCKETS - 1);
}

static uint64_t read_counter(const board_u64 *c)
{
	uint64_t n = board_get(c);

	return MIN(n, COUNTER_MAX);
}

static void add_hist(uint64_t to[BOARD_BUCKETS], const board_u64 from[BOARD_BUCKETS])
{
	for (unsigned b = 0; b < BOARD_BUCKETS; b++)
		to[b] += read_counter(&from[b]);
}

static void add_counters(struct board_totals *t, const struct board_counters *c)
{
	t->connections += read_counter(&c->connections);
	t->requests += read_counter(&c->requests);
	for (size_t i = 0; i < ARRAY_SIZE(t->responses); i++)
		t->responses[i] += read_counter(&c->responses[i]);
	t->bad_requests += read_counter(&c->bad_requests);
	t->rejected += read_counter(&c->rejected);
	t->timeouts += read_counter(&c->timeouts);
	t->interrupts += read_counter(&c->interrupts);
	t->read_timeouts += read_counter(&c->read_timeouts);
	t->write_timeouts += read_counter(&c->write_timeouts);
	t->queue_timeouts += read_counter(&c->queue_timeouts);
	t->idle_timeouts += read_counter(&c->idle_timeouts);
	t->fused += read_counter(&c->fused);
	t->worker_deaths += read_counter(&c->worker_deaths);
	t->exceptions += read_counter(&c->exceptions);
	t->client_gone += read_counter(&c->client_gone);
	t->static_requests += read_counter(&c->static_requests);
	t->handed_back += read_counter(&c->handed_back);
	t->bytes_in += read_counter(&c->bytes_in);
	t->bytes_out += read_counter(&c->bytes_out);
	t->queue_us += read_counter(&c->queue_us);
	t->app_us += read_counter(&c->app_us);
	t->spawned += read_counter(&c->spawned);
	t->recycled += read_counter(&c->recycled);
	t->killed += read_counter(&c->killed);
	t->crashed += read_counter(&c->crashed);
	t->log_dropped += read_counter(&c->log_dropped);
	add_hist(t->queue_hist, c->queue_hist);
	add_hist(t->app_hist, c->app_hist);
}

void board_read_totals(const struct scoreboard *b, struct board_totals *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (unsigned i = 0; i < LIMIT_BANKS; i++) {
		/* A bank that was never used is a hole in the memory file; reading more of it would fill it. */
		if (board_get(&b->bank[i].generation) != 0)
			add_counters(ret, &b->bank[i].counters);
	}
}

const struct board_bank *board_find_bank(const struct scoreboard *b, uint64_t generation)
{
	if (generation == 0)
		return NULL;
	for (unsigned i = 0; i < LIMIT_BANKS; i++)
		if (board_get(&b->bank[i].generation) == generation)
			return &b->bank[i];
	return NULL;
}

static uint32_t below(const board_u32 *field, uint32_t limit)
{
	uint32_t n = atomic_load_explicit(field, memory_order_relaxed);

	return n < limit ? n : 0;
}

/* Never summed: all that an int64_t holds, which is to the year 2262. */
static uint64_t read_time(const board_u64 *c)
{
	return MIN(board_get(c), (uint64_t)INT64_MAX);
}

bool board_read_task(const struct board_bank *bank, unsigned i, struct board_task_now *ret)
{
	const struct board_task *t;
	unsigned n = atomic_load_explicit(&bank->tasks, memory_order_acquire);

	if (i >= MIN(n, (unsigned)LIMIT_TASKS))
		return false;
	t = &bank->task[i];
	*ret = (struct board_task_now){
		.kind = below(&t->kind, BOARD_TASK_CRON + 1),
		.state = below(&t->state, TASK_STATE_COUNT),
		.pid = below(&t->pid, INT32_MAX),
		.running = below(&t->running, LIMIT_TASK_RUNS + 1),
		.has_ended = below(&t->has_ended, 2),
		.last_status = (int)below(&t->last_status, 0x10000),
		.starts = read_counter(&t->starts),
		.failures = read_counter(&t->failures),
		.started_wall_ns = read_time(&t->started_wall_ns),
		.ended_wall_ns = read_time(&t->ended_wall_ns),
		.next_wall_ns = read_time(&t->next_wall_ns),
	};
	memcpy(ret->name, t->name, sizeof(ret->name));
	ret->name[sizeof(ret->name) - 1] = '\0';
	return true;
}

bool board_read_lane(const struct board_lane *lane, char line[BOARD_LINE],
		     char id[LIMIT_REQUEST_ID], uint64_t *ret_started_ns)
{
	char line_copy[BOARD_LINE];
	char id_copy[LIMIT_REQUEST_ID];

	for (unsigned i = 0; i < READ_TRIES; i++) {
		uint32_t before = atomic_load_explicit(&lane->sequence, memory_order_acquire);
		uint64_t started_ns;

		if (atomic_load_explicit(&lane->busy, memory_order_relaxed) == 0)
			return false;
		memcpy(line_copy, lane->line, sizeof(line_copy));
		memcpy(id_copy, lane->request_id, sizeof(id_copy));
		started_ns = board_get(&lane->started_ns);
		atomic_thread_fence(memory_order_acquire);
		if ((before & 1) ||
		    atomic_load_explicit(&lane->sequence, memory_order_relaxed) != before)
			continue;
		line_copy[sizeof(line_copy) - 1] = '\0';
		id_copy[sizeof(id_copy) - 1] = '\0';
		memcpy(line, line_copy, sizeof(line_copy));
		memcpy(id, id_copy, sizeof(id_copy));
		*ret_started_ns = started_ns;
		return true;
	}
	return false;
}

/* The event's bytes as they are just now, made harmless. */
static void copy_event(const struct board_event *e, uint64_t number, struct board_event *ret)
{
	memset(ret, 0, sizeof(*ret));
	atomic_store_explicit(&ret->number, number, memory_order_relaxed);
	ret->wall_ns = *(const volatile uint64_t *)&e->wall_ns;
	ret->generation = *(const volatile uint64_t *)&e->generation;
	ret->kind = *(const volatile uint32_t *)&e->kind;
	ret->worker = *(const volatile uint32_t *)&e->worker;
	memcpy(ret->text, e->text, sizeof(ret->text));
	ret->wall_ns = MIN(ret->wall_ns, (uint64_t)INT64_MAX);
	ret->generation = MIN(ret->generation, (uint64_t)INT64_MAX);
	if (ret->kind == EVENT_NONE || ret->kind >= EVENT_KIND_COUNT)
		ret->kind = EVENT_NOTE;
	if (ret->worker > LIMIT_WORKERS)
		ret->worker = 0;
	ret->text[sizeof(ret->text) - 1] = '\0';
}

int board_read_event(const struct scoreboard *b, uint64_t number, struct board_event *ret)
{
	uint64_t last = atomic_load_explicit(&b->events, memory_order_acquire);
	const struct board_event *e;
	struct board_event copy;
	uint64_t there;

	if (number == 0)
		return -1;
	e = &b->event[(number - 1) % BOARD_EVENTS];
	there = atomic_load_explicit(&e->number, memory_order_acquire);
	if (there > number || (last > number && last - number >= BOARD_EVENTS))
		return -1;
	if (there < number)
		return 0;
	copy_event(e, number, &copy);
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load_explicit(&e->number, memory_order_relaxed) != number)
		return -1;
	memcpy(ret, &copy, sizeof(copy));
	return 1;
}

bool board_next_event(const struct scoreboard *b, uint64_t *at, bool wait, uint64_t *missed,
		      struct board_event *ret)
{
	uint64_t last = atomic_load_explicit(&b->events, memory_order_acquire);

	if (last <= *at)
		return false;
	if (last - *at > BOARD_EVENTS) {
		*missed += last - *at - BOARD_EVENTS;
		*at = last - BOARD_EVENTS;
	}
	/* At most BOARD_EVENTS turns: last is ours. */
	while (*at < last) {
		int r = board_read_event(b, *at + 1, ret);

		if (r == 0 && wait)
			return false;
		(*at)++;
		if (r == 1)
			return true;
		(*missed)++;
	}
	return false;
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

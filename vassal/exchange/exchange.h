/*
 * exchange - the shared memory between one front and its workers: request slots, a queue of filled slots, and a
 * lane back for each worker thread. Its layout is private to this folder; front, pool and engine use these calls.
 *
 *   front                                                        worker thread (owner of one lane)
 *   slot = exchange_slot_get()
 *   fill exchange_request(slot), exchange_data(slot)
 *   exchange_submit(slot) ──► queue of slots ──────────────────► exchange_take()      claims it: one CAS, which also
 *                                                                                     says who holds it
 *   exchange_peek(lane)  ◄── ring of frames, one per lane ◄───── exchange_reply_*()   HEAD DATA DATA ... END
 *   exchange_consume(lane)
 *   exchange_slot_put(slot)  after END, or after the worker's death
 *
 * Rules:
 * - Only the front allocates and frees; a worker that dies at any instruction loses nothing but its own answer.
 * - A slot's owner word is the one truth about who holds it. exchange_bury() finds what a dead worker held. A word
 *   that cannot be true was scribbled on: the request is lost, its slot is the front's again (exchange_lost).
 * - Everything read from a lane is hostile (the app's process wrote it): lengths are checked here, a bad frame is
 *   FRAME_BROKEN, and the front then kills that worker.
 * - Wake-ups cost a system call only when the other side sleeps: futex towards workers, eventfd towards the front.
 * - The front is one thread; each lane is used by one thread. Times are CLOCK_MONOTONIC ns.
 */
#pragma once
#include "shared/limits.h"
#include "shared/span.h"

struct err;
struct exchange;

#define EXCHANGE_SLOTS_MAX 1024
#define EXCHANGE_SLOT_BYTES \
	(192UL * 1024) /* vars (a 64 KiB head grows when names become HTTP_*) + body in memory */
#define EXCHANGE_BODY_MAX (64UL * 1024) /* a longer body travels as a file (EXCHANGE_BODY_FILE) */
/*
 * Per lane; an answer that is larger waits for the front to take it, and each wait is two context switches: with half of
 * this a stream of 1 MiB had 8.5 of them instead of 4, and cost 13 % more.
 */
#define EXCHANGE_RING_BYTES (256UL * 1024)
#define EXCHANGE_FRAME_MAX  (64UL * 1024) /* payload of one frame */

struct exchange_shape {
	unsigned slots;   /* requests that can be queued or in work */
	unsigned workers; /* 1 .. LIMIT_WORKERS */
	unsigned threads; /* lanes of each worker; lane = worker * threads + thread */
};

enum exchange_body { EXCHANGE_BODY_NONE, EXCHANGE_BODY_MEMORY, EXCHANGE_BODY_FILE };

enum exchange_request_flags {
	EXCHANGE_HEAD = 1,  /* HEAD: the front sends no body bytes, whatever comes */
	EXCHANGE_HTTPS = 2, /* wsgi.url_scheme */
	EXCHANGE_HTTP11 = 4,
	EXCHANGE_TAKES_FILE = 8, /* the answer's body may be a descriptor (FRAME_FILE) */
};

/* The fixed part of a request. data holds vars_n bytes of vars (shared/vars.h), then, if in memory, the body. */
struct exchange_request {
	uint64_t queued_ns; /* the request was complete */
	uint64_t body_n;    /* bytes of body; 0 if none */
	uint32_t vars_n;
	uint16_t body;             /* enum exchange_body */
	uint16_t flags;            /* enum exchange_request_flags */
	char line[160];            /* "GET /path", for the scoreboard, NUL-terminated, cut */
	char id[LIMIT_REQUEST_ID]; /* request id, NUL-terminated */
};

/* -- both sides ----------------------------------------------------------------------------------------- */

/* Makes one (front). Its two descriptors, to be inherited by the engine: the memory, and the front's eventfd. */
int exchange_create(struct exchange **ret_x, const struct exchange_shape *shape, struct err *err);
int exchange_memory_fd(const struct exchange *x);
int exchange_event_fd(const struct exchange *x);
/* Maps one (engine). Takes over neither descriptor. */
int exchange_attach(struct exchange **ret_x, int memory_fd, int event_fd, struct err *err);
void exchange_free(struct exchange *x);
const struct exchange_shape *exchange_get_shape(const struct exchange *x);

struct exchange_request *exchange_request(struct exchange *x, unsigned slot);
uint8_t *exchange_data(struct exchange *x, unsigned slot); /* EXCHANGE_SLOT_BYTES */

/* -- front: requests ------------------------------------------------------------------------------------ */

/* A free slot, or -1 when all are in use. Most recently freed first, so few pages are ever touched. */
int exchange_slot_get(struct exchange *x);
/* Frees it; touched = bytes of data that were written (large ones give their pages back). */
void exchange_slot_put(struct exchange *x, unsigned slot, size_t touched);
/*
 * Queues a filled slot. Workers that sleep are woken by exchange_wake(), once for a batch: woken for each request, a
 * worker would answer one and sleep again, and two context switches would cost more than the request.
 */
void exchange_submit(struct exchange *x, unsigned slot);
/*
 * Wakes a sleeping worker, if anything was submitted since the last time, unless one is on its way. It wakes the next if
 * it has more before it than it can do at once. exchange_front_sleep() does it too.
 */
void exchange_wake(struct exchange *x);
/*
 * Requests wait for one that was woken and does not run yet, since its process is stopped or its CPU somebody else's, or
 * beside one that takes longer than usual. The front then calls exchange_wake_queued() once this has been so for a
 * millisecond.
 */
bool exchange_awaits_one(const struct exchange *x);
/* Wakes one sleeper for each request that waits, whoever was woken for it before. Both sides, any thread. */
void exchange_wake_queued(struct exchange *x);
/*
 * A few times a second while requests are out: wakes one sleeper for each request that waits, whoever was woken for it
 * before, and puts right what a worker wrote over the queue's positions. Nothing else depends on it being called.
 */
void exchange_tend(struct exchange *x);
/*
 * It has waited too long. True: nobody had taken it, it is the front's again (put it). False: a worker has it; nothing
 * has changed, its client gets the answer.
 */
bool exchange_cancel(struct exchange *x, unsigned slot);
/*
 * Its client has gone, or has got another answer. True: as above. False: a worker has it; it is told
 * (exchange_client_gone) and its frames still have to be consumed up to END.
 */
bool exchange_abandon(struct exchange *x, unsigned slot);
/* Requests submitted and not yet taken, cancelled ones possibly included: a gauge, not a truth. */
unsigned exchange_queued(const struct exchange *x);
/* The lane that holds this slot, or -1 while it waits. */
int exchange_holder(const struct exchange *x, unsigned slot);
/*
 * A submitted slot that neither waits nor is held by a lane that exists: a worker wrote over its owner word, nobody will
 * ever answer. exchange_cancel() gives it back.
 */
bool exchange_lost(const struct exchange *x, unsigned slot);
/*
 * It takes too long: whoever holds it may raise an exception in the app (exchange_condemned). Only this request is
 * meant, whenever the signal that tells of it arrives. False: nobody holds it.
 */
bool exchange_condemn(struct exchange *x, unsigned slot);
/* Has the holder said that the exception was raised? */
bool exchange_was_interrupted(const struct exchange *x, unsigned slot);
/* Since when nobody in this worker has got the GIL, by its own word; 0: it is not so. */
uint64_t exchange_gil_waits_since(const struct exchange *x, unsigned worker);
/* The thread that a lane is, by its worker's word, as a dump of stacks names it; 0: not known. */
uint64_t exchange_thread_of(const struct exchange *x, unsigned lane);
/* An answered request took that long in its app: what waits in the queue is worth as much more of the workers' time. */
void exchange_took(struct exchange *x, uint64_t app_ns);
/* When it was taken; 0 while it waits. */
uint64_t exchange_taken_ns(const struct exchange *x, unsigned slot);

/* -- front: answers ------------------------------------------------------------------------------------- */

enum frame_kind {
	FRAME_HEAD = 1, /* struct frame_head, then fields as "Name: value\r\n" */
	FRAME_DATA = 2, /* body bytes */
	FRAME_END =
		3, /* struct frame_end, then at most LIMIT_LOGVARS bytes for its line in the access log */
	/* struct frame_head and fields of an answer that is not yet the answer: 103. Any number, all before HEAD */
	FRAME_INTERIM = 4,
	/* as END, for the client: the answer is complete. The worker goes on with the request until END */
	FRAME_DONE = 5,
	FRAME_BROKEN = 6, /* never sent: what peek says of nonsense */
};

struct frame_head {
	uint16_t status;   /* 100..999 */
	uint16_t reason_n; /* reason phrase, right after this struct */
	uint32_t fields_n; /* then the fields */
	uint32_t flags;    /* enum frame_head_flags */
	uint32_t reserved;
	int64_t length; /* Content-Length that the app gave or the worker knows; -1 unknown */
};

/* What the fields already hold, so that the front need not look. Hop-by-hop fields never come: the worker
   refuses them (PEP 3333). A Content-Length never stands in fields: it is length. */
enum frame_head_flags {
	FRAME_HAS_DATE = 1,
	FRAME_HAS_SERVER = 2,
	FRAME_HAS_REQUEST_ID = 4,
	FRAME_FILE =
		8, /* the body is in the file that CREW_FILE has brought, length bytes; no DATA comes */
};

struct frame_end {
	uint32_t flags; /* enum frame_end_flags */
	uint32_t reserved;
	uint64_t app_ns;
};

enum frame_end_flags {
	FRAME_END_OK = 0,
	FRAME_END_EXCEPTION =
		1, /* the app raised: 500 if no HEAD came, else cut the connection visibly */
	FRAME_END_SHORT = 2,   /* fewer bytes than Content-Length: same */
	FRAME_END_EXITING = 4, /* the worker leaves after this one (sys.exit in the app) */
	FRAME_END_LOG = 16,   /* it is to have its line in the access log, whatever is configured */
	FRAME_END_NO_APP = 8, /* none is mounted there: 404. No HEAD came */
};

struct frame {
	enum frame_kind kind;
	unsigned slot; /* whose answer */
	const uint8_t
		*p; /* payload, contiguous, in shared memory: may change under a hostile worker */
	size_t n;
	size_t next; /* private: where the following frame begins */
};

/*
 * Arms the front's eventfd and says whether something is already there: call it before sleeping in the loop;
 * true = do not sleep. On wake-up exchange_front_woken() empties the eventfd. Lanes that exchange_front_ignore()
 * named do not count: what stands in them waits for a slow client, whose socket will wake the front.
 */
bool exchange_front_sleep(struct exchange *x);
void exchange_front_woken(struct exchange *x);
/* Until it is taken back, or another process gets the lane, frames that stand in it keep nobody awake. */
void exchange_front_ignore(struct exchange *x, unsigned lane, bool ignore);

/* The next frame of a lane. First call: *at = 0. True: *ret_frame; call again to look behind it. */
bool exchange_peek(struct exchange *x, unsigned lane, size_t *at, struct frame *ret_frame);
/* Everything up to and including this frame has been used: gives the room back, wakes a waiting worker. */
void exchange_consume(struct exchange *x, unsigned lane, const struct frame *upto);

/* -- front: workers ------------------------------------------------------------------------------------- */

/* Does a lane of it hold a request? One whose answer stands in the lane counts too. */
bool exchange_worker_holds(const struct exchange *x, unsigned worker);
/* Empties the lanes of a worker before a new process takes its number. */
void exchange_worker_begin(struct exchange *x, unsigned worker);
/*
 * The process is gone. Calls fn for each slot it still held after all its complete frames were consumed by the
 * caller (peek first), and for each that is lost; the slots are the front's again (answer 502, put them). Others are
 * woken for what still waits: the dead one may have been woken for it. So are those whom it was about to wake.
 */
void exchange_bury(struct exchange *x, unsigned worker,
		   void (*fn)(void *arg, unsigned slot, unsigned lane), void *arg);

/*
 * Both sides: this worker takes no further request; wakes it, and other sleepers for what waits. It leaves once its
 * lanes are idle. The front says it of a worker that is to go, a worker of itself as soon as it has decided to.
 */
void exchange_worker_retire(struct exchange *x, unsigned worker);
/* Front: this worker, which has one thread, is EXCHANGE_CALLED before its next request; unless it is retired. */
void exchange_worker_call(struct exchange *x, unsigned worker);

/* -- worker --------------------------------------------------------------------------------------------- */

enum exchange_taken {
	EXCHANGE_TAKEN = 1,
	EXCHANGE_NOTHING = 0,
	EXCHANGE_RETIRE = -1,
	EXCHANGE_CALLED =
		-2, /* the front has a word with it, between two requests. Once for each call */
};

/* In a process that was forked from a worker: nothing of that one's lanes is its own. */
void exchange_forget_lanes(struct exchange *x);

/* Takes the oldest request without waiting. */
enum exchange_taken exchange_take(struct exchange *x, unsigned lane, unsigned *ret_slot);
/*
 * Sleeps until there may be something to take, a retire, or timeout_ns (0 = for ever) has passed, or a signal came
 * (returns -EINTR so that Python can run its handlers). Call it without the GIL.
 */
int exchange_wait(struct exchange *x, unsigned lane, uint64_t timeout_ns);

/*
 * Room for the payload of one frame of up to want bytes: contiguous, at least min(want, EXCHANGE_FRAME_MAX) bytes,
 * or NULL when the ring has less than that free (then exchange_reply_wait without the GIL, and again).
 * exchange_reply_commit closes it. publish: everything committed so far becomes visible to the front at once, and it is
 * woken if it sleeps; false while more follows immediately, so that a small answer arrives in one piece.
 */
uint8_t *exchange_reply_room(struct exchange *x, unsigned lane, size_t want);
void exchange_reply_commit(struct exchange *x, unsigned lane, unsigned slot, enum frame_kind kind,
			   size_t n, bool publish);
/* Publishes, then waits for want bytes of room, without the GIL. 0, -EINTR after a signal, -EPIPE when the front is gone
   (then _exit). */
int exchange_reply_wait(struct exchange *x, unsigned lane, size_t want);
/* The client is not there any more: stop producing, still call close(), still send END. */
bool exchange_client_gone(struct exchange *x, unsigned slot);
/* Is this request, which this lane holds, the one that the front wants interrupted? And: it has been. */
bool exchange_condemned(const struct exchange *x, unsigned lane, unsigned slot);
void exchange_interrupted(struct exchange *x, unsigned lane);
/* Its witness waits for the GIL since then; 0: it has got it. */
void exchange_gil_wait(struct exchange *x, unsigned worker, uint64_t since_ns);
/* Which thread this lane is: exchange_thread_of(). */
void exchange_thread_is(struct exchange *x, unsigned lane, uint64_t thread);

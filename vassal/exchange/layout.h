/*
 * layout - the bytes of an exchange. Private to this folder: front.c and worker.c of it work on them, nobody else.
 *
 *   header | slots | data (one region per slot) | rings (one per lane)
 *
 * A slot's owner word is (sequence << 32 | lane << 16 | state). It changes only by compare-and-swap, so at every
 * instant exactly one side holds the slot, and a dead worker's slots can be read off the words. The queue holds
 * (position << 48 | slot << 32 | sequence): an entry whose sequence is no longer the slot's is stale and skipped.
 */
#pragma once
#include <stdatomic.h>

#include "shared/clock.h"
#include "vassal/exchange/exchange.h"

#define LAYOUT_MAGIC   0x47434358u /* "XCCG" */
#define LAYOUT_VERSION 8
#define LAYOUT_CELLS \
	(2UL * EXCHANGE_SLOTS_MAX) /* room for stale entries before the front has to tidy up */
#define LAYOUT_LINE 64             /* cache line: what two processes write stays apart */

/*
 * Two context switches cost more than a small app: a worker that is woken wakes the next only if those that wait behind
 * its own request would usually keep it for so long. Behind one that takes longer than usual they wait for the front's
 * look: a millisecond or two, and longer if the front gets no CPU.
 */
#define WAKE_WORTH_NS (50 * NS_PER_US)
/* A request counts for no more: one that was preempted among fast ones would make them all look slow. */
#define USUAL_MOST_NS (2 * WAKE_WORTH_NS)

enum owner_state { OWNER_FREE, OWNER_FRONT, OWNER_QUEUED, OWNER_TAKEN };

struct slot {
	_Atomic uint64_t owner __attribute__((aligned(LAYOUT_LINE)));
	_Atomic uint64_t taken_ns;
	_Atomic uint32_t gone; /* the client is not there any more */
	struct exchange_request request;
};

enum lane_word { LANE_SERVES, LANE_RETIRES, LANE_IS_CALLED };

struct lane {
	/* the worker sleeps on idle (futex): 1 while it waits for a request */
	_Atomic uint32_t idle __attribute__((aligned(LAYOUT_LINE)));
	_Atomic uint32_t retire; /* enum lane_word */
	/* request_word() of the one that is to be interrupted (the front), and of the one that was (the worker) */
	_Atomic uint64_t condemned, interrupted;
	_Atomic uint64_t
		gil_wait_ns; /* of a worker's first lane: since when its witness waits; 0: it does not */
	/* as faulthandler names the thread that it is; 0: not known. For people only */
	_Atomic uint64_t thread;
	/* ring positions count bytes for ever; the worker writes head, the front tail */
	_Atomic uint64_t head __attribute__((aligned(LAYOUT_LINE)));
	_Atomic uint64_t tail __attribute__((aligned(LAYOUT_LINE)));
	_Atomic uint32_t room_wait; /* futex: bytes the worker waits for, 0 = does not wait */
};

struct layout {
	uint32_t magic, version;
	uint64_t size;
	struct exchange_shape shape;
	int32_t front_pid;
	uint32_t reserved;
	_Atomic uint32_t front_sleeps __attribute__((aligned(LAYOUT_LINE)));
	_Atomic uint64_t queue_head __attribute__((aligned(LAYOUT_LINE))); /* the front */
	_Atomic uint64_t usual_ns; /* what a request takes of late (the front): a hint, no truth */
	_Atomic uint64_t queue_tail
		__attribute__((aligned(LAYOUT_LINE))); /* workers, and the front when it tidies */
	_Atomic uint64_t idle_lanes[LIMIT_LANES / 64] __attribute__((aligned(LAYOUT_LINE)));
	/* since when a lane that was woken for the queue has not run yet: it wakes the next one. 0: there is none */
	_Atomic uint64_t waking_ns;
	_Atomic uint64_t cells[LAYOUT_CELLS] __attribute__((aligned(LAYOUT_LINE)));
	struct lane lanes[LIMIT_LANES];
	struct slot slots[]; /* shape.slots */
};

/* A frame in a ring; payload follows, padded to 8. */
struct ring_frame {
	uint32_t n;
	uint8_t kind;
	uint8_t turn; /* low bits of the slot's sequence: an answer to an earlier request of this slot shows */
	uint16_t slot;
};

/* Per process: the mapping, and each side's own memory of it. */
struct exchange {
	struct layout *m;
	uint8_t *data; /* slots * EXCHANGE_SLOT_BYTES */
	uint8_t **
		rings; /* of each lane, mapped twice in a row so that a frame is always contiguous */
	size_t size;   /* of the mapping of m */
	unsigned lanes;
	int memory_fd, event_fd;
	struct exchange_shape
		shape; /* our own copy: the one in shared memory is a worker's to spoil */

	/* front */
	uint16_t *free_slots;
	unsigned free_n;
	bool *warm; /* slots that hold pages for a large request; warm_n of them */
	unsigned warm_n;
	uint32_t *sequence;                 /* of each slot's last submit */
	bool *submitted;                    /* each slot: neither cancelled, buried nor put since */
	uint64_t queue_head;                /* the truth; the one in shared memory is a copy */
	unsigned unwoken;                   /* submitted since the last exchange_wake() */
	uint64_t usual_ns;                  /* the truth, as with queue_head */
	uint64_t ignored[LIMIT_LANES / 64]; /* lanes whose frames wait for a slow client */
	/* worker */
	uint64_t *
		pending; /* of each lane: head including what is not published; UINT64_MAX = not known yet */
	uint8_t *turn; /* of each lane: of the request that it took last */
};

static inline uint64_t owner_word(uint32_t sequence, unsigned lane, enum owner_state state)
{
	return (uint64_t)sequence << 32 | (uint64_t)lane << 16 | state;
}

static inline enum owner_state owner_state(uint64_t word)
{
	return (enum owner_state)(word & 0xffff);
}

static inline unsigned owner_lane(uint64_t word)
{
	return (word >> 16) & 0xffff;
}

/* A request, once and for all: its slot is used again with another sequence. Never 0. */
static inline uint64_t request_word(uint32_t sequence, unsigned slot)
{
	return owner_word(sequence, slot, OWNER_TAKEN);
}

static inline uint64_t cell_word(uint64_t position, unsigned slot, uint32_t sequence)
{
	return (position & 0xffff) << 48 | (uint64_t)slot << 32 | sequence;
}

static inline size_t frame_size(size_t n)
{
	return sizeof(struct ring_frame) + ((n + 7) & ~(size_t)7);
}

/* wake.c: it does not sleep any more. True: a wake-up was spent on it. */
bool lane_gets_up(struct exchange *x, unsigned lane);
/* wake.c: a lane that was woken for the queue runs. */
void lane_is_awake(struct exchange *x);
/* wake.c: this lane is not to be woken any more, or is awake. */
void lane_clear_idle(struct exchange *x, unsigned lane);
/* wake.c: every lane whose bit is taken, in case whoever took it has died before it woke the lane. */
void wake_taken(struct exchange *x);

/* futex.c: 0, or -errno (-EAGAIN: the word was not expected; -EINTR; -ETIMEDOUT). timeout_ns 0 = for ever. */
int futex_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t timeout_ns);
void futex_wake(_Atomic uint32_t *word);

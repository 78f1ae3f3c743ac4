/*
 * saved - what the emperor writes down of one app, for the emperor after it: which processes it has and how they are
 * known, its doors, whether it is to run, and the bytes that served last. Text, a field a line; a digest at the end
 * tells a file that is torn. Pure: bytes to a value and back.
 *
 * A line more or less is another version. Those before are still read, so that an upgrade takes over as a crash does; what
 * they do not say is 0 and empty. So are later ones, for the way back: their further lines, numbers and spans are passed
 * over. For that a line, once there, keeps its place and its meaning: what means something else gets another name, and a
 * build that must not guess misses the old one and refuses.
 */
#pragma once
#include "emperor/app_state.h"
#include "emperor/watch/fingerprint.h"
#include "shared/address.h"
#include "shared/limits.h"
#include "shared/span.h"
#include <limits.h>

struct buf;
struct err;

#define SAVED_VERSION 3
#define SAVED_OLDEST  1 /* was: no configurations, nothing of probation and rollback */
#define SAVED_DOORS   ((size_t)2 * (LIMIT_LISTENERS + 1))
#define SAVED_HEAD    (64UL * 1024) /* all but the spans: 34 doors and two reasons are 7 KB */
#define SAVED_BYTES   (3UL * LIMIT_INI_BYTES + 3UL * LIMIT_CONFIG_BLOB + SAVED_HEAD)
#define SAVED_TEXT    512

struct saved_generation {
	uint64_t number, bank, part; /* enum generation_part */
	uint64_t pid, start, uid;    /* of its front: see exits.h */
	uint64_t link, log; /* legacy_identify() of the link, and of the pipe of its log or 0 */
	uint64_t serving_ns, serving_wall_ns;
	uint64_t speaks; /* MSG_VERSION */
};

struct saved_door {
	uint64_t number, socket, name; /* legacy_identify(); name: 0 = has none */
	char address[ADDRESS_TEXT];
};

struct saved {
	bool later; /* decoded from a later version: there may be more than is known here */
	char name[LIMIT_NAME];
	char file[PATH_MAX]; /* path of its ini */
	char boot[64];       /* of the machine: pids and descriptors are this boot's */
	char reason[SAVED_TEXT];
	char rolled_why[SAVED_TEXT];
	uint64_t id, ids; /* the app's, and the last that was given */
	uint64_t state;   /* enum app_state */
	uint64_t gone;    /* its ini is deleted, it drains */
	uint64_t begun;   /* a generation was starting, or was to start */
	uint64_t
		ended; /* by an emperor that was stopped: nothing of it runs, this is what was decided */
	uint64_t good; /* ini has served: it is what to come back to */
	uint64_t
		rolled; /* it was rolled back, or is about to be: those bytes count, not the file's */
	uint64_t trial; /* what serves is on probation: since serving_ns, and from the base on */
	uint64_t base_requests, base_errors;
	uint64_t scaled;              /* processes of what serves, by command; 0: none was given */
	uint64_t cut_from, processes; /* max-workers has given it fewer: of how many, how many; 0 */
	uint64_t since_wall_ns, restarts, numbers, last_bank;
	uint64_t board, gate_end, front_end,
		door_numbers;            /* legacy_identify() of the first three */
	struct fingerprint print;        /* of the file as it was last taken */
	uint64_t owner, roots;           /* of ini */
	uint64_t file_owner, file_roots; /* of file_ini */
	uint64_t
		old_number; /* of the generation that ran what to come back to; 0: there is nothing */
	uint64_t old_owner, old_roots;     /* of old_ini */
	uint64_t old_requests, old_errors; /* while that one served */
	uint64_t
		old_wanted; /* processes of that, or of what came back, if max-workers had left fewer; 0 */
	uint64_t served;     /* generation that serves; 0: none */
	uint64_t bad_number; /* of the generation that was rolled back from; 0: unknown */
	struct saved_generation generations[LIMIT_BANKS];
	size_t generations_n;
	struct saved_door doors[SAVED_DOORS];
	size_t doors_n;
	/* Decoded, these point into the input. */
	struct span ini; /* the bytes that served last, else those that are to */
	struct span
		file_ini; /* what stands in the file, if that is something else; n 0: it is not */
	struct span
		config; /* config_items.h: by which the front that serves runs, or what was rolled back */
	struct span old_ini, old_config;
	struct span bad_config; /* what was rolled back from */
};

/*
 * Nothing of it runs any more: it is what an emperor leaves that is stopped. rests: it is not to be started by the next one.
 */
void saved_end(struct saved *s, bool rests);
/* -EFBIG: more than SAVED_BYTES. */
int saved_encode(const struct saved *s, struct buf *out);
/* -EBADMSG: err says what is wrong with it. */
int saved_decode(struct span bytes, struct saved *ret, struct err *err);

/*
 * state - the structs that the front's modules share: the front itself, its connections, its jobs. Private to this
 * folder. Who owns what: a connection owns its descriptor, buffers and spools; a job (one per exchange slot) borrows
 * the connection that asked, until either ends.
 *
 *   HEAD ──► BODY ──► WAIT ──► (answer) ──► FLUSH ──► HEAD
 *     │                 │                     └─────► LINGER ──► DEAD
 *     ├──► FILE ────────┴──► HEAD, LINGER
 *     └──► PASS ──► DEAD
 */
#pragma once
#include <ev.h>
#include <netinet/in.h>

#include "shared/buf.h"
#include "shared/pass.h"
#include "shared/request_id.h"
#include "shared/scoreboard.h"
#include "vassal/exchange/exchange.h"
#include "vassal/front/diskpool.h"
#include "vassal/front/fuse.h"
#include "vassal/front/logbook.h"
#include "vassal/front/notes.h"
#include "vassal/front/order.h"
#include "vassal/front/pace.h"
#include "vassal/front/siphash.h"
#include "vassal/front/spool.h"
#include "vassal/front/start.h"
#include "vassal/front/timers.h"
#include "vassal/proto/chunked.h"
#include "vassal/proto/framing.h"
#include "vassal/proto/request.h"

struct blame;
struct error_pages;
struct fastcgi;
struct pool;
struct routed;
struct routed_job;
struct routing_table;
struct static_file;
struct statics;
struct triggers;
struct vassal_config;

#define FRONT_SCRATCH (64UL * 1024) /* one read; also the largest head */
#define FRONT_EVENTS  256           /* of one epoll_wait */
#define FRONT_ROUNDS \
	32 /* of our epoll set before libev gets its turn: signals and timers may wait for 0.1 s */

/* What an event of our epoll set belongs to; the first member of whatever is registered there. */
enum watch_kind { WATCH_CONN, WATCH_DOOR, WATCH_EXCHANGE };
struct watched {
	enum watch_kind kind;
};

enum conn_state {
	CONN_HEAD,   /* idle, or a head is on its way */
	CONN_BODY,   /* the head stands in conn->in, the body is being collected */
	CONN_QUEUED, /* complete, waits in the front's own queue: no slot is free */
	CONN_WAIT,   /* submitted: waits for a worker or for its answer */
	CONN_FILE,   /* a static file is being opened or sent */
	CONN_FLUSH,  /* the answer is complete in conn->out, the client reads slowly */
	CONN_LINGER, /* our side is shut; what the client still sends is read and dropped */
	CONN_PASS,   /* waits for the gate or the next generation to take it */
	CONN_DEAD,   /* ended in this loop turn; freed at its end */
};

enum conn_timer {
	TIMER_HEAD,
	TIMER_BODY,
	TIMER_IDLE,
	TIMER_WRITE,
	TIMER_QUEUE,
	TIMER_LINGER,
	TIMER_PASS,
	TIMER_COUNT,
};

/* The gate's word about a connection: which later requests the front may answer itself (pass.h). */
struct route {
	uint32_t epoch;
	uint16_t flags;
	bool has_host; /* the first request has shown its host */
	char host[LIMIT_HOST + 1];
	size_t host_n;
	struct span script, carve; /* into text */
	char text[];
};

struct answer {
	enum framing_body body;
	bool begun; /* some of the head has been given to the socket or the spool */
	bool given; /* all of it has, as far as its client waits for: it knows its length */
	bool keep_alive;
	unsigned status;
	uint64_t left; /* FRAMING_LENGTH: body bytes still to come */
	uint64_t sent; /* body bytes given to the client */
};

struct conn {
	struct watched watched; /* first */
	uint8_t state;          /* enum conn_state */
	uint8_t protocol; /* enum proto_kind; PROTO_HTTP until its first bytes have been seen */
	uint8_t spoken;   /* enum listener_protocol: what its address speaks */
	bool opened;      /* its first bytes have said what it is */
	bool unix_peer;   /* it came by a UNIX socket */
	bool proxied;     /* a PROXY header has named the client */
	bool proxied_tls; /* and says that it came by TLS */
	bool in_epoll, readable, eof, half_closed;
	bool end_told;     /* epoll has told of the end of input, and will not again */
	bool feeding;      /* bytes of it are being parsed: not to be handed over just now */
	bool ready_listed; /* stands in front->ready */
	bool close_after;  /* no further request on this connection */
	bool is_head, minor11, https;
	bool trust_known,
		is_trusted; /* the peer: a proxy that may say since when it had a request */
	bool wants_keep;    /* the client and the protocol allow another request */
	bool chunked_in;
	unsigned requests_n; /* that it has brought to us so far */
	int fd;
	int slot; /* CONN_WAIT; else -1 */
	uint16_t listener;
	bool own_listener;
	struct front *front;
	struct conn *prev, *next;             /* all connections, or the free list */
	struct conn *next_ready;              /* has bytes to parse or room to fill */
	struct conn *queue_prev, *queue_next; /* CONN_QUEUED */
	struct timer timer;

	struct buf in; /* unparsed bytes; while a request is in work: its head, then what follows */
	size_t head_n; /* bytes of the kept head at the start of in; 0: none is kept */
	size_t scanned; /* of in, by an earlier look; FastCGI: bytes since the last request ended */

	struct spool body;
	struct siphash body_digest; /* of a body on file; see fusebox.c */
	bool body_digested;         /* that has begun: all that came so far is in it */
	struct chunked chunked;
	enum body_kind body_kind;
	uint64_t body_left; /* BODY_LENGTH: still to come */

	struct spool out;
	struct answer answer;
	struct static_file *file;
	struct route *route;     /* from the gate; NULL: own listener */
	struct fastcgi *records; /* owned; NULL: it does not speak FastCGI */
	struct buf rest; /* FastCGI: what was read and waits until the answer before it is over */
	bool has_length; /* FastCGI: body_left is what CONTENT_LENGTH says */
	struct routed *routed;   /* what the ini's rules have made of the request; NULL: nothing */
	struct routed_job *held; /* a password is looked up: no byte of the request is used yet */
	bool was_held;           /* its head is parsed again, and counted already */
	unsigned
		roots_missed; /* rules' folders before this one do not have its file: a disk thread has looked */

	struct pace pace;     /* of a body that comes, or of an answer that is to be read */
	bool is_awaited;      /* patience.c: something waits for the client to read */
	uint64_t given;       /* bytes that the kernel was given since then, with those it had */
	uint64_t stalled_ns;  /* since when it is we who do not take the body; 0: we do */
	uint64_t begun_ns;    /* first byte of the request's head; CONN_LINGER: since when */
	uint64_t watched_ns;  /* registered with epoll */
	uint64_t complete_ns; /* when it began to wait for a worker, its time in a proxy included */
	uint64_t waited_ns;   /* in a proxy, by its word */
	char line[BOARD_LINE];
	char id[LIMIT_REQUEST_ID];
	/* of the connection: its peer's, or what its PROXY header has said */
	char addr[INET6_ADDRSTRLEN], port[8], self_port[8];
	char client[INET6_ADDRSTRLEN]; /* of the request, by a trusted proxy's word; "": addr */
};

/* What the front knows of an exchange slot that it has submitted. Lives until the worker's END or death. */
struct job {
	bool used;
	bool parked;      /* filled, and not with the workers: standing.c */
	bool slow_said;   /* slow-request was reported */
	bool killed;      /* harakiri: the worker is on its way out */
	bool looked;      /* an incomplete answer was left alone for one look */
	bool interrupted; /* by interrupt-timeout; its client was answered */
	bool renewed;     /* and its worker has been told to take no more */
	unsigned had;     /* what the client had by then; 0: it had left */
	struct conn
		*conn; /* NULL: the client has gone or was answered otherwise; frames are dropped */
	bool watched;  /* key holds: somebody was suspected when it was submitted */
	struct fuse_key key;
	uint64_t body_digest; /* EXCHANGE_BODY_FILE */
	struct spool body;    /* EXCHANGE_BODY_FILE */
	bool has_file;        /* CREW_FILE has come */
	int file_fd;          /* then, until it is sent: ours */
	uint64_t file_at;
	size_t touched;
	int park_prev, park_next; /* slots; -1: none */
	uint64_t queued_ns;
	uint64_t interrupted_ns; /* how long it had been in work then */
};

enum door_kind { DOOR_LISTENER, DOOR_GATE, DOOR_ADOPT };

struct door {
	struct watched watched; /* first */
	enum door_kind kind;
	bool open; /* registered */
	int fd;    /* -1: none */
	uint16_t index;
	uint8_t spoken; /* enum listener_protocol */
	bool is_unix;
	char name[INET6_ADDRSTRLEN], port[8];
};

enum phase {
	PHASE_STARTING,
	PHASE_READY, /* workers wait; the emperor has not said SERVE */
	PHASE_SERVING,
	PHASE_DRAINING, /* no new connections; what is open is finished or handed over */
	PHASE_STOPPING, /* pool_stop was called */
	PHASE_ENDED,
};

struct front {
	struct ev_loop *loop;
	struct vassal_config *config; /* live.c alone changes it */
	const char *name;
	uint64_t generation;
	uint32_t bank_index;
	struct scoreboard *board;
	struct board_bank *bank;
	struct board_counters *count;
	struct exchange *exchange;
	struct exchange_shape shape;
	struct pool *pool;
	struct tasks *tasks; /* programs beside the app; NULL: none */
	bool pool_gone;      /* its last process; those beside it may still be ending */
	bool replaced;       /* another generation serves */
	enum phase phase;
	int exit_code;
	bool alone;
	bool bare;        /* files and no app: pool is NULL */
	bool serve_asked; /* MSG_SERVE came before the pool was ready */

	/* loop */
	int epoll_fd;
	ev_io epoll_io;
	ev_timer tick, wake_timer, drain_timer, bare_timer;
	ev_idle more;
	ev_prepare before_sleep;
	ev_check after_sleep;
	ev_signal signals[7];
	struct watched exchange_watched;
	bool in_turn;
	uint64_t now_ns, wall_ns;
	int64_t date_s;
	char date[30];
	struct request_id_source ids;
	struct start_clock start_clock;

	/* link */
	int link_fd;
	ev_io link_io;
	int heir_fd;          /* next generation takes idle connections here; -1 none */
	ev_io heir_io;        /* while more are idle than it has room for */
	int heir_says;        /* -errno of the last that it did not take */
	bool gate_ends;       /* with us: it takes nothing back */
	bool pidfile_is_kept; /* by the emperor */
	uint64_t drain_ns;    /* when draining began */

	/* doze */
	struct {
		ev_timer timer;
		uint64_t active_ns; /* when something was in hand last */
		uint64_t events;    /* requests and connections at that time */
	} doze;

	/* doors: own listeners, the gate's, older generations' */
	struct door listeners[LIMIT_LISTENERS];
	uint32_t listeners_n;
	struct door gate;
	struct door adopt[LIMIT_BANKS];
	bool doors_open, doors_paused;
	const _Atomic uint32_t *epoch; /* NULL: none */

	/* connections */
	struct conn *conns; /* all that are open */
	struct conn *free_conns, *dead_conns;
	unsigned conns_n, conns_limit;
	unsigned fds_limit;      /* descriptors that we may have */
	unsigned conns_carefree; /* up to so many connections there are descriptors for all */
	struct conn *ready_first, **ready_last;
	struct timer_list timers[TIMER_COUNT];

	/* queue */
	struct conn *queue_first, *queue_last;
	unsigned queued_n;
	struct job jobs[EXCHANGE_SLOTS_MAX];
	unsigned jobs_n; /* slots in use */
	enum order order;
	uint64_t
		awaited_ns; /* since when requests wait for a worker that sleeps or is on its way; 0: none do */
	unsigned parked_first, parked_last, parked_n; /* slots, oldest to newest */
	bool lane_stalled[LIMIT_LANES];

	/* sides */
	struct diskpool disk;
	struct diskpool
		far_disk; /* one that gives no answer must not hold up bodies, and files that are near */
	struct logbook log;
	unsigned notes_n; /* said so far: see notes.h */
	struct rare_notes rare_notes;
	struct spool_budget temp_bytes;
	struct spool_limits out_limits, body_limits;
	bool forwarded_said; /* that X-Forwarded-* was dropped */
	struct blame *blame; /* NULL until the first one is needed */
	struct fuse fuse;
	bool fuse_blown; /* in the burial that is under way */
	struct siphash_key digest_key;
	struct statics *statics;   /* NULL: the app has no files */
	struct error_pages *pages; /* owned; NULL: plain ones */
	struct span added;         /* "Name: value\r\n"... of every answer; owned */
	struct routing_table
		*routing;          /* the ini's rules; lives as long as the process. NULL: none */
	struct triggers *triggers; /* owned; NULL: none */

	char scratch[FRONT_SCRATCH];
	char head_scratch[LIMIT_RESPONSE_HEAD + 4096];
	char joined[4096];
	uint8_t vars_scratch[EXCHANGE_SLOT_BYTES];
};

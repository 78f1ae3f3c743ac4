/*
 * limits - every number that bounds a peer and is not an option, with its reason. Options have theirs in the
 * option table (vassal_config.c, emperor/options.c). Nothing a peer sends may grow without one of these.
 */
#pragma once

/* -- names and files ------------------------------------------------------------------------------------ */
#define LIMIT_NAME \
	64 /* an app's name, NUL included: a file name less ".ini"; fits every status table */
#define LIMIT_INI_BYTES 1048576 /* one ini file; the largest of 152 sampled had 12 KB */
#define LIMIT_INI_SHOWN \
	32768 /* of it, masked, in the history: 20 of each app; the largest of those had 12 KB */
#define LIMIT_INI_LINE \
	65536 /* one line; log-format and log-encoder lines pass 200 bytes, none 64 K */
#define LIMIT_INI_ITEMS   4096 /* key/value pairs after includes and loops: bounds a for-loop bomb */
#define LIMIT_INI_DEPTH   16   /* includes inside includes */
#define LIMIT_CONFIG_BLOB 4194304 /* the config memfd of one generation: items with their origins */
#define LIMIT_APPS        1024    /* apps of one emperor: each costs it 4 to 8 descriptors */
#define LIMIT_TENANT_APPS \
	128 /* of them, one owner's in tyrant mode: nobody pushes the others out */
#define LIMIT_SCAN_NAMES \
	16384               /* new names of one directory in one look: 16 times LIMIT_APPS, 1 MB */
#define LIMIT_SCAN_LINKS 40 /* links on the way to one ini; the kernel's own number */
#define LIMIT_LISTENERS  16 /* an app's own addresses */
#define LIMIT_DOMAINS    64 /* names of one app */
#define LIMIT_PORTS      16 /* shared ports of one emperor */

/* -- processes ------------------------------------------------------------------------------------------ */
#define LIMIT_WORKERS 128 /* processes of one app: the scoreboard has a row for each */
#define LIMIT_THREADS 64  /* threads of one worker */
#define LIMIT_LANES   512 /* workers x threads of one app: exchange lanes and scoreboard rows */
#define LIMIT_BANKS \
	4 /* generations of one app alive at once: one serving, one starting, two draining */
#define LIMIT_RESTARTS_HELD \
	3 /* fronts lost in a row while clients wait for the next one: some 2 s of back-off; more is a loop */
#define LIMIT_RESTARTS_ASKED \
	5 /* fronts that leave within seconds because they were told to (TERM); more are a loop as well */
#define LIMIT_TASKS 16 /* daemons and timed jobs of one app: the scoreboard has a row for each */
#define LIMIT_TASK_RUNS \
	4 /* runs of one timed job at once, if it may run beside itself: a minute's job that hangs must not pile up */
#define LIMIT_TASK_NAME  32 /* of one of them, NUL included */
#define LIMIT_TASK_TOUCH 8  /* files whose change starts a daemon anew: looked at each second */

/* -- a request ------------------------------------------------------------------------------------------ */
#define LIMIT_HEAD_BYTES \
	(64UL * 1024) /* request line and fields; more is 431. The uwsgi protocol's own ceiling */
#define LIMIT_BODY_MEMORY \
	(64UL * 1024)     /* a body that a request slot holds; a longer one is a file */
#define LIMIT_HEADERS 128 /* fields of one head; browsers send 20, proxies add 10 */
#define LIMIT_METHOD  32  /* WebDAV's longest is 17; more is 501 (RFC 9112 3) */
#define LIMIT_CGI_VARS \
	512 /* variables of one request by uwsgi, FastCGI or SCGI; a proxy's params and 128 fields are half of it */
#define LIMIT_FASTCGI_QUESTION \
	256 /* bytes of a FastCGI record that asks for values; all three of them need 51 */
#define LIMIT_FASTCGI_QUESTIONS \
	16 /* answers of ours to records that are no request, before one must come: nobody may pile them up */
#define LIMIT_PROXY_BYTES \
	4096 /* a PROXY header: 232 bytes and TLVs, of which a client's certificate is the longest */
#define LIMIT_FORWARDED \
	32 /* last elements of X-Forwarded-For or Forwarded that are read: proxies in one chain are a handful */
#define LIMIT_HOST       255 /* a DNS name is 253 (RFC 1035 2.3.4) plus ":port" of which we keep none */
#define LIMIT_REQUEST_ID 64 /* an X-Request-ID that we take over; longer ones are replaced */
#define LIMIT_RESPONSE_HEAD \
	(64UL * 1024)        /* status and fields from the app; more is the app's mistake: 500 */
#define LIMIT_CHUNK_LINE 256 /* chunk size with extensions (RFC 9112 7.1.1); more is an attack */
#define LIMIT_CHUNK_EXTENSIONS \
	16384 /* of all chunks of a body together: they cost CPU and say nothing that anybody uses */
#define LIMIT_TRAILER_BYTES 8192 /* trailer section of a chunked body; read and dropped */
#define LIMIT_FIELD_LINES   4 /* lines of one list field that are looked at, where it may be split */
#define LIMIT_RANGES \
	16 /* of one request; PDF readers ask for ten. More, and it is answered with the whole */

/* -- the gate ------------------------------------------------------------------------------------------- */
#define LIMIT_GATE_HEAD \
	8192 /* bytes of a request that the gate reads while it looks for Host; more without one is 431 */
/* Of a connection: the longest PROXY header does not shorten the request. */
#define LIMIT_GATE_READ (LIMIT_GATE_HEAD + LIMIT_PROXY_BYTES)
/* Bytes already read that travel with a passed connection: the longest head, and a page more, so that one that is too
   long is seen before they do not fit. */
#define LIMIT_PASS_BYTES (68UL * 1024)
#define LIMIT_GATE_CONNS \
	4096 /* connections that have not shown their Host yet; more wait in the backlog */
#define LIMIT_GATE_QUEUE \
	256 /* connections per app that its door does not take just now; more get 503 */
/* Of all of those together: 4096 ordinary heads; long ones must not become 280 MB. */
#define LIMIT_GATE_QUEUE_BYTES (16UL * 1024 * 1024)
#define LIMIT_GATE_HEAD_S \
	10 /* seconds for them; a phone on a bad line needs 3, a slow-loris gets no more */
#define LIMIT_GATE_FAIR_S \
	1 /* after this long the oldest of LIMIT_GATE_CONNS must go when a new one comes */
#define LIMIT_GATE_QUEUE_S \
	30 /* in that queue: longer than any sane reload, shorter than a proxy's patience */
#define LIMIT_GATE_STANDIN \
	512 /* clients of apps that are down, at their own listeners: those must not crowd out the shared ports */
#define LIMIT_GATE_LINES \
	10 /* of the log in a second, about answers of the gate's own: anybody can ask for them */
#define LIMIT_GATE_LINGER_S 2 /* a client's time to read our last answer: see farewell.h */
#define LIMIT_GATE_DRAIN \
	(1024UL *        \
	 1024) /* bytes dropped meanwhile: the body that nginx takes by default (1m) must not turn our 503 into its 502 */
#define LIMIT_GATE_STOP_S 2 /* connections in hand when the gate is told to end */
#define LIMIT_CARVE_BYTES \
	2048 /* other apps' paths below this one's, on the same host, sent with a connection */

/* -- the front ------------------------------------------------------------------------------------------ */
#define LIMIT_CONNECTIONS \
	65536 /* of one front, if half its descriptors are not fewer; about 1 KB each */
#define LIMIT_CROWD_IDLE_MS \
	200ULL /* idle for so long before it is closed for a new one: its next request may be on the wire */
#define LIMIT_CROWD_HEAD_S \
	1 /* as at the gate: then the oldest unfinished head goes, when a new client comes */
#define LIMIT_SPARE_FDS \
	16 /* free before a passed connection is received: without one the kernel drops it */
#define LIMIT_CONN_FDS \
	6 /* of one connection at most: its own, two temp files, a static file, two on their way to a disk */
#define LIMIT_SPOOL_FILE \
	(1024LL * 1024 * 1024) /* of one answer on disk for a slow reader; then its worker waits */
#define LIMIT_SPOOL_TOTAL    \
	(8LL * 1024 * 1024 * \
	 1024) /* of all of a front's temp files: others live on that disk too */
#define LIMIT_LINGER_SILENCE_S \
	2 /* a client that still sends when its last answer was given is read on, so that no reset eats that */
#define LIMIT_LINGER_S 30 /* and for how long at most: 10 MB by a phone, a proxy's whole buffer */
#define LIMIT_LINGER_TURN \
	(256UL * 1024) /* bytes of it in one turn of the loop: others want theirs */
#define LIMIT_INTERRUPT_RENEW_MS \
	250 /* in which most are gone; then a worker with threads takes nothing that it might take along */
#define LIMIT_INTERRUPT_GRACE_S \
	2 /* for an app to clean up after RequestTimeout: a rollback takes ms; then its worker is killed */
#define LIMIT_PASS_S 2 /* a connection that the gate or the next generation does not take: 503 */
#define LIMIT_START_AGE_S \
	3600 /* a proxy's X-Request-Start that is older is no time of this request */
#define LIMIT_START_STALE \
	16 /* requests in a row that are late on arrival; then the proxy's clock is not believed */
#define LIMIT_IDLE_GRACE_S \
	1 /* a front that ends keeps idle connections so long: a request may be on the wire */
#define LIMIT_HALF_CLOSE_MS \
	100 /* an end of input this soon after a request is a half-close (printf | nc), later it
				   means that the client has left */
#define LIMIT_STATIC_MAPS 64 /* directories of one app: each may be asked for a file in turn */
#define LIMIT_MOUNTS      64 /* apps of one process: each request looks at all of them */
#define LIMIT_STATIC_RULES \
	64 /* patterns of one app: each is held against every file that is sent */
#define LIMIT_STATIC_FILES  128 /* files kept open for the next who asks, if there are descriptors */
#define LIMIT_STATIC_FILE_S 1   /* after so long their names are looked up again */
#define LIMIT_STATIC_IDLE_S 5   /* unasked for so long, they are closed */
#define LIMIT_MIME_BYTES    (1024UL * 1024) /* one file of types; Debian's has 72 KB */
#define LIMIT_MIME_TYPES    8192            /* endings in all of them; Debian knows 1500 */
#define LIMIT_ADDED_HEADERS 4096 /* bytes of add-header: they go into every answer's head */
#define LIMIT_ERROR_PAGE    (64UL * 1024) /* one page of error-page-*: all are kept in memory */
#define LIMIT_STATIC_PATH \
	1024 /* a file's path below its static-map; longer ones are nobody's files */
#define LIMIT_ROUTING_RULES  256 /* of one ini; each may be tried for each request */
#define LIMIT_ROUTING_PIECES 32  /* variables and texts of one template */
#define LIMIT_ROUTING_VAR    64 /* a variable's name; HTTP_ and the longest field name in use are 40 */
#define LIMIT_ROUTING_TEXT \
	4096 /* a Location, a field, a file's name; browsers follow 2 KB, files have PATH_MAX */
/* Steps of one regular expression: simple ones need hundreds on a long path, a hostile one is ended after some ms. */
#define LIMIT_ROUTING_STEPS    100000
#define LIMIT_ROUTING_HEAP_KIB 1024 /* memory of the same */
/* Clients whose password is being hashed, two at a time and 100 ms each: more would wait longer than they do. 503 */
#define LIMIT_HTPASSWD_WAITING 64
#define LIMIT_HTPASSWD_BYTES   (256UL * 1024) /* one file: 3000 users */
/* uwsgi.set_logvar(): names and values of one request in its line of the log. A user, an order, a duration: 100 bytes */
#define LIMIT_LOGVARS 256
#define LIMIT_LOGBOOK_BYTES \
	(256UL * 1024) /* log bytes that wait for a disk; more are dropped and counted */

/* -- control -------------------------------------------------------------------------------------------- */
#define LIMIT_CONTROL_LINE  4096 /* a command to the emperor */
#define LIMIT_CONTROL_CONNS 64   /* clients of the control socket at once */
#define LIMIT_STATS_CONNS   64   /* clients of the stats sockets at once */
#define LIMIT_STATS_HEAD    4096 /* bytes of an HTTP request to a stats socket; browsers send 1 KB */
/* A client of a stats socket that is silent for so long wants bare JSON. On a busy machine one that speaks HTTP may be
 * kept from its CPU for tens of ms between its connect and its request. */
#define LIMIT_STATS_SNIFF_MS 100
#define LIMIT_STATS_S        10   /* one answer of a stats socket, from accept to the last byte */
#define LIMIT_STATS_EVENTS   1000 /* rows of one /events answer: about 300 KB */
#define LIMIT_STATS_BLAMES   100  /* rows of one /blame answer: 1 MB if all have long stacks */
#define LIMIT_STATS_INIS     20   /* rows of one /inis answer: all that an app has */
#define LIMIT_STATS_MINUTES  1440 /* rows of one /history answer: a day, about 1 MB */
#define LIMIT_BYTECODE \
	(8L * 1024 *   \
	 1024) /* one .pyc that the engine reads itself; the largest of Debian's has 0.6 MB */
#define LIMIT_MODULES       8192 /* files that py-autoreload watches of one app; large ones import 3000 */
#define LIMIT_MODULES_BYTES (4UL * 1024 * 1024) /* their paths, as a worker tells them */
/* Of one generation, in `emperorctl status`: who has more to say has said it in its log */
#define LIMIT_FRONT_NOTES 16
#define LIMIT_MSG_TEXT    2048 /* text in a control message: the last lines of a traceback */

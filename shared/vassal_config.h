/*
 * vassal_config - what an app's ini means: the option table of a vassal and the struct it fills. The table is the only
 * source of names, aliases, types, ranges, defaults, units, reload classes and texts: parsing, `check`, --help, man
 * pages, the example ini and the fuzz dictionary all walk it.
 */
#pragma once
#include "shared/address.h"
#include "shared/config_items.h"
#include "shared/cron.h"
#include "shared/inifile.h"
#include "shared/limits.h"
#include "shared/option.h"
#include "shared/routing.h"
#include "shared/trust.h"
#include <sys/types.h>

enum listener_protocol {
	LISTENER_HTTP,
	LISTENER_UWSGI,
	LISTENER_FASTCGI,
	LISTENER_SCGI,
	LISTENER_ANY, /* the first bytes of a connection say which */
};

struct listener_config {
	enum listener_protocol protocol;
	struct address address;
	char *text; /* as the ini says it */
};

struct domain_config {
	char *host; /* lower case, no port; "*.b.example" keeps its star; "" for the default route */
	char *path; /* "" or "/blog": no trailing slash */
};

/* Asked in this order. */
enum static_kind {
	STATIC_MAP,   /* below target is what follows mount in the URL */
	STATIC_MAP2,  /* below target is the URL's whole path */
	STATIC_CHECK, /* check-static: everything */
};

struct static_map_config {
	enum static_kind kind;
	char *mount;  /* "/static": segment boundary */
	char *target; /* file or directory */
};

/* What a pattern is held against; the first kind that matches decides. */
enum expires_of { EXPIRES_TYPE, EXPIRES_FILE, EXPIRES_PATH, EXPIRES_URI };

struct expires_config {
	enum expires_of of;
	bool from_mtime; /* counted from the file's last change, not from now */
	char *pattern;   /* EXPIRES_TYPE: the type itself; else a regular expression, as it came */
	unsigned seconds;
};

struct error_page_config {
	unsigned status;
	char *file;
};

/* Another app in the same process. */
struct mount_config {
	char *path; /* "/admin": segment boundary; "" is everything */
	char *app;  /* as module says it, or a file that ends in .py */
};

enum task_kind { TASK_DAEMON, TASK_CRON };

#define TASK_HARAKIRI_UNSET 0xffffffffU /* while it is built: cron-harakiri counts */

/* A program that runs beside the app: attach-daemon, cron and their kin. */
struct task_config {
	enum task_kind kind;
	char name[LIMIT_TASK_NAME]; /* from the command, or name=; no two of an app are equal */
	char *command;              /* for /bin/sh -c */
	char *chdir;                /* NULL: the app's */
	int stop_signal;

	/* daemons */
	bool control;             /* its end ends the generation */
	bool detaches;            /* runs for as long as anything that it started does */
	unsigned attempts;        /* freq: given up after so many early ends in a row; 0 never */
	struct option_list touch; /* started anew when one of these changes */

	/* timed jobs */
	struct cron_spec when;
	bool unique;         /* never beside itself */
	unsigned harakiri_s; /* 0 = never */
};

struct vassal_config {
	/* listening */
	struct listener_config listeners[LIMIT_LISTENERS];
	size_t listeners_n;
	struct domain_config *domains;
	size_t domains_n;
	bool default_site;     /* default = true: requests that no domain claims */
	unsigned listen;       /* backlog; 0 = somaxconn */
	unsigned chmod_socket; /* 0666 */
	char *chown_socket;    /* "user:group" or NULL */

	/* the app */
	char *module; /* "pkg.mod", "pkg.mod:obj", "pkg.mod:factory()" */
	char *wsgi_file;
	char *callable; /* NULL: application, then app */
	struct mount_config *mounts;
	size_t mounts_n;
	bool no_default_app;
	char *chdir;
	char *home;   /* virtualenv */
	char *python; /* "3.12" or NULL */
	struct option_list pythonpath;
	struct option_list env;    /* "NAME=value" */
	struct option_list warmup; /* "/path" */

	/* processes */
	unsigned processes, threads;
	bool lazy_apps;
	uint64_t max_requests;        /* 0 = never */
	uint64_t max_requests_delta;  /* width of the jitter; UINT64_MAX = a tenth */
	uint64_t reload_on_rss_bytes; /* 0 = off */
	uint64_t reload_on_pss_bytes, reload_on_uss_bytes, reload_on_as_bytes;
	uint64_t evil_reload_on_rss_bytes,
		evil_reload_on_as_bytes; /* a request that does not end is no excuse */
	unsigned max_lifetime_s;         /* 0 = never */
	unsigned max_lifetime_delta_s;   /* width of the jitter; UINT_MAX = a tenth */
	unsigned min_lifetime_s;
	unsigned cheaper; /* so few when little is to do; 0 = always all */
	unsigned cheaper_initial, cheaper_step;
	unsigned idle_s; /* without a request: no workers, only the mold; 0 = never */
	bool cheap;
	bool idle_refork; /* before the first nap */
	unsigned
		refork; /* requests until a worker becomes the parent of the next mold; 0 = never */
	unsigned harakiri_s;          /* 0 = off */
	unsigned interrupt_timeout_s; /* 0 = off */
	unsigned deadlock_timeout_s;  /* 0 = off */
	unsigned slow_request_s;      /* warn; 0 = off */
	unsigned sleep_after_s;       /* 0 = never sleeps */
	bool on_demand;               /* begins asleep */
	bool die_on_idle;             /* sleep-after is what idle says */
	unsigned startup_timeout_s;
	unsigned graceful_timeout_s; /* reload-mercy */
	unsigned worker_mercy_s;     /* worker-reload-mercy */

	/* reload */
	struct option_list touch_reload, fs_reload; /* paths */
	char *health_check;                         /* "/path" or NULL */
	unsigned health_check_status;
	unsigned probation_s;     /* 0 = off */
	unsigned py_autoreload_s; /* 0 = off */

	/* identity and limits */
	char *uid, *gid; /* names or numbers as written, or NULL */
	struct option_list add_gid;
	mode_t umask;                /* (mode_t)-1 = leave */
	unsigned max_fd;             /* 0 = leave */
	uint64_t limit_as_bytes;     /* 0 = none */
	uint64_t limit_memory_bytes; /* of all processes, by a cgroup; 0 = none */
	unsigned limit_nproc;        /* 0 = leave */
	int prio;                    /* niceness; 0 = leave */
	unsigned cpu_affinity;       /* CPUs of each worker; 0 = leave */
	bool no_new_privs;

	/* requests */
	unsigned buffer_size;        /* bytes of a head: more is 431 */
	unsigned limit_uri;          /* bytes of a target: more is 414; 0 = as buffer_size */
	unsigned limit_headers;      /* fields of a head: more is 431 */
	uint64_t limit_post;         /* bytes of a body: more is 413; 0 = unlimited */
	unsigned post_buffering;     /* bytes of a body kept in memory */
	unsigned keepalive_s;        /* idle connection; 0 = no keep-alive */
	bool early_hints;            /* 103 is sent */
	unsigned keepalive_requests; /* of one connection; 0 = unlimited */
	unsigned header_timeout_s, body_timeout_s, socket_timeout_s;
	uint64_t min_rate;   /* bytes per second of a body or an answer, on average; 0 = none */
	unsigned queue_size; /* requests waiting; more get 503 */
	unsigned queue_timeout_s;     /* waited longer: 503 */
	struct trust trusted_proxies; /* who may speak for others, beside peers on UNIX sockets */
	enum forwarded_mode forwarded_header;
	uint64_t
		response_buffer; /* bytes of an answer kept in memory for a slow reader; then a file */

	/* files */
	struct static_map_config *static_maps; /* by kind, then as they stand */
	size_t static_maps_n;
	struct static_map_config *sendfile_roots; /* mount "": X-Sendfile names the path itself */
	size_t sendfile_roots_n;
	struct option_list static_index, static_safe, static_skip_ext;
	struct option_list mimefiles;
	struct expires_config *expires;
	size_t expires_n;
	bool static_gzip_all;
	struct option_list static_gzip, static_gzip_dir, static_gzip_ext;
	struct option_list add_headers; /* "Name: value" */
	struct routing routing;
	struct error_page_config *error_pages;
	size_t error_pages_n;

	/* beside the app */
	struct task_config *tasks;
	size_t tasks_n;
	unsigned cron_harakiri_s; /* of timed jobs that say nothing; 0 = never */

	/* logs, statistics */
	char *logto;
	bool disable_logging;
	char *stats; /* address of a stats socket of this app, or NULL */
	char *pidfile;
	char *procname; /* or NULL: the app's name */

	/* while it is built */
	enum listener_protocol protocol; /* of `socket` lines that follow */
	bool strict;                     /* unknown keys are errors */
};

/* "http", "uwsgi" ...: in messages. */
const char *listener_protocol_name(enum listener_protocol protocol);

extern const struct option vassal_options[];
extern const size_t vassal_options_n;

/*
 * Fills *ret from items; defaults first. Every bad value is an error "file:line: key: ...", unknown keys that nobody
 * refers to, odd numbers and options that do nothing here are notes. *ret is to be done in any case.
 */
int vassal_config_build(const struct config_items *items, struct vassal_config *ret,
			struct inifile_notes *notes, struct err *err);
/*
 * The same for who wants to see every error (emperorctl check): all of them go to errors, bounded as notes are, and what
 * could be understood is in *ret. 0, or the code of the first. *ret is to be done in any case.
 */
int vassal_config_check(const struct config_items *items, struct vassal_config *ret,
			struct inifile_notes *notes, struct inifile_notes *errors);
/*
 * Takes the options of items that can change while the app runs over into a configuration that is in use; everything
 * else in it stays as it is. items have been built into a configuration before: they are good.
 */
int vassal_config_take_live(struct vassal_config *c, const struct config_items *items,
			    struct err *err);
void vassal_config_done(struct vassal_config *c);
void vassal_task_done(struct task_config *t);

/* The last item that sets an option, by its name or an alias; NULL if none does. Borrowed. */
const struct config_item *vassal_config_item(const struct config_items *items, const char *name);

/* True for the names of uWSGI's options, those that we do not know included. */
bool uwsgi_names_has(const char *name);

/*
 * static_inner - what the modules of static files share: static_file (who asks, and what for), static_send (the bytes),
 * static_handover (files of the app's choice). Private to them.
 */
#pragma once
#include "shared/request_id.h"
#include "vassal/front/record.h"
#include "vassal/front/state.h"
#include "vassal/front/static_cache.h"
#include "vassal/front/static_plan.h"
#include "vassal/front/static_rules.h"
#include "vassal/front/static_types.h"

struct static_root {
	const char *mount, *target; /* config's */
	bool whole_path;            /* static-map2 */
	bool said;                  /* that it is not there */
	bool far;                   /* of a file system that only disk threads may ask: fd_is_far */
	int fd;                     /* O_PATH; -1: not there */
	dev_t device;
	uint64_t opened_ns;
};

struct statics {
	struct static_rules rules;
	struct static_types types;
	struct static_cache cache;
	unsigned maps_n, sends_n,
		roots_n; /* maps first, then sendfile-root, then those of routes */
	struct static_root roots[];
};

/* An answer of the app that names a file, copied. */
struct static_handed {
	struct static_said said;
	struct static_ask ask;
	struct span reason, fields; /* its own, less those that the file decides; text */
	struct record record;
	char logvars[LIMIT_LOGVARS + 1]; /* record's */
	unsigned root;
	size_t text_n, room;
	char path[LIMIT_STATIC_PATH];  /* below the root */
	char shown[LIMIT_STATIC_PATH]; /* as it was named */
	char text[];
};

/* A file that is being looked for by a disk thread, or sent in more than one go. */
struct static_file {
	struct conn *conn;
	struct diskjob *job;          /* a disk thread works for us; owns itself */
	struct static_entry *entry;   /* a use of it; NULL while it is looked for */
	struct static_handed *handed; /* owned; NULL: the request itself named the file */
	unsigned root;                /* where it is looked for */
	bool directory;
	int fd;               /* the entry's */
	uint64_t size;        /* of the form that is sent */
	uint64_t at, left;    /* of the part that is being sent */
	uint64_t record_left; /* FastCGI: of the record whose head has been sent */
	unsigned part;        /* which one */
	struct http_ranges ranges;
	bool multipart;
	struct span type; /* types' or handed's */
	char boundary[LIMIT_REQUEST_ID];
	char path[LIMIT_STATIC_PATH];
};

/* Takes over what its end has said, unless that is NULL. */
void static_handed_know(struct static_handed *h, const struct record *known);
struct static_file *static_file_new(struct conn *c);
/* The number of the root that a rule of the ini has. */
unsigned static_root_of_route(const struct front *f, size_t rule);
/*
 * The directory of a root, opened anew now and then: borrowed. -EAGAIN: a disk thread is to look into it, which opens it
 * itself if *ret_fd is -1. Another error: it is not there.
 */
int static_root_of(struct front *f, unsigned i, int *ret_fd);
/* A disk thread has opened it, or has not: fd is a negative errno then. Takes fd. */
void static_root_opened(struct front *f, unsigned i, int fd, bool far);
/*
 * Answers with an entry's file; takes the caller's use of it, and handed. in: the request; NULL if it is handed's.
 */
void static_serve(struct conn *c, struct static_entry *e, const struct static_ask *ask,
		  const struct request *rq, struct static_handed *handed);

enum static_outcome {
	STATIC_ANSWERED, /* or ended, or a disk thread will go on */
	STATIC_NOT_HERE,
	STATIC_NO_ROOM, /* no memory, or no descriptor is left */
};

/* Looks a path up below a root, in memory first, and answers. handed is taken with the first outcome alone. */
enum static_outcome static_try(struct conn *c, unsigned root, const char *path, bool directory,
			       const struct static_ask *ask, const struct request *rq,
			       struct static_handed *handed);
/* A disk thread has looked for what the app named. Takes handed. */
void static_handover_end(struct conn *c, struct static_handed *handed, enum static_outcome outcome);

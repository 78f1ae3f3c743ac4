/*
 * static_file - see static_file.h.
 */
#include "vassal/front/static_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "shared/clock.h"
#include "shared/vassal_config.h"
#include "vassal/front/conn.h"
#include "vassal/front/errors.h"
#include "vassal/front/intake.h"
#include "vassal/front/loop.h"
#include "vassal/front/patience.h"
#include "vassal/front/record.h"
#include "vassal/front/state.h"
#include "vassal/front/static_path.h"
#include "vassal/proto/http1.h"

#define SMALL_FILE     (64UL * 1024)  /* head and file in one writev */
#define SEND_PIECE     (256UL * 1024) /* one sendfile, and what a disk thread fetches at once */
#define SENDS_PER_TURN 4
#define PAGE           4096
#define ROOT_AGE_NS    NS_PER_S /* a directory that was replaced by a deploy is noticed after this */

struct static_root {
	const char *mount, *target; /* config's */
	int fd;                     /* O_PATH; -1: not there */
	uint64_t opened_ns;
};

/* What the client already has. */
struct wish {
	char none_match[256];
	size_t none_match_n;
	int64_t modified_since; /* -1: not asked */
};

struct static_file {
	struct conn *conn;
	struct static_job *job; /* a disk thread works for us; owns itself */
	int fd;                 /* -1: not open yet */
	uint64_t at, left, size;
	struct wish wish;
	char path[LIMIT_STATIC_PATH];
};

struct static_job {
	struct diskjob disk; /* owner = struct static_file */
	int root_fd, fd;     /* ours: duplicates */
	uint64_t at;
	char path[LIMIT_STATIC_PATH];
};

static void job_free(struct static_job *job)
{
	if (job->root_fd >= 0)
		(void)close(job->root_fd);
	if (job->fd >= 0)
		(void)close(job->fd);
	free(job);
}

void static_file_free(struct static_file *sf)
{
	if (!sf)
		return;
	if (sf->job)
		sf->job->disk.owner = NULL;
	if (sf->fd >= 0)
		(void)close(sf->fd);
	free(sf);
}

/* Opens a file below root, or root itself when path is "". O_NONBLOCK: a FIFO must not stop us. */
static int open_below(int root_fd, const char *path, bool cached_only)
{
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS |
					  (cached_only ? RESOLVE_CACHED : 0)};
	char self[64];
	long fd;

	if (path[0] == '\0') {
		(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", root_fd);
		fd = open(self, (int)how.flags);
	} else {
		fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	}
	return fd < 0 ? -errno : (int)fd;
}

static void work_open(struct diskjob *disk)
{
	struct static_job *job = container_of(disk, struct static_job, disk);

	job->fd = open_below(job->root_fd, job->path, false);
}

/* Touches each page: the next sendfile finds them. */
static void work_fetch(struct diskjob *disk)
{
	const struct static_job *job = container_of(disk, struct static_job, disk);
	char byte;

	(void)posix_fadvise(job->fd, (off_t)job->at, SEND_PIECE, POSIX_FADV_WILLNEED);
	for (uint64_t i = 0; i < SEND_PIECE; i += PAGE)
		if (pread(job->fd, &byte, 1, (off_t)(job->at + i)) <= 0)
			return;
}

static struct static_root *root_of(struct front *f, unsigned i)
{
	struct static_root *root = &f->roots[i];

	if (root->fd >= 0 && f->now_ns - root->opened_ns < ROOT_AGE_NS)
		return root;
	if (root->fd >= 0)
		(void)close(root->fd);
	root->fd = open(root->target, O_PATH | O_CLOEXEC);
	root->opened_ns = f->now_ns;
	return root->fd >= 0 ? root : NULL;
}

int static_roots_open(struct front *f)
{
	const struct vassal_config *g = f->config;

	if (g->static_maps_n == 0)
		return 0;
	f->roots = calloc(g->static_maps_n, sizeof(*f->roots));
	if (!f->roots)
		return -ENOMEM;
	for (size_t i = 0; i < g->static_maps_n; i++) {
		f->roots[i] = (struct static_root){.mount = g->static_maps[i].mount,
						   .target = g->static_maps[i].target,
						   .fd = -1};
		if (!root_of(f, (unsigned)i))
			logbook_say(&f->log, f->wall_ns, "static-map %s: %s: %s", f->roots[i].mount,
				    f->roots[i].target, strerror(errno));
	}
	f->roots_n = g->static_maps_n;
	return 0;
}

static void note_wish(struct wish *w, const struct http_head *head)
{
	w->modified_since = -1;
	w->none_match_n = 0;
	for (unsigned i = 0; i < head->fields_n; i++) {
		const struct http_field *fd = &head->fields[i];

		if (span_eq_nocase(fd->name, SPAN("If-None-Match")) &&
		    fd->value.n <= sizeof(w->none_match)) {
			memcpy(w->none_match, fd->value.p, fd->value.n);
			w->none_match_n = fd->value.n;
		} else if (span_eq_nocase(fd->name, SPAN("If-Modified-Since"))) {
			w->modified_since = static_path_date(fd->value);
		}
	}
}

/* RFC 9110 13.2.2: If-Modified-Since counts only where there is no If-None-Match. */
static bool is_fresh(const struct wish *w, struct span etag, int64_t mtime_s)
{
	if (w->none_match_n > 0)
		return static_path_none_match(span_of(w->none_match, w->none_match_n), etag);
	return w->modified_since >= 0 && mtime_s <= w->modified_since;
}

static ssize_t make_head(struct conn *c, const struct static_file *sf, const struct stat *st)
{
	struct front *f = c->front;
	char fields[512], etag[48], modified[30];
	int etag_n = snprintf(etag, sizeof(etag), "\"%llx%08lx-%llx\"",
			      (unsigned long long)st->st_mtim.tv_sec,
			      (unsigned long)st->st_mtim.tv_nsec, (unsigned long long)st->st_size);
	struct span type = static_path_type(sf->path);
	bool fresh = is_fresh(&sf->wish, span_of(etag, (size_t)etag_n), st->st_mtim.tv_sec);
	struct framing_facts facts = {.status = fresh ? 304 : 200,
				      .length = fresh ? -1 : st->st_size,
				      .minor = c->minor11,
				      .is_head = c->is_head,
				      .keep_alive = conn_may_keep(c),
				      .date = span_of(f->date, 29),
				      .request_id = span_str(c->id)};
	int n;

	framing_date(modified, st->st_mtim.tv_sec);
	n = snprintf(fields, sizeof(fields),
		     "Content-Type: %.*s\r\nLast-Modified: %s\r\nETag: %s\r\n", (int)type.n, type.p,
		     modified, etag);
	facts.fields = span_of(fields, (size_t)n);
	c->answer = (struct answer){.begun = true, .status = facts.status};
	return framing_head(f->head_scratch, sizeof(f->head_scratch), &facts, &c->answer.body,
			    &c->answer.keep_alive);
}

static void note_answer(const struct conn *c)
{
	struct record r = {.status = c->answer.status, .body_bytes = c->answer.sent};

	board_add(&c->front->count->static_requests, 1);
	record_request(c, &r);
}

static void finish(struct conn *c)
{
	static_file_free(TAKE_PTR(c->file));
	note_answer(c);
	timer_clear(&c->timer);
	conn_answered(c);
}

/* The head has promised more than will come: only a reset says so. */
static void fail(struct conn *c, const char *path, int error)
{
	if (error != -EPIPE && error != -ECONNRESET)
		logbook_say(
			&c->front->log, c->front->wall_ns, "static file %s [%s]: %s", path, c->id,
			error == -ENODATA ? "became shorter while it was sent" : strerror(-error));
	note_answer(c);
	conn_kill(c, true);
}

/* The file is open: head, and the body as far as it is at hand. False: it is no regular file. */
static bool serve(struct conn *c)
{
	struct front *f = c->front;
	struct static_file *sf = c->file;
	struct iovec iov[2];
	struct stat st;
	ssize_t n, got = 0;

	if (fstat(sf->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	n = make_head(c, sf, &st);
	if (n < 0) {
		static_file_free(TAKE_PTR(c->file));
		error_answer(c, 500, 0);
		return true;
	}
	iov[0] = (struct iovec){f->head_scratch, (size_t)n};
	sf->left = c->answer.body == FRAMING_LENGTH ? (uint64_t)st.st_size : 0;
	if (sf->left > 0 && sf->left <= SMALL_FILE) {
		iov[1] = (struct iovec){f->vars_scratch, (size_t)sf->left};
		got = preadv2(sf->fd, &iov[1], 1, 0, RWF_NOWAIT);
		got = MAX(got, 0);
		iov[1].iov_len = (size_t)got;
	}
	c->state = CONN_FILE;
	if (conn_write(c, iov, got > 0 ? 2 : 1) < 0) {
		conn_lost(c);
		return true;
	}
	sf->at = (uint64_t)got;
	sf->left -= (uint64_t)got;
	c->answer.sent = (uint64_t)got;
	static_continue(c);
	return true;
}

static struct static_job *job_new(struct static_file *sf, int root_fd, int fd)
{
	struct static_job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->disk.owner = sf;
	job->root_fd = root_fd < 0 ? -1 : fcntl(root_fd, F_DUPFD_CLOEXEC, 3);
	job->fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
	job->at = sf->at;
	memcpy(job->path, sf->path, sizeof(job->path));
	return job;
}

static void on_opened(struct diskjob *disk)
{
	struct static_job *job = container_of(disk, struct static_job, disk);
	struct static_file *sf = disk->owner;
	struct conn *c;

	if (!sf) {
		job_free(job);
		return;
	}
	c = sf->conn;
	sf->job = NULL;
	sf->fd = job->fd >= 0 ? TAKE_FD(job->fd) : -1;
	job_free(job);
	if (sf->fd >= 0 && serve(c))
		return;
	static_file_free(TAKE_PTR(c->file));
	intake_complete(c);
	/* outside a turn nobody wakes the worker that the request was queued for */
	loop_kick(c->front);
}

static void on_fetched(struct diskjob *disk)
{
	struct static_job *job = container_of(disk, struct static_job, disk);
	struct static_file *sf = disk->owner;

	if (sf) {
		sf->job = NULL;
		static_continue(sf->conn);
	}
	job_free(job);
}

/* Is the next page in memory? If not, a disk thread fetches what comes next. */
static bool is_warm(struct front *f, struct static_file *sf)
{
	char byte;
	struct iovec iov = {&byte, 1};

	if (preadv2(sf->fd, &iov, 1, (off_t)sf->at, RWF_NOWAIT) >= 0 || errno != EAGAIN)
		return true;
	sf->job = job_new(sf, -1, sf->fd);
	if (!sf->job)
		return true;
	sf->job->disk.work = work_fetch;
	sf->job->disk.done = on_fetched;
	if (diskpool_submit(&f->disk, &sf->job->disk))
		return false;
	job_free(TAKE_PTR(sf->job));
	return true;
}

/* 1 = all sent, 0 = waits, or -errno. */
static int send_pieces(struct conn *c, struct static_file *sf)
{
	struct front *f = c->front;

	for (unsigned i = 0; sf->left > 0; i++) {
		off_t at = (off_t)sf->at;
		ssize_t n;

		if (i == SENDS_PER_TURN) {
			conn_ready(c);
			return 0;
		}
		if (!is_warm(f, sf))
			return 0;
		n = sendfile(c->fd, sf->fd, &at, (size_t)MIN(sf->left, (uint64_t)SEND_PIECE));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (n == 0)
			return -ENODATA; /* became shorter while it was sent */
		sf->at += (uint64_t)n;
		sf->left -= (uint64_t)n;
		c->answer.sent += (uint64_t)n;
		board_add(&f->count->bytes_out, (uint64_t)n);
		if (sf->left > 0 && !patience_gave(c, (uint64_t)n))
			return -ECANCELED;
	}
	return 1;
}

void static_continue(struct conn *c)
{
	struct static_file *sf = c->file;
	int r;

	if (!sf || sf->fd < 0 || sf->job || !spool_empty(&c->out))
		return;
	r = send_pieces(c, sf);
	if (r == 1) {
		finish(c);
	} else if (r == -ECANCELED) {
		return; /* it has ended */
	} else if (r < 0) {
		fail(c, sf->path, r);
	} else if (conn_watch(c) && !timer_is_set(&c->timer)) {
		patience_begin(c);
	}
}

bool static_waits(const struct conn *c)
{
	return c->file && c->file->job;
}

/* 1 = open, 0 = a disk thread will tell, -1 = no such file. */
static int open_somehow(struct front *f, struct static_file *sf, const struct static_root *root)
{
	int fd = open_below(root->fd, sf->path, true);

	if (fd >= 0) {
		sf->fd = fd;
		return 1;
	}
	/* EINVAL: a kernel before 5.12 does not know RESOLVE_CACHED */
	if (fd != -EAGAIN && fd != -EINVAL)
		return -1;
	sf->job = job_new(sf, root->fd, -1);
	if (!sf->job)
		return -1;
	sf->job->disk.work = work_open;
	sf->job->disk.done = on_opened;
	if (diskpool_submit(&f->disk, &sf->job->disk))
		return 0;
	job_free(TAKE_PTR(sf->job));
	return -1;
}

static bool begin_below(struct conn *c, const struct static_root *root, const char *path,
			const struct http_head *head)
{
	struct static_file *sf = calloc(1, sizeof(*sf));
	int r;

	if (!sf)
		return false;
	sf->conn = c;
	sf->fd = -1;
	(void)snprintf(sf->path, sizeof(sf->path), "%s", path);
	note_wish(&sf->wish, head);
	r = open_somehow(c->front, sf, root);
	c->file = sf;
	if (r == 0) {
		c->state = CONN_FILE;
		timer_clear(&c->timer);
		return true;
	}
	if (r > 0 && serve(c))
		return true;
	static_file_free(TAKE_PTR(c->file));
	return false;
}

bool static_begin(struct conn *c, const struct http_head *head, const struct request *rq)
{
	struct front *f = c->front;
	char path[LIMIT_STATIC_PATH];

	if (!rq->is_head && !span_eq(rq->method, SPAN("GET")))
		return false;
	for (unsigned i = 0; i < f->roots_n; i++) {
		const struct static_root *root;
		struct span rest;

		if (!static_path_match(f->roots[i].mount, rq->path, &rest))
			continue;
		/* a map may name one file: then the mount is its whole path */
		path[0] = '\0';
		if (rest.n > 0 && !static_path_decode(rest, path))
			continue;
		root = root_of(f, i);
		if (root && begin_below(c, root, path, head))
			return true;
	}
	return false;
}

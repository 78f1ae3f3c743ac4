/*
 * static_send - see static_send.h.
 *
 * A small file that is in memory leaves with its head in one write, and nothing of it stays here. Larger ones go by
 * sendfile(), a quarter of a megabyte at a time: pages are asked for first (RWF_NOWAIT), and what is cold is fetched by
 * a disk thread.
 */
#include "vassal/front/static_send.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "vassal/front/conn.h"
#include "vassal/front/patience.h"
#include "vassal/front/records.h"
#include "vassal/front/static_file.h"
#include "vassal/front/static_inner.h"
#include "vassal/proto/fastcgi.h"

#define SMALL_FILE     (64UL * 1024)  /* head and file in one write */
#define SEND_PIECE     (256UL * 1024) /* one sendfile, and what a disk thread fetches at once */
#define SENDS_PER_TURN 4
#define PAGE           4096

struct fetch {
	struct diskjob disk; /* owner = struct static_file */
	int fd;              /* ours: a duplicate */
	uint64_t at;
	/* of a far file */
	size_t room;
	char *bytes; /* ours */
	ssize_t got; /* or -errno */
	uint64_t size;
};

static void note_answer(const struct conn *c, const struct static_handed *handed)
{
	struct record r = handed ? handed->record : (struct record){0};

	r.status = c->answer.status;
	r.body_bytes = c->answer.sent;
	if (!handed)
		board_add(&c->front->count->static_requests, 1);
	record_request(c, &r);
}

void static_lost(const struct conn *c)
{
	note_answer(c, c->file ? c->file->handed : NULL);
}

static void finish(struct conn *c, const struct static_handed *handed)
{
	note_answer(c, handed);
	static_file_free(TAKE_PTR(c->file));
	conn_answered(c);
}

/* The head has promised more than will come: only a reset says so. */
static void fail(struct conn *c, int error)
{
	const struct static_file *sf = c->file;

	/* what could not be written, or be waited for, has ended it */
	if (c->state == CONN_DEAD)
		return;
	if (error != -EPIPE && error != -ECONNRESET)
		logbook_say(&c->front->log, c->front->wall_ns, "static file %s [%s]: %s",
			    sf->handed ? sf->handed->shown : sf->entry->path, c->id,
			    error == -ENODATA ? "became shorter while it was sent"
					      : strerror(-error));
	note_answer(c, sf->handed);
	conn_kill(c, true);
}

/* -- cold pages ----------------------------------------------------------------------------------------- */

/* Touches each page: the next sendfile finds them. */
static void work_fetch(struct diskjob *disk)
{
	const struct fetch *job = container_of(disk, struct fetch, disk);
	char byte;

	(void)posix_fadvise(job->fd, (off_t)job->at, SEND_PIECE, POSIX_FADV_WILLNEED);
	for (uint64_t i = 0; i < SEND_PIECE; i += PAGE)
		if (pread(job->fd, &byte, 1, (off_t)(job->at + i)) <= 0)
			return;
}

static void on_fetched(struct diskjob *disk)
{
	struct fetch *job = container_of(disk, struct fetch, disk);
	struct static_file *sf = disk->owner;

	(void)close(job->fd);
	free(job);
	if (sf) {
		sf->job = NULL;
		static_continue(sf->conn);
	}
}

static bool submit(struct diskpool *pool, struct static_file *sf, struct fetch *job)
{
	if (!job)
		return false;
	job->disk.owner = sf;
	job->fd = fcntl(sf->fd, F_DUPFD_CLOEXEC, 3);
	job->at = sf->at;
	if (job->fd >= 0 && diskpool_submit(pool, &job->disk)) {
		sf->job = &job->disk;
		return true;
	}
	if (job->fd >= 0)
		(void)close(job->fd);
	free(job);
	return false;
}

/* False: it could not be, so the loop itself waits for the disk. */
static bool fetch(struct front *f, struct static_file *sf)
{
	struct fetch *job = calloc(1, sizeof(*job));

	if (job)
		job->disk = (struct diskjob){.work = work_fetch, .done = on_fetched};
	return submit(&f->disk, sf, job);
}

/* Is the next page in memory? If not, a disk thread fetches what comes next. */
static bool is_warm(struct front *f, struct static_file *sf)
{
	char byte;
	struct iovec iov = {&byte, 1};

	if (preadv2(sf->fd, &iov, 1, (off_t)sf->at, RWF_NOWAIT) >= 0 || errno != EAGAIN)
		return true;
	return !fetch(f, sf);
}

/* -- pieces that are no file ------------------------------------------------------------------------------ */

/* What follows it is at hand. 0, or -errno: the client has gone. */
static int write_more(struct conn *c, struct iovec *iov)
{
	return c->records ? records_write(c, iov, 1, false) : conn_write_more(c, iov, 1);
}

/* Nothing of the answer follows but, in records, its end. */
static int write_rest(struct conn *c, struct iovec *iov)
{
	return c->records ? records_write(c, iov, 1, false) : conn_write_last(c, iov, 1);
}

/* -- far files ------------------------------------------------------------------------------------------- */

/* Also what sendfile() does with pages that are here may ask how the file is by now: so its bytes are brought. */
static void work_bring(struct diskjob *disk)
{
	struct fetch *job = container_of(disk, struct fetch, disk);
	struct stat st;

	job->bytes = malloc(job->room);
	if (!job->bytes)
		errno = ENOMEM;
	job->got = -1;
	while (job->bytes &&
	       (job->got = pread(job->fd, job->bytes, job->room, (off_t)job->at)) < 0 &&
	       errno == EINTR)
		;
	if (job->got < 0 || fstat(job->fd, &st) < 0)
		job->got = -errno;
	else
		job->size = (uint64_t)st.st_size;
	(void)close(job->fd);
}

/* Gives the client what was brought. 0, or -errno; -ECANCELED: it has ended. */
static int give(struct conn *c, struct static_file *sf, struct iovec *iov)
{
	const uint64_t n = iov->iov_len, stored = c->out.total;
	int r;

	sf->at += n;
	sf->left -= n;
	c->answer.sent += n;
	r = sf->left > 0 || sf->multipart ? write_more(c, iov) : write_rest(c, iov);
	/* what is stored counts when it goes */
	if (r == 0 && sf->left > 0 && !patience_gave(c, n - MIN(n, c->out.total - stored)))
		r = -ECANCELED;
	return r;
}

static void on_brought(struct diskjob *disk)
{
	struct fetch *job = container_of(disk, struct fetch, disk);
	struct static_file *sf = disk->owner;
	struct iovec iov = {job->bytes, 0};
	struct conn *c;
	int r;

	if (!sf) {
		free(job->bytes);
		free(job);
		return;
	}
	c = sf->conn;
	sf->job = NULL;
	if (job->got <= 0 || job->size < sf->size) {
		r = job->got < 0 ? (int)job->got : -ENODATA;
	} else {
		iov.iov_len = (size_t)MIN((uint64_t)job->got, sf->left);
		r = give(c, sf, &iov);
	}
	free(job->bytes);
	free(job);
	if (r < 0)
		fail(c, r);
	else
		static_continue(c);
}

/* False: no thread, or no memory. */
static bool bring(struct front *f, struct static_file *sf)
{
	struct fetch *job = calloc(1, sizeof(*job));

	if (job) {
		job->disk = (struct diskjob){.work = work_bring, .done = on_brought};
		job->room = (size_t)MIN(sf->left, (uint64_t)SEND_PIECE);
	}
	return submit(&f->far_disk, sf, job);
}

/* -- parts ---------------------------------------------------------------------------------------------- */

/* The next part's head, or what ends the last one. -errno: the client has gone. */
static int begin_part(struct conn *c, struct static_file *sf)
{
	const struct http_range *r = sf->part < sf->ranges.n ? &sf->ranges.v[sf->part] : NULL;
	char buf[STATIC_PART_HEAD];
	struct iovec iov = {.iov_base = buf};

	if (r) {
		sf->at = r->first;
		sf->left = r->n;
	}
	if (!sf->multipart)
		return 0;
	iov.iov_len =
		static_plan_part(span_str(sf->boundary), sf->type, r, sf->size, sf->part == 0, buf);
	c->answer.sent += iov.iov_len;
	return r ? write_more(c, &iov) : write_rest(c, &iov);
}

/* Pages that sendfile() moves stand in records too: their heads go before them. 0, or -errno: the client has gone. */
static int begin_record(struct conn *c, struct static_file *sf)
{
	uint8_t head[FASTCGI_HEAD];
	struct iovec iov = {head, sizeof(head)};

	if (!c->records || sf->record_left > 0 || sf->left == 0 || sf->entry->found.far)
		return 0;
	sf->record_left = MIN(sf->left, (uint64_t)FASTCGI_CHUNK);
	fastcgi_stdout_head(head, c->records->id, sf->record_left);
	return conn_write_more(c, &iov, 1);
}

/* The part that is sent has ended. 1: it was the last. */
static int next_part(struct conn *c, struct static_file *sf)
{
	int r;

	sf->part++;
	if (sf->part >= sf->ranges.n && !sf->multipart)
		return 1;
	r = begin_part(c, sf);
	if (r < 0)
		return r;
	return sf->part >= sf->ranges.n;
}

/*
 * The socket holds pages of the file, not copies. Of a file that was cut meanwhile it now holds zeroes, which must not
 * pass for the file.
 */
static int check_end(const struct static_file *sf)
{
	struct stat st;

	if (sf->entry->found.far) /* copies, and looked at with each piece */
		return 1;
	if (fstat(sf->fd, &st) < 0)
		return -errno;
	return (uint64_t)st.st_size < sf->size ? -ENODATA : 1;
}

/* Where a part has ended the next begins. 1 = none is left, 0 = there is something to send, or no room, or -errno. */
static int advance(struct conn *c, struct static_file *sf)
{
	while (sf->left == 0 && spool_empty(&c->out)) {
		int r = next_part(c, sf);

		if (r != 0)
			return r < 0 ? r : check_end(sf);
	}
	return spool_empty(&c->out) ? begin_record(c, sf) : 0;
}

/* One piece. Bytes sent, or -errno. */
static ssize_t send_piece(struct conn *c, struct static_file *sf)
{
	uint64_t most = c->records ? sf->record_left : sf->left;
	off_t at = (off_t)sf->at;
	ssize_t n;

	do
		n = sendfile(c->fd, sf->fd, &at, (size_t)MIN(most, (uint64_t)SEND_PIECE));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n == 0)
		return -ENODATA; /* became shorter while it was sent */
	sf->at += (uint64_t)n;
	sf->left -= (uint64_t)n;
	sf->record_left -= MIN(sf->record_left, (uint64_t)n);
	c->answer.sent += (uint64_t)n;
	board_add(&c->front->count->bytes_out, (uint64_t)n);
	return n;
}

/* 1 = all sent, 0 = waits, or -errno. */
static int send_pieces(struct conn *c, struct static_file *sf)
{
	for (unsigned i = 0;; i++) {
		ssize_t n = advance(c, sf);

		if (n != 0 || !spool_empty(&c->out))
			return (int)n;
		if (i == SENDS_PER_TURN) {
			conn_ready(c);
			return 0;
		}
		if (sf->entry->found.far)
			return bring(c->front, sf) ? 0 : -ENOMEM;
		if (!is_warm(c->front, sf))
			return 0;
		n = send_piece(c, sf);
		if (n < 0)
			return n == -EAGAIN ? 0 : (int)n;
		if (sf->left > 0 && !patience_gave(c, (uint64_t)n))
			return -ECANCELED;
	}
}

void static_continue(struct conn *c)
{
	struct static_file *sf = c->file;
	int r;

	if (!sf || !sf->entry || sf->job || !spool_empty(&c->out))
		return;
	r = send_pieces(c, sf);
	if (r == 1 && c->records && records_write(c, &(struct iovec){0}, 0, true) < 0)
		r = -EPIPE;
	if (r == 1) {
		finish(c, sf->handed);
	} else if (r == -ECANCELED) {
		return; /* it has ended */
	} else if (r < 0) {
		fail(c, r);
	} else if (conn_watch(c) && !timer_is_set(&c->timer)) {
		patience_begin(c);
	}
}

/* -- the beginning -------------------------------------------------------------------------------------- */

/* The head with all of a small body. False: the body is not at hand; nothing has happened. */
static bool send_at_once(struct conn *c, size_t n, const struct static_plan *plan,
			 const struct static_entry *e)
{
	struct front *f = c->front;
	struct iovec iov[2] = {{f->head_scratch, n}, {f->vars_scratch, 0}};
	ssize_t got;

	if (c->answer.body == FRAMING_LENGTH && plan->length > 0) {
		if (plan->multipart || plan->length > SMALL_FILE || e->found.far)
			return false;
		iov[1].iov_len = (size_t)plan->length;
		got = preadv2(plan->form->fd, &iov[1], 1, (off_t)plan->ranges.v[0].first,
			      RWF_NOWAIT);
		if (got != (ssize_t)plan->length)
			return false;
		c->answer.sent = plan->length;
	}
	if (records_write(c, iov, iov[1].iov_len > 0 ? 2 : 1, true) < 0)
		conn_lost(c);
	return true;
}

static bool keep(struct conn *c, const struct static_plan *plan, struct static_entry *e,
		 struct static_handed *handed)
{
	struct static_file *sf = c->file ? c->file : static_file_new(c);

	if (!sf)
		return false;
	c->file = sf;
	sf->entry = e;
	sf->handed = handed;
	sf->fd = plan->form->fd;
	sf->size = plan->form->size;
	sf->ranges = plan->ranges;
	sf->multipart = plan->multipart;
	sf->type = plan->type;
	memcpy(sf->boundary, plan->boundary.p, MIN(plan->boundary.n, sizeof(sf->boundary) - 1));
	sf->part = 0;
	sf->record_left = 0;
	return true;
}

void static_send(struct conn *c, size_t n, const struct static_plan *plan, struct static_entry *e,
		 struct static_handed *handed)
{
	struct iovec iov = {c->front->head_scratch, n};

	c->state = CONN_FILE;
	timer_clear(&c->timer); /* it was the head's */
	if (send_at_once(c, n, plan, e)) {
		static_entry_leave(e, &c->front->far_disk);
		if (c->state != CONN_DEAD)
			finish(c, handed);
		free(handed);
		return;
	}
	if (!keep(c, plan, e, handed)) {
		static_entry_leave(e, &c->front->far_disk);
		free(handed);
		conn_kill(c, true);
		return;
	}
	if (write_more(c, &iov) < 0 || begin_part(c, c->file) < 0) {
		conn_lost(c);
		return;
	}
	static_continue(c);
}

/*
 * spool - see spool.h.
 *
 * Sending from the file is done by the loop itself: the bytes were written moments ago and stand in the page cache.
 * Writing is what may wait for the disk (dirty limits, a full journal), so only that goes to a thread.
 */
#include "vassal/front/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "shared/fd.h"
#include "vassal/front/diskpool.h"

#define SENDFILE_MAX (256UL * 1024) /* one call: other connections want their turn */

struct spool_job {
	struct diskjob disk; /* owner = struct spool */
	struct buf bytes;
	int fd; /* a duplicate: the spool may end first */
	uint64_t at;
	bool empty_first; /* what the file holds was sent */
	bool refuse;      /* of the limits */
	int result;
	spool_fn *ready;
	void *arg;
};

static void job_free(struct spool_job *job)
{
	buf_done(&job->bytes);
	if (job->fd >= 0)
		(void)close(job->fd);
	free(job);
}

static void work_write(struct diskjob *disk)
{
	struct spool_job *job = container_of(disk, struct spool_job, disk);
	struct span s = buf_span(&job->bytes);
	uint64_t at = job->at;

	/*
	 * A socket that was given pages by sendfile() refers to the file's own until the client has them: written over,
	 * they would reach it changed. Cut off from the file they live on as they are, and new ones take their place.
	 */
	if (job->empty_first && ftruncate(job->fd, 0) < 0) {
		job->result = -errno;
		return;
	}
	while (s.n > 0) {
		ssize_t n = pwrite(job->fd, s.p, s.n, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			job->result = -errno;
			return;
		}
		at += (uint64_t)n;
		s = span_skip(s, (size_t)n);
	}
}

/* Before what has gathered in memory since. */
static int take_bytes_back(struct spool *s, struct spool_job *job)
{
	size_t n = job->bytes.n;
	int r = buf_append(&job->bytes, s->mem.p + s->mem.start, s->mem.n, SIZE_MAX / 2);

	if (r < 0)
		return r;
	if (s->budget) {
		s->budget->used -= n;
		s->charged -= n;
	}
	buf_done(&s->mem);
	s->mem = job->bytes;
	job->bytes = (struct buf){0};
	s->refused = job->result;
	return 0;
}

static void settle(struct spool *s, struct spool_job *job)
{
	if (job->result >= 0) {
		s->written += job->bytes.n;
		s->stale = false;
	} else {
		s->error = job->refuse ? job->result : take_bytes_back(s, job);
	}
}

static void on_written(struct diskjob *disk)
{
	struct spool_job *job = container_of(disk, struct spool_job, disk);
	struct spool *s = disk->owner;
	spool_fn *ready = job->ready;
	void *arg = job->arg;

	if (!s) {
		job_free(job);
		return;
	}
	settle(s, job);
	s->job = NULL;
	job_free(job);
	ready(arg);
}

static int open_file(struct spool *s, const struct spool_limits *l)
{
	if (s->has_file)
		return 0;
	s->file_fd = open(l->tmpdir, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
	if (s->file_fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) {
		char path[4096];
		int n = snprintf(path, sizeof(path), "%s/vassal-XXXXXX", l->tmpdir);

		if (n < 0 || (size_t)n >= sizeof(path))
			return -ENAMETOOLONG;
		s->file_fd = mkostemp(path, O_CLOEXEC);
		if (s->file_fd >= 0)
			(void)unlink(path);
	}
	if (s->file_fd < 0)
		return -errno;
	s->has_file = true;
	return 0;
}

static void give_back(struct spool *s)
{
	if (s->budget)
		s->budget->used -= s->charged;
	s->charged = 0;
}

static void charge(struct spool *s, const struct spool_limits *l, uint64_t n)
{
	s->budget = l->budget;
	if (!s->budget)
		return;
	s->budget->used += n;
	s->charged += n;
}

/* Nothing more may go to the disk: what others hold of it, and what of ours is not sent yet. */
static bool is_spent(const struct spool *s, const struct spool_limits *l)
{
	uint64_t ours = s->consumed == s->written ? s->charged : 0;

	return l->budget && l->budget->used - ours >= l->budget->limit;
}

/* Hands the bytes in memory to a disk thread. */
static int start_write(struct spool *s, const struct spool_limits *l, struct diskpool *disk,
		       spool_fn *ready, void *arg)
{
	struct spool_job *job;
	int r = open_file(s, l);

	if (r < 0)
		return r;
	job = calloc(1, sizeof(*job));
	if (!job)
		return -ENOMEM;
	if (s->consumed == s->written) {
		/* all of it was sent: begin the file again */
		s->stale |= s->written > 0;
		s->consumed = s->written = 0;
		give_back(s);
	}
	job->empty_first = s->stale;
	job->refuse = l->refuse;
	job->disk.work = work_write;
	job->disk.done = on_written;
	job->disk.owner = s;
	job->at = s->written;
	job->ready = ready;
	job->arg = arg;
	job->fd = fcntl(s->file_fd, F_DUPFD_CLOEXEC, 3);
	if (job->fd < 0) {
		r = -errno;
		job_free(job);
		return r;
	}
	charge(s, l, s->mem.n);
	job->bytes = s->mem;
	s->mem = (struct buf){0};
	s->job = job;
	if (!diskpool_submit(disk, &job->disk)) {
		/* no thread to be had: a short wait for the disk is better than a lost answer */
		work_write(&job->disk);
		s->job = NULL;
		settle(s, job);
		r = s->error;
		job_free(job);
	}
	return r;
}

size_t spool_room(const struct spool *s, const struct spool_limits *l)
{
	size_t left = l->memory > s->mem.n ? l->memory - s->mem.n : 0;

	/* with no file yet (or all of it sent) the file's limit cannot be near */
	if (s->written != s->consumed && s->written + l->memory * 2 > l->file)
		return 0;
	if (s->refused || (!l->refuse && is_spent(s, l)))
		return left;
	/* no write runs: whatever passes the limit starts one */
	return s->job || left > 0 ? left : 1;
}

int spool_append(struct spool *s, const struct spool_limits *l, struct diskpool *disk,
		 spool_fn *ready, void *arg, const void *data, size_t n)
{
	int r;

	if (s->error)
		return s->error;
	r = buf_append(&s->mem, data, n, SIZE_MAX / 2);
	if (r < 0)
		return r;
	s->total += n;
	if (s->mem.n <= l->memory || s->job || s->refused)
		return 0;
	/* who can wait keeps it in memory: spool_room() lets no more come */
	if (is_spent(s, l) && !l->refuse)
		return 0;
	r = is_spent(s, l) ? -EDQUOT : start_write(s, l, disk, ready, arg);
	if (r < 0 && !l->refuse && s->error == 0) {
		s->refused = r; /* no file, no thread: all is in memory still */
		return 0;
	}
	if (r < 0)
		s->error = r;
	return r;
}

bool spool_to_file(struct spool *s, const struct spool_limits *l, struct diskpool *disk,
		   spool_fn *ready, void *arg)
{
	if (s->error)
		return true;
	if (s->job)
		return false;
	if (s->mem.n == 0)
		return true;
	s->error = start_write(s, l, disk, ready, arg);
	return s->error < 0 || !s->job;
}

static int send_file(struct spool *s, int sock, uint64_t *ret_sent)
{
	while (s->consumed < s->written) {
		off_t at = (off_t)s->consumed;
		size_t want = (size_t)MIN(s->written - s->consumed, (uint64_t)SENDFILE_MAX);
		ssize_t n = sendfile(sock, s->file_fd, &at, want);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (n == 0)
			return -EIO;
		s->consumed += (uint64_t)n;
		*ret_sent += (uint64_t)n;
	}
	return 1;
}

int spool_send(struct spool *s, int sock, uint64_t *ret_sent)
{
	int r = send_file(s, sock, ret_sent);

	if (r != 1)
		return r;
	if (s->error)
		return s->error;
	if (s->job)
		return 0;
	while (s->mem.n > 0) {
		ssize_t n = send(sock, s->mem.p + s->mem.start, s->mem.n, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		buf_consume(&s->mem, (size_t)n);
		*ret_sent += (uint64_t)n;
	}
	s->refused = 0;
	return 1;
}

void spool_done(struct spool *s)
{
	if (s->job)
		s->job->disk.owner = NULL;
	give_back(s);
	buf_done(&s->mem);
	if (s->has_file)
		(void)close(s->file_fd);
	*s = (struct spool){0};
}

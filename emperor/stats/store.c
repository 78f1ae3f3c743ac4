/*
 * store - see store.h.
 *
 * Two lists under one lock: jobs on their way to the thread, finished queries and notices on their way back (ev_async).
 * The thread takes all jobs there are and writes them in one transaction. The database is opened by the thread too,
 * and again after OPEN_RETRY_S when that failed: a disk that is mounted late is no reason to be restarted.
 *
 * A query is owned by whichever list it stands in; its arg belongs to the loop's side, which alone clears it.
 */
#include "emperor/stats/store.h"

#include <errno.h>
#include <ev.h>
#include <pthread.h>
#include <stdio.h>

#include "emperor/stats/db.h"
#include "emperor/stats/rows.h"
#include "shared/clock.h"
#include "shared/err.h"
#include "shared/thread.h"

#define STORE_JOBS_MAX    (2 * LIMIT_APPS) /* two minutes of every app: 1 to 2 MB when a disk hangs */
#define STORE_BLAMES_MAX  64               /* of them; 12 KB each */
#define STORE_INIS_MAX    ((size_t)4 * 1024 * 1024) /* bytes of them: two for each of LIMIT_APPS */
#define STORE_QUERIES_MAX 16                        /* each may hold an answer of 1 MB */
/* sqlite's parser and sorter need some 100 KB; untouched pages cost nothing. */
#define STORE_STACK  ((size_t)512 * 1024)
#define OPEN_RETRY_S 10
/* A disk that damages what it stores must not be filled with damaged files. */
#define REPLACE_EVERY_S 600

enum job_kind { JOB_MINUTE, JOB_EVENT, JOB_BLAME, JOB_INI, JOB_PRUNE, JOB_QUERY };

struct job {
	struct job *next;
	enum job_kind kind;
	struct store_query *query; /* JOB_QUERY */
	uint64_t record
		[]; /* struct record_minute, _blame, _ini or _event, the latter cut after its text */
};

struct store_query {
	struct store_query *next;
	struct store_question question;
	store_answer_fn *fn; /* NULL: forgotten. Only the loop's side looks at it */
	void *arg;
	char *text;
	size_t n;
	struct err err;
};

struct store {
	struct ev_loop *loop;
	ev_async wake;
	store_notice_fn *notice;
	void *arg;
	char *path;
	pthread_t thread;
	unsigned queries_n; /* asked and not answered; loop's side */

	pthread_mutex_t lock;
	pthread_cond_t more;
	struct job *head, **tail;
	unsigned jobs_n;
	unsigned blames_n; /* of them */
	size_t inis_bytes; /* of them */
	struct store_query *done;
	struct store_status status;
	char note[ERR_TEXT_MAX + 64]; /* for the notice callback; "" = none */
	bool note_good;
	bool stopping;
	bool ended;

	/* the thread's own */
	struct db *db;
	int64_t open_again_s, replace_again_s;
	bool was_failing;
};

static int64_t wall_s(void)
{
	return (int64_t)(clock_wall_ns() / NS_PER_S);
}

/* -- the thread's side ---------------------------------------------------------------------------------- */

static void say(struct store *s, bool good, const char *text)
{
	(void)pthread_mutex_lock(&s->lock);
	(void)snprintf(s->note, sizeof(s->note), "%s", text);
	s->note_good = good;
	(void)pthread_mutex_unlock(&s->lock);
	ev_async_send(s->loop, &s->wake);
}

static void count(struct store *s, unsigned stored, unsigned dropped, const struct err *err)
{
	(void)pthread_mutex_lock(&s->lock);
	s->status.stored += stored;
	s->status.dropped += dropped;
	s->status.failing = err != NULL;
	if (err)
		(void)snprintf(s->status.last_error, sizeof(s->status.last_error), "%s", err->text);
	(void)pthread_mutex_unlock(&s->lock);
	/* Only a change is told: a full disk would otherwise fill the log as well. */
	if (err && !s->was_failing)
		say(s, false, err->text);
	else if (!err && s->was_failing)
		say(s, true, "the database takes records again");
	s->was_failing = err != NULL;
}

static int need_db(struct store *s, struct err *err)
{
	struct err note = {0};
	int r;

	if (s->db && db_has_moved(s->db)) {
		db_close(TAKE_PTR(s->db));
		say(s, false, "the database was moved or removed; a new one is begun");
	}
	if (s->db)
		return 0;
	if (wall_s() < s->open_again_s)
		return err_set(err, -EAGAIN, "%s", s->status.last_error);
	r = db_open(&s->db, s->path, wall_s(), &note);
	if (r < 0) {
		s->open_again_s = wall_s() + OPEN_RETRY_S;
		if (err)
			*err = note;
		return r;
	}
	if (note.text[0])
		say(s, false, note.text);
	return 0;
}

/* Damage was found in a file that had been opened. True if there is a new one now. */
static bool replace_db(struct store *s)
{
	struct err note = {0};
	int64_t now_s = wall_s();

	db_close(TAKE_PTR(s->db));
	if (now_s < s->replace_again_s) {
		s->open_again_s = s->replace_again_s;
		return false;
	}
	s->replace_again_s = now_s + REPLACE_EVERY_S;
	if (db_replace(&s->db, s->path, now_s, &note) < 0)
		s->open_again_s = now_s + OPEN_RETRY_S;
	say(s, false, note.text);
	return s->db != NULL;
}

static int write_jobs(struct store *s, const struct job *jobs, struct err *err)
{
	uint64_t rows;
	int r = db_begin(s->db, err);

	for (const struct job *j = jobs; j && r == 0; j = j->next) {
		if (j->kind == JOB_MINUTE)
			r = db_add_minute(s->db, (const void *)j->record, err);
		else if (j->kind == JOB_EVENT)
			r = db_add_event(s->db, (const void *)j->record, err);
		else if (j->kind == JOB_BLAME)
			r = db_add_blame(s->db, (const void *)j->record, err);
		else if (j->kind == JOB_INI)
			r = db_add_ini(s->db, (const void *)j->record, err);
		else if (j->kind == JOB_PRUNE)
			r = db_prune(s->db, wall_s(), &rows, err);
	}
	if (r == 0)
		r = db_commit(s->db, err);
	if (r < 0)
		db_rollback(s->db);
	return r;
}

static unsigned count_records(const struct job *jobs)
{
	unsigned n = 0;

	for (const struct job *j = jobs; j; j = j->next)
		n += j->kind != JOB_PRUNE && j->kind != JOB_QUERY;
	return n;
}

static bool any_write(const struct job *jobs)
{
	for (; jobs; jobs = jobs->next)
		if (jobs->kind != JOB_QUERY)
			return true;
	return false;
}

static void write_batch(struct store *s, const struct job *jobs)
{
	struct err err = {0};
	unsigned n = count_records(jobs);
	int r;

	if (!any_write(jobs))
		return;
	r = need_db(s, &err);
	if (r == 0)
		r = write_jobs(s, jobs, &err);
	if (r == -EUCLEAN && s->db && replace_db(s))
		r = write_jobs(s, jobs, &err);
	if (r == 0)
		count(s, n, 0, NULL);
	else
		count(s, 0, n, &err);
}

static void answer_query(struct store *s, struct store_query *q)
{
	int r = need_db(s, &q->err);

	if (r == 0)
		r = rows_read(s->db, &q->question, &q->text, &q->n, &q->err);
	if (r == -EUCLEAN && s->db)
		(void)replace_db(s);

	(void)pthread_mutex_lock(&s->lock);
	q->next = s->done;
	s->done = q;
	(void)pthread_mutex_unlock(&s->lock);
	ev_async_send(s->loop, &s->wake);
}

static void work(struct store *s, struct job *jobs)
{
	write_batch(s, jobs);
	while (jobs) {
		struct job *j = jobs;

		jobs = j->next;
		if (j->kind == JOB_QUERY)
			answer_query(s, j->query);
		free(j);
	}
}

static void *run_thread(void *arg)
{
	struct store *s = arg;
	struct job *jobs;
	bool stopping;

	do {
		(void)pthread_mutex_lock(&s->lock);
		while (!s->head && !s->stopping)
			(void)pthread_cond_wait(&s->more, &s->lock);
		jobs = TAKE_PTR(s->head);
		s->tail = &s->head;
		s->jobs_n = s->blames_n = 0;
		s->inis_bytes = 0;
		stopping = s->stopping;
		(void)pthread_mutex_unlock(&s->lock);
		work(s, jobs);
	} while (!stopping);
	db_close(TAKE_PTR(s->db));
	(void)pthread_mutex_lock(&s->lock);
	s->ended = true;
	(void)pthread_cond_broadcast(&s->more);
	(void)pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* -- the loop's side ------------------------------------------------------------------------------------ */

static void drop_one(struct store *s)
{
	(void)pthread_mutex_lock(&s->lock);
	s->status.dropped++;
	(void)pthread_mutex_unlock(&s->lock);
}

/* With a copy of n bytes of a record: thousands may wait when a disk hangs. NULL: no room. */
static struct job *make_job(struct store *s, enum job_kind kind, const void *record, size_t n)
{
	struct job *j;
	bool full;

	(void)pthread_mutex_lock(&s->lock);
	full = s->jobs_n >= STORE_JOBS_MAX ||
	       (kind == JOB_BLAME && s->blames_n >= STORE_BLAMES_MAX) ||
	       (kind == JOB_INI && s->inis_bytes + n > STORE_INIS_MAX);
	(void)pthread_mutex_unlock(&s->lock);
	j = full ? NULL : malloc(sizeof(*j) + n);
	if (!j)
		return NULL;
	*j = (struct job){.kind = kind};
	if (n > 0)
		memcpy(j->record, record, n);
	return j;
}

/* n: bytes of its record. */
static void push_job(struct store *s, struct job *j, size_t n)
{
	(void)pthread_mutex_lock(&s->lock);
	*s->tail = j;
	s->tail = &j->next;
	s->jobs_n++;
	s->blames_n += j->kind == JOB_BLAME;
	s->inis_bytes += j->kind == JOB_INI ? n : 0;
	(void)pthread_cond_signal(&s->more);
	(void)pthread_mutex_unlock(&s->lock);
}

static void add_record(struct store *s, enum job_kind kind, const void *record, size_t n)
{
	struct job *j = make_job(s, kind, record, n);

	if (j)
		push_job(s, j, n);
	else
		drop_one(s);
}

void store_add_minute(struct store *s, const struct record_minute *m)
{
	add_record(s, JOB_MINUTE, m, sizeof(*m));
}

void store_add_event(struct store *s, const struct record_event *e)
{
	add_record(s, JOB_EVENT, e, offsetof(struct record_event, text) + strlen(e->text) + 1);
}

void store_add_blame(struct store *s, const struct record_blame *b)
{
	add_record(s, JOB_BLAME, b, sizeof(*b));
}

void store_add_ini(struct store *s, const struct record_ini *i)
{
	add_record(s, JOB_INI, i, sizeof(*i) + i->n);
}

void store_prune(struct store *s)
{
	struct job *j = make_job(s, JOB_PRUNE, NULL, 0);

	if (j)
		push_job(s, j, 0);
}

int store_ask(struct store *s, const struct store_question *question, store_answer_fn *fn,
	      void *arg, struct store_query **ret_query, struct err *err)
{
	struct store_query *q;
	struct job *j;

	if (s->queries_n >= STORE_QUERIES_MAX)
		return err_set(err, -EBUSY, "too many questions to the history are waiting");
	q = calloc(1, sizeof(*q));
	j = q ? make_job(s, JOB_QUERY, NULL, 0) : NULL;
	if (!j) {
		free(q);
		return err_set(err, -EBUSY, "the database does not keep up");
	}
	q->question = *question;
	q->fn = fn;
	q->arg = arg;
	j->query = q;
	s->queries_n++;
	push_job(s, j, 0);
	*ret_query = q;
	return 0;
}

void store_forget(struct store_query *q)
{
	q->fn = NULL;
}

void store_read_status(struct store *s, struct store_status *ret)
{
	(void)pthread_mutex_lock(&s->lock);
	*ret = s->status;
	(void)pthread_mutex_unlock(&s->lock);
}

static void deliver(struct store *s, struct store_query *q)
{
	s->queries_n--;
	if (q->fn)
		q->fn(q->arg, TAKE_PTR(q->text), q->n, &q->err);
	free(q->text);
	free(q);
}

static void on_wake(struct ev_loop *loop, ev_async *w, int revents)
{
	struct store *s = container_of(w, struct store, wake);
	char note[sizeof(s->note)];
	struct store_query *done;
	bool good;

	(void)loop;
	(void)revents;
	(void)pthread_mutex_lock(&s->lock);
	done = TAKE_PTR(s->done);
	memcpy(note, s->note, sizeof(note));
	good = s->note_good;
	s->note[0] = '\0';
	(void)pthread_mutex_unlock(&s->lock);
	if (note[0])
		s->notice(s->arg, good, note);
	while (done) {
		struct store_query *q = done;

		done = q->next;
		deliver(s, q);
	}
}

static void release(struct store *s)
{
	(void)pthread_mutex_destroy(&s->lock);
	(void)pthread_cond_destroy(&s->more);
	free(s->path);
	free(s);
}

int store_new(struct store **ret_store, struct ev_loop *loop, const char *path,
	      store_notice_fn *notice, void *arg, struct err *err)
{
	struct store *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(err, -ENOMEM, "out of memory");
	s->path = strdup(path);
	if (!s->path) {
		free(s);
		return err_set(err, -ENOMEM, "out of memory");
	}
	s->loop = loop;
	s->notice = notice;
	s->arg = arg;
	s->tail = &s->head;
	(void)pthread_mutex_init(&s->lock, NULL);
	(void)pthread_cond_init(&s->more, NULL);
	ev_async_init(&s->wake, on_wake);
	ev_async_start(loop, &s->wake);
	r = thread_start(&s->thread, STORE_STACK, run_thread, s);
	if (r < 0) {
		ev_async_stop(loop, &s->wake);
		release(s);
		return err_set(err, r, "cannot start the database's thread: %s", strerror(-r));
	}
	*ret_store = s;
	return 0;
}

bool store_free(struct store *s, unsigned timeout_s)
{
	struct timespec until;
	bool ended;

	if (!s)
		return true;
	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += timeout_s;
	(void)pthread_mutex_lock(&s->lock);
	s->stopping = true;
	(void)pthread_cond_broadcast(&s->more);
	while (!s->ended && pthread_cond_timedwait(&s->more, &s->lock, &until) == 0)
		;
	ended = s->ended;
	(void)pthread_mutex_unlock(&s->lock);
	if (!ended)
		return false;
	ev_async_stop(s->loop, &s->wake);
	(void)pthread_join(s->thread, NULL);
	while (s->done) {
		struct store_query *q = s->done;

		s->done = q->next;
		q->fn = NULL;
		deliver(s, q);
	}
	release(s);
	return true;
}

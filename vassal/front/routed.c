/*
 * routed - see routed.h.
 */
#include "vassal/front/routed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "shared/clock.h"
#include "shared/err.h"
#include "shared/fd.h"
#include "shared/htpasswd.h"
#include "shared/vassal_config.h"
#include "vassal/front/conn.h"
#include "vassal/front/errors.h"
#include "vassal/front/head.h"
#include "vassal/front/loop.h"
#include "vassal/front/record.h"
#include "vassal/front/state.h"
#include "vassal/front/static_file.h"
#include "vassal/routing/plain.h"
#include "vassal/routing/rules.h"

#define RETRY_AFTER_S 1
/* A changed password counts after this; who tries passwords pays a hash for each all the same. */
#define VERDICT_NS (10 * NS_PER_S)
#define VERDICTS \
	256 /* of credentials; a thousand people at once share them, and pay again now and then */
#define USER_MAX 512 /* bytes of user and password: browsers take less */

enum verdict { VERDICT_NONE, VERDICT_IN, VERDICT_OUT, VERDICT_BROKEN };

struct known {
	uint64_t digest; /* of rule, user and password, under a key of this process */
	uint64_t until_ns;
	enum verdict verdict;
};

struct routing_table {
	struct rules *rules;
	/* threads of its own: whoever tries passwords must not hold up files and bodies, which wait for disks in f->disk */
	struct diskpool hashing;
	unsigned waiting; /* for a hash */
	struct known known[VERDICTS];
};

struct routed {
	bool quiet;
	size_t fields_n, user_n;
	char text[]; /* fields, user */
};

struct routed_job {
	struct diskjob disk; /* owner = struct conn */
	struct front *front;
	const struct routing_rule *rule;
	uint64_t digest;
	enum verdict verdict;
	int error; /* VERDICT_BROKEN: errno, or 0 for a hash that is not taken */
	size_t user_n;
	char user[USER_MAX + 1], password[USER_MAX + 1];
};

int routing_open(struct front *f, struct err *err)
{
	struct routing_table *t;
	struct rules *rules;
	int r = rules_new(&rules, &f->config->routing, err);

	if (r < 0 || !rules)
		return r;
	t = calloc(1, sizeof(*t));
	if (!t) {
		rules_free(rules);
		return err_set(err, -ENOMEM, "out of memory");
	}
	t->rules = rules;
	diskpool_init(&t->hashing, f->loop, DISKPOOL_THREADS);
	f->routing = t;
	return 0;
}

/* -- passwords ------------------------------------------------------------------------------------------ */

static struct known *known_of(struct front *f, uint64_t digest)
{
	return &f->routing->known[digest % VERDICTS];
}

static enum verdict look_up(struct front *f, uint64_t digest)
{
	const struct known *k = known_of(f, digest);

	return k->digest == digest && k->until_ns > f->now_ns ? k->verdict : VERDICT_NONE;
}

/* In a disk thread. */
static void work(struct diskjob *disk)
{
	struct routed_job *job = container_of(disk, struct routed_job, disk);
	_cleanup_(fd_closep) int fd =
		open(job->rule->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	_cleanup_(freep) char *file = NULL;
	size_t n = 0;
	int r = fd_read_file(fd < 0 ? -errno : fd, LIMIT_HTPASSWD_BYTES, &file, &n);

	job->verdict = VERDICT_BROKEN;
	if (r < 0) {
		job->error = -r;
	} else {
		switch (htpasswd_check(span_of(file, n), span_of(job->user, job->user_n),
				       job->password)) {
		case HTPASSWD_IN:
			job->verdict = VERDICT_IN;
			break;
		case HTPASSWD_UNKNOWN:
		case HTPASSWD_WRONG:
			job->verdict = VERDICT_OUT;
			break;
		case HTPASSWD_WEAK:
			break;
		}
	}
}

static void say_broken(struct front *f, const struct routed_job *job)
{
	if (job->error)
		logbook_say(&f->log, f->wall_ns, "%s: basicauth: %s: %s", job->rule->where,
			    job->rule->file, strerror(job->error));
	else
		logbook_say(
			&f->log, f->wall_ns,
			"%s: basicauth: %s: the hash of \"%.*s\" is of a kind that is not taken: "
			"make it anew with htpasswd -B",
			job->rule->where, job->rule->file, (int)MIN(job->user_n, (size_t)64),
			job->user);
}

static void on_checked(struct diskjob *disk)
{
	struct routed_job *job = container_of(disk, struct routed_job, disk);
	struct front *f = job->front;
	struct conn *c = disk->owner;

	*known_of(f, job->digest) = (struct known){
		.digest = job->digest,
		.until_ns = clock_now_ns() + VERDICT_NS,
		.verdict = job->verdict,
	};
	f->routing->waiting--;
	if (job->verdict == VERDICT_BROKEN)
		say_broken(f, job);
	explicit_bzero(job, sizeof(*job));
	free(job);
	if (!c)
		return;
	c->held = NULL;
	conn_ready(c);
	loop_kick(f);
}

static bool ask(struct conn *c, const struct routing_rule *rule, uint64_t digest, struct span user,
		const char *password)
{
	struct front *f = c->front;
	struct routed_job *job =
		f->routing->waiting < LIMIT_HTPASSWD_WAITING ? calloc(1, sizeof(*job)) : NULL;

	if (!job)
		return false;
	*job = (struct routed_job){.front = f, .rule = rule, .digest = digest, .user_n = user.n};
	memcpy(job->user, user.p, user.n);
	(void)snprintf(job->password, sizeof(job->password), "%s", password);
	job->disk = (struct diskjob){.work = work, .done = on_checked, .owner = c};
	if (!diskpool_submit(&f->routing->hashing, &job->disk)) {
		explicit_bzero(job, sizeof(*job));
		free(job);
		return false;
	}
	f->routing->waiting++;
	c->held = job;
	return true;
}

static uint64_t digest_of(const struct front *f, const struct routing_rule *rule, struct span user,
			  const char *password)
{
	struct siphash s;

	siphash_begin(&s, &f->digest_key);
	siphash_add(&s, &rule, sizeof(rule));
	siphash_add(&s, &user.n, sizeof(user.n));
	siphash_add(&s, user.p, user.n);
	siphash_add(&s, password, strlen(password));
	return siphash_end(&s);
}

/* -- what a verdict means ------------------------------------------------------------------------------- */

static struct span variable(void *arg, struct span name)
{
	return plain_variable(arg, name);
}

/* Its body is not read: nobody but records knows where the next request begins. */
static void answer(struct conn *c, const struct parsed_head *in, unsigned status,
		   struct span fields)
{
	c->close_after |= in->rq.body != BODY_NONE && !c->records;
	error_answer_fields(c, status, fields, &(struct record){0});
}

static enum routed_outcome answer_later(struct conn *c, const struct parsed_head *in)
{
	c->close_after |= in->rq.body != BODY_NONE && !c->records;
	error_answer(c, 503, RETRY_AFTER_S);
	return ROUTED_DONE;
}

static void challenge(struct conn *c, const struct parsed_head *in, const struct routing_rule *rule)
{
	char fields[LIMIT_ROUTING_TEXT];
	int n = snprintf(fields, sizeof(fields),
			 "WWW-Authenticate: Basic realm=\"%s\", charset=\"UTF-8\"\r\n",
			 rule->realm);

	if (n < 0 || (size_t)n >= sizeof(fields))
		answer(c, in, 500, span_of("", 0));
	else
		answer(c, in, 401, span_of(fields, (size_t)n));
}

/* "FIELDS" and "USER" of a request outlive its parse. False: no memory. */
static bool keep(struct conn *c, const struct rules_verdict *v, struct span user)
{
	size_t n = v->headers_n + user.n;
	struct routed *r;

	/* of a rule before: whoever that let in may be denied by now */
	free(TAKE_PTR(c->routed));
	if (n == 0 && !v->donotlog)
		return true;
	r = malloc(sizeof(*r) + n);
	if (!r)
		return false;
	*r = (struct routed){.quiet = v->donotlog, .fields_n = v->headers_n, .user_n = user.n};
	memcpy(r->text, v->headers, v->headers_n);
	if (user.n > 0)
		memcpy(r->text + v->headers_n, user.p, user.n);
	c->routed = r;
	return true;
}

/* Nothing of a path below a root may lead out of it, or name what is hidden. */
static bool is_plain_path(struct span path)
{
	if (path.n == 0 || path.n >= LIMIT_STATIC_PATH || path.p[0] == '/')
		return false;
	for (size_t i = 0; i < path.n; i++)
		if (path.p[i] == '.' && (i == 0 || path.p[i - 1] == '/'))
			return false;
	return true;
}

struct asked {
	enum verdict verdict;
	struct span user; /* in buf */
	char buf[USER_MAX + 1];
};

/* Is who asks let in by this rule? VERDICT_NONE: it is being found out. */
static void judge(struct conn *c, const struct routing_rule *rule, struct span header,
		  struct asked *ret)
{
	struct front *f = c->front;
	const char *password;
	uint64_t digest;

	ret->verdict = VERDICT_OUT;
	if (htpasswd_credentials(header, ret->buf, sizeof(ret->buf), &ret->user, &password) < 0)
		return;
	if (!rule->file) {
		bool user = htpasswd_same(ret->user.p, rule->user);

		if (htpasswd_same(password, rule->password) && user)
			ret->verdict = VERDICT_IN;
		return;
	}
	digest = digest_of(f, rule, ret->user, password);
	ret->verdict = look_up(f, digest);
	if (ret->verdict == VERDICT_NONE && !ask(c, rule, digest, ret->user, password))
		ret->verdict = VERDICT_BROKEN;
	/* else c->held says that it is being found out */
}

static enum routed_outcome refuse(struct conn *c, int error)
{
	if (error == -EDOM)
		error_refuse(c, 500, "a route's regular expression takes too many steps");
	else
		error_refuse(c, 400,
			     error == -E2BIG ? "what a route makes of it is too long"
					     : "what a route makes of it has control bytes");
	return ROUTED_DONE;
}

static enum routed_outcome pass(struct conn *c, const struct parsed_head *in,
				const struct rules_verdict *v, struct span user)
{
	if (v->scheme)
		c->https = str_eq(v->scheme, "https");
	return keep(c, v, user) ? ROUTED_ON : answer_later(c, in);
}

/* ROUTED_ON: it is no file there, or the request is none for a file: the rules that follow have their say. */
static enum routed_outcome send_file(struct conn *c, const struct parsed_head *in,
				     const struct rules_verdict *v, struct span user)
{
	enum routed_outcome r = pass(c, in, v, user);
	char path[LIMIT_STATIC_PATH];
	struct span name = span_of(v->text, v->text_n);

	if (r != ROUTED_ON || !is_plain_path(name))
		return r;
	memcpy(path, name.p, name.n);
	path[name.n] = '\0';
	return static_begin_named(c, in, (size_t)(v->rule - c->front->config->routing.v), path)
		       ? ROUTED_DONE
		       : ROUTED_ON;
}

/* ROUTED_ON: whoever asks is let in by v's rule, or denied by it for as long as no later one lets him in. */
static enum routed_outcome let_in(struct conn *c, const struct parsed_head *in,
				  const struct rules_verdict *v, struct vars *vars,
				  struct asked *asked, const struct routing_rule **ret_denied)
{
	judge(c, v->rule, variable(vars, SPAN("HTTP_AUTHORIZATION")), asked);
	if (c->held)
		return ROUTED_HELD;
	if (asked->verdict == VERDICT_BROKEN)
		return answer_later(c, in);
	*ret_denied = asked->verdict == VERDICT_OUT ? v->rule : NULL;
	if (!*ret_denied)
		return ROUTED_ON;
	asked->user = span_of("", 0);
	if (v->rule->next_is_tried)
		return ROUTED_ON;
	(void)keep(c, v, asked->user);
	challenge(c, in, v->rule);
	return ROUTED_DONE;
}

enum routed_outcome routed_begin(struct conn *c, const struct parsed_head *in)
{
	struct front *f = c->front;
	struct rules_verdict v;
	const struct routing_rule *denied = NULL;
	struct asked asked = {0};
	struct vars vars;

	if (!f->routing)
		return ROUTED_ON;
	head_vars(c, in, &vars);
	plain_vars(&vars);
	if (vars.overflow) {
		error_refuse(c, 431, "environment too large");
		return ROUTED_DONE;
	}
	/* text and headers are not looked at beyond their lengths */
	v.next = 0;
	v.donotlog = false;
	v.scheme = NULL;
	v.headers_n = 0;
	for (;;) {
		int r = rules_run(f->routing->rules, variable, &vars, &v);
		enum routed_outcome outcome;

		if (r < 0)
			return refuse(c, r);
		if (v.kind == RULES_ASK)
			outcome = let_in(c, in, &v, &vars, &asked, &denied);
		else if (v.kind == RULES_STATIC && !denied)
			outcome = send_file(c, in, &v, asked.user);
		else
			break;
		if (outcome != ROUTED_ON)
			return outcome;
	}
	/* basicauth-next, and nobody after it has let the client in */
	if (denied && (v.kind == RULES_PASS || v.kind == RULES_STATIC)) {
		(void)keep(c, &v, asked.user);
		challenge(c, in, denied);
		return ROUTED_DONE;
	}
	switch (v.kind) {
	case RULES_ANSWER:
		(void)keep(c, &v, asked.user);
		answer(c, in, v.status, span_of("", 0));
		return ROUTED_DONE;
	case RULES_REDIRECT: {
		char location[LIMIT_ROUTING_TEXT + 16];
		int n = snprintf(location, sizeof(location), "Location: %.*s\r\n", (int)v.text_n,
				 v.text);

		(void)keep(c, &v, asked.user);
		answer(c, in, v.status, span_of(location, (size_t)n));
		return ROUTED_DONE;
	}
	case RULES_STATIC:
	case RULES_ASK:
	case RULES_PASS:
		break;
	}
	return pass(c, in, &v, asked.user);
}

/* -- for the answer ------------------------------------------------------------------------------------- */

void routed_forget(struct conn *c)
{
	if (c->held)
		c->held->disk.owner = NULL;
	c->held = NULL;
	free(TAKE_PTR(c->routed));
}

struct span routed_fields(const struct conn *c)
{
	return c->routed ? span_of(c->routed->text, c->routed->fields_n) : span_of("", 0);
}

struct span routed_user(const struct conn *c)
{
	return c->routed ? span_of(c->routed->text + c->routed->fields_n, c->routed->user_n)
			 : span_of("", 0);
}

bool routed_is_quiet(const struct conn *c)
{
	return c->routed && c->routed->quiet;
}

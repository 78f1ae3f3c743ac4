/*
 * gate - see gate.h. The parts and the way of a connection through them:
 *
 *   ports --accept--> arrivals --head--> routes --app--> doors --descriptor--> front
 *                                 |                        |  \--hand-back--> arrivals
 *                                 \---- no such site ------+---- app down ----> farewell
 *                                         an app's own listener --standin-->-/
 *
 * This file is what ties them, orders.c turns what the emperor says into their state. decide() is the one place where
 * a connection's fate is settled. A client passes through the gate in four system calls when its head comes in one
 * piece: accept, read, send, close.
 *
 * When the emperor is gone the gate keeps serving with what it knows. TERM while it is there is not for us (systemd
 * signals a whole control group at once, and the emperor still needs its gate to drain); it is remembered, and ends
 * the gate once the emperor is gone.
 */
#include "emperor/gate/gate.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "emperor/gate/answer.h"
#include "emperor/gate/asked.h"
#include "emperor/gate/parts.h"
#include "emperor/role.h"
#include "shared/address.h"
#include "shared/clock.h"
#include "shared/err.h"
#include "shared/fd.h"
#include "shared/http_head.h"
#include "shared/log.h"
#include "shared/proctitle.h"
#include "shared/proxy.h"

#define SWEEP_S       0.1  /* only while somebody waits */
#define TLS_HANDSHAKE 0x16 /* first byte of a TLS record that opens a connection (RFC 8446 5.1) */

/* -- answers -------------------------------------------------------------------------------------------- */

/* The sweep runs while there is something to sweep, so that an idle gate sleeps. */
static void need_sweep(struct gate *g)
{
	if (!ev_is_active(&g->sweep))
		ev_timer_again(g->loop, &g->sweep);
}

static void say(struct gate *g, const struct client *c, const struct answer *a, struct span request,
		struct span host)
{
	char line[REFUSALS_LINE], address[INET6_ADDRSTRLEN], port[8];
	unsigned unsaid;

	if (!refusals_may_say(&g->refusals, clock_now_ns(), &unsaid))
		return;
	if (unsaid > 0)
		log_info("%u more answers of its own went without a line", unsaid);
	if (address_of_peer(c->fd, address, port) < 0)
		address[0] = '\0';
	refusals_format(line, address, a, request, host);
	log_info("%s", line);
}

static void answer(struct gate *g, const struct client *c, const struct answer *a,
		   struct span request, struct span host)
{
	char text[ANSWER_MAX], id[REQUEST_ID_N + 1];
	struct answer named = *a;
	size_t n;

	named.request_id = asked_request_id(request);
	if (named.request_id.n == 0) {
		request_id_make(&g->ids, id);
		named.request_id = span_of(id, REQUEST_ID_N);
	}
	n = answer_write(text, &named, time(NULL));
	say(g, c, &named, request, host);
	farewell_say(g->farewell, c, text, n, clock_now_ns());
	need_sweep(g);
}

/* Bytes of the PROXY header that the connection begins with; 0: none that is whole. */
static size_t proxy_n(struct span bytes)
{
	struct proxy proxy;
	long n = proxy_parse(bytes.p, bytes.n, &proxy);

	return n > 0 ? (size_t)n : 0;
}

/* doors_handler.refuse */
static void on_refuse(void *arg, const struct client *c, struct span bytes, unsigned retry_after_s)
{
	struct span request = span_skip(bytes, proxy_n(bytes));
	const struct answer a = {.status = 503,
				 .why = "this site cannot answer just now",
				 .retry_after_s = retry_after_s,
				 .no_body = span_starts(request, SPAN("HEAD "))};

	answer(arg, c, &a, request, span_of("", 0));
}

/* -- one connection ------------------------------------------------------------------------------------- */

static void route(struct gate *g, const struct client *c, struct span bytes, size_t skip,
		  const struct http_head *head)
{
	struct answer a = {.status = 404,
			   .why = "there is no site of this name here",
			   .no_body = span_eq(head->method, SPAN("HEAD"))};
	struct routes_match m;
	struct doors_pass pass;

	if (!g->routes) {
		a.status = 503;
		a.why = "the sites are not known yet";
		a.retry_after_s = 1;
	}
	if (!g->routes || !routes_find(g->routes, head->host, head->path, &m)) {
		answer(g, c, &a, span_skip(bytes, skip), head->host);
		return;
	}
	pass = (struct doors_pass){.epoch = routes_epoch(g->routes),
				   .bounce = m.carve_full,
				   .proxied = skip > 0,
				   .script = m.script,
				   .carve = span_of(m.carve, m.carve_full ? 0 : m.carve_n),
				   .bytes = bytes};
	doors_pass(g->doors, m.app, c, &pass, clock_now_ns());
	if (doors_queued(g->doors) > 0)
		need_sweep(g);
}

/* Why no more bytes are waited for. */
static struct answer late_answer(const struct gate *g, enum arrivals_end end)
{
	if (g->stopping)
		return (struct answer){
			.status = 503, .why = "the server is stopping", .retry_after_s = 1};
	if (end == ARRIVALS_SHUT)
		return (struct answer){.status = 400, .why = "input ended inside a request"};
	return (struct answer){.status = 408, .why = "the request did not come in time"};
}

/* The request itself, however it came here. */
static bool decide_request(struct gate *g, const struct client *c, struct span bytes, size_t skip,
			   enum arrivals_end end)
{
	struct span request = span_skip(bytes, skip);
	struct http_head head;
	struct answer a;
	long r;

	if (request.p[0] == TLS_HANDSHAKE) {
		a = (struct answer){.status = 400, .why = "this port speaks HTTP, not HTTPS"};
		answer(g, c, &a, request, span_of("", 0));
		return true;
	}
	r = http_head_peek(request.p, request.n, LIMIT_GATE_HEAD, &head);
	if (r == HTTP_MORE && end == ARRIVALS_OPEN)
		return false;
	if (r > 0) {
		route(g, c, bytes, skip, &head);
		return true;
	}
	a = r == HTTP_MORE ? late_answer(g, end)
			   : (struct answer){.status = head.status, .why = head.reason};
	a.no_body = span_starts(request, SPAN("HEAD "));
	answer(g, c, &a, request, span_of("", 0));
	return true;
}

/* arrivals_handler.decide. Who is the client is the front's question: here a PROXY header is only stepped over. */
static bool decide(void *arg, const struct client *c, struct span bytes, enum arrivals_end end)
{
	struct gate *g = arg;
	struct answer a = {.status = 400,
			   .why = "PROXY header from a peer that is not in trusted-proxies"};
	struct proxy proxy;
	long n = proxy_look(bytes.p, bytes.n);

	if (n == PROXY_MORE && end == ARRIVALS_OPEN)
		return false;
	if (n <= 0)
		return decide_request(g, c, bytes, 0, end);
	n = PROXY_BAD;
	if (c->crowd) {
		n = proxy_parse(bytes.p, bytes.n, &proxy);
		if (n == PROXY_MORE && end == ARRIVALS_OPEN)
			return false;
		if (n == PROXY_MORE)
			a = late_answer(g, end);
		else if (n == PROXY_BAD)
			a.why = proxy.reason;
	}
	if (n <= 0) {
		answer(g, c, &a, span_of("", 0), span_of("", 0));
		return true;
	}
	if ((size_t)n < bytes.n)
		return decide_request(g, c, bytes, (size_t)n, end);
	/* a balancer that looks whether we are there asks nothing */
	if (end != ARRIVALS_OPEN)
		client_close(c);
	return end != ARRIVALS_OPEN;
}

/* doors_handler.handed_back */
static void on_handed_back(void *arg, const struct client *c, struct span bytes)
{
	struct gate *g = arg;
	uint64_t now = clock_now_ns();

	if (g->stopping || !arrivals_room(g->arrivals, now)) {
		if (bytes.n > 0)
			on_refuse(g, c, bytes, 1);
		else /* idle: there is no question to answer */
			client_close(c);
		return;
	}
	arrivals_add_read(g->arrivals, c, bytes, now);
	if (arrivals_count(g->arrivals) > 0)
		need_sweep(g);
}

/* standin_handler */
static void on_standin_answer(void *arg, const struct client *c, const struct answer *a,
			      struct span request)
{
	answer(arg, c, a, span_skip(request, proxy_n(request)), span_of("", 0));
}

static void on_standin_busy(void *arg)
{
	need_sweep(arg);
}

/* ports_handler */
static bool has_room(void *arg)
{
	struct gate *g = arg;
	bool room = arrivals_room(g->arrivals, clock_now_ns());

	if (!room)
		need_sweep(g);
	return room;
}

/* Those who have their answer go first; one that must go now gets its own, and may be the next. */
static bool make_room(void *arg)
{
	struct gate *g = arg;

	uint64_t now = clock_now_ns();

	if (farewell_give_way(g->farewell) || arrivals_give_way(g->arrivals, now) ||
	    standin_give_way(g->standin, now))
		return true;
	need_sweep(g);
	return false;
}

static void on_accepted(void *arg, const struct client *c)
{
	struct gate *g = arg;

	arrivals_add(g->arrivals, c, clock_now_ns());
	if (arrivals_count(g->arrivals) > 0)
		need_sweep(g);
}

/* -- time, and the end ---------------------------------------------------------------------------------- */

void gate_begin_stop(struct gate *g, bool for_good)
{
	if (g->stopping)
		return;
	log_info("stopping");
	g->stopping = true;
	g->stop_at_ns = clock_now_ns() + LIMIT_GATE_STOP_S * NS_PER_S;
	if (for_good)
		ports_end_for_good(g->ports);
	ports_close(g->ports);
	arrivals_end_all(g->arrivals);
	standin_stop(g->standin);
	need_sweep(g);
}

static void on_sweep(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct gate *g = container_of(timer, struct gate, sweep);
	uint64_t now = clock_now_ns();
	size_t waiting;

	(void)revents;
	arrivals_sweep(g->arrivals, now);
	doors_sweep(g->doors, now);
	standin_sweep(g->standin, now);
	farewell_sweep(g->farewell, now);
	if (g->stopping && now >= g->stop_at_ns) {
		arrivals_end_all(g->arrivals);
		doors_end_all(g->doors);
	} else if (!g->stopping && ports_paused(g->ports)) {
		ports_resume(g->ports);
	}
	waiting = arrivals_count(g->arrivals) + standin_count(g->standin) + doors_queued(g->doors) +
		  farewell_count(g->farewell);
	if (waiting > 0)
		return;
	ev_timer_stop(loop, timer);
	if (g->stopping)
		ev_break(loop, EVBREAK_ALL);
}

static void on_term(struct ev_loop *loop, ev_signal *sig, int revents)
{
	struct gate *g = container_of(sig, struct gate, term);

	(void)loop;
	(void)revents;
	g->term_asked = true;
	if (g->link_fd < 0)
		gate_begin_stop(g, false);
}

/* -- the role ------------------------------------------------------------------------------------------- */

/* As many descriptors as we may have. Half of them for those who have not said where they want to go. */
static size_t raise_limits(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return 128;
	lim.rlim_cur = lim.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &lim);
	return (size_t)MIN(lim.rlim_cur / 2, (rlim_t)LIMIT_GATE_CONNS);
}

static int open_parts(struct gate *g, struct err *err)
{
	const struct ports_handler on_port = {has_room, make_room, on_accepted, g};
	const struct arrivals_handler on_arrival = {decide, g};
	const struct standin_handler on_standin = {on_standin_answer, on_standin_busy, g};
	const struct doors_handler on_door = {on_refuse, on_handed_back, g};
	int r = pollset_open(&g->pollset, g->loop, err);

	if (r == 0)
		r = farewell_new(&g->farewell, &g->pollset, err);
	if (r == 0)
		r = arrivals_new(&g->arrivals, &g->pollset, raise_limits(), &on_arrival, err);
	if (r == 0)
		r = standin_new(&g->standin, g->loop, &g->pollset, &on_standin, err);
	if (r == 0)
		r = ports_new(&g->ports, g->loop, &g->trust, &on_port, err);
	if (r == 0)
		r = doors_new(&g->doors, g->loop, g->ports, &on_door, err);
	return r;
}

static void close_parts(struct gate *g)
{
	if (g->link_fd >= 0) {
		ev_io_stop(g->loop, &g->link_io);
		(void)close(g->link_fd);
	}
	doors_free(g->doors);
	standin_free(g->standin);
	arrivals_free(g->arrivals);
	ports_free(g->ports);
	farewell_free(g->farewell);
	pollset_done(&g->pollset);
	routes_free(g->routes);
	ev_timer_stop(g->loop, &g->sweep);
	ev_signal_stop(g->loop, &g->term);
}

static int run(struct gate *g)
{
	const struct role_msg ready = {.kind = ROLE_READY, .a = ROLE_VERSION};
	struct err err = {0};
	int r = open_parts(g, &err);

	if (r < 0) {
		log_error("cannot start: %s", err.text);
		return EXIT_FAILURE;
	}
	request_id_seed(&g->ids);
	ev_init(&g->sweep, on_sweep);
	g->sweep.repeat = SWEEP_S;
	ev_signal_init(&g->term, on_term, SIGTERM);
	ev_signal_start(g->loop, &g->term);
	ev_io_init(&g->link_io, gate_on_link, g->link_fd, EV_READ);
	ev_set_priority(&g->link_io,
			EV_MAXPRI); /* what has been said counts for whoever comes after it */
	ev_io_start(g->loop, &g->link_io);
	r = role_send(g->link_fd, &ready, NULL, NULL, 0);
	if (r < 0) {
		log_error("cannot speak to the emperor: %s", strerror(-r));
		return EXIT_FAILURE;
	}
	ev_run(g->loop, 0);
	return EXIT_SUCCESS;
}

int gate_run(int link_fd)
{
	struct gate g = {.link_fd = link_fd};
	int code;

	/* Another process of this user could take every listener and client out of ours (ptrace, pidfd_getfd). */
	(void)prctl(PR_SET_DUMPABLE, 0);
	proctitle_set("emperor: gate");
	log_set_subject("gate");
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)fd_set_nonblock(link_fd, true);
	(void)fd_set_cloexec(link_fd, true);
	g.loop = ev_loop_new(EVFLAG_AUTO);
	if (!g.loop) {
		log_error("cannot start: no event loop");
		return EXIT_FAILURE;
	}
	code = run(&g);
	close_parts(&g);
	ev_loop_destroy(g.loop);
	log_flush(1000);
	return code;
}

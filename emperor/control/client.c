/*
 * client - see client.h.
 */
#include "emperor/control/client.h"

void client_free(struct client *c)
{
	struct control *control = c->control;

	TAILQ_REMOVE(&control->clients, c, link);
	ev_io_stop(control->loop, &c->io);
	ev_timer_stop(control->loop, &c->timer);
	(void)close(c->fd);
	if (c->pass_fd >= 0)
		(void)close(c->pass_fd);
	for (size_t i = 0; i < c->waits_n; i++)
		free(c->waits[i].text);
	free(c->waits);
	free(c->out);
	free(c);
	control->clients_n--;
	ev_io_start(control->loop, &control->accept_io);
}

void client_rearm(struct client *c, double seconds)
{
	c->timer.repeat = seconds;
	ev_timer_again(c->control->loop, &c->timer);
}

void client_watch(struct client *c, int events)
{
	ev_io_stop(c->control->loop, &c->io);
	ev_io_set(&c->io, c->fd, events);
	ev_io_start(c->control->loop, &c->io);
}

void client_reply(struct client *c, json_t *root)
{
	static const char broke[] = "{\"ok\":false,\"error\":\"out of memory\"}\n";

	c->out = root ? json_dump_text(root, false, &c->out_n) : NULL;
	json_decref(root);
	if (!c->out) {
		c->out = strdup(broke);
		c->out_n = c->out ? strlen(c->out) : 0;
	}
	client_rearm(c, CONTROL_LINE_S);
	client_watch(c, EV_WRITE);
}

json_t *client_make_reply(bool ok)
{
	json_t *root = json_object();

	if (root)
		json_put(root, "ok", json_boolean(ok));
	return root;
}

void client_reply_error(struct client *c, const char *text)
{
	json_t *root = client_make_reply(false);

	if (root)
		json_put_text(root, "error", text);
	client_reply(c, root);
}

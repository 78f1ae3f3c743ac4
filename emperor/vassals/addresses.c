/*
 * addresses - who has an address: two apps cannot listen on one, nor can an app where the emperor's shared ports are. Whether
 * it can be had at all only opening it tells (doors.c); this names who is in the way.
 */
#include "emperor/vassals/internal.h"

#include <errno.h>
#include <stdio.h>

#include "emperor/options.h"
#include "shared/err.h"

bool addresses_wants(const struct loaded *l, const struct address *a)
{
	for (size_t i = 0; l && i < l->config.listeners_n; i++)
		if (address_overlaps(&l->config.listeners[i].address, a))
			return true;
	return l && address_overlaps(&l->stats, a);
}

bool addresses_app_has(const struct app *a, const struct address *address)
{
	for (size_t i = 0; i < a->doors.n; i++)
		if (address_overlaps(&a->doors.v[i].address, address))
			return true;
	return false;
}

void addresses_say_app(const char *name, char who[ADDRESSES_WHO])
{
	(void)snprintf(who, ADDRESSES_WHO, "the app \"%s\"", name);
}

bool addresses_are_shared(const struct vassals *v, const struct address *a, char who[ADDRESSES_WHO])
{
	const struct emperor_options *o = v->setup.rules->options;

	for (size_t i = 0; o && i < o->http_n; i++) {
		if (!address_overlaps(&o->http[i].address, a))
			continue;
		(void)snprintf(who, ADDRESSES_WHO, ADDRESSES_SHARED, o->http[i].text);
		return true;
	}
	return false;
}

/* What serves keeps what it has until the next one is ready: that one cannot have a part of it, nor more. */
bool addresses_keep_own(const struct app *a, const struct address *address, char who[ADDRESSES_WHO])
{
	char text[ADDRESS_TEXT];

	for (size_t i = 0; a->serving && i < a->doors.n; i++) {
		const struct address *own = &a->doors.v[i].address;

		if (!address_overlaps(own, address) || doors_find(&a->doors, address) >= 0)
			continue;
		address_format(own, text);
		(void)snprintf(who, ADDRESSES_WHO, ADDRESSES_OWN, text);
		return true;
	}
	return false;
}

bool addresses_find_holder(const struct app *but, const struct address *a, char who[ADDRESSES_WHO])
{
	const struct vassals *v = but->v;

	for (size_t i = 0; i < v->n; i++) {
		if (v->v[i] == but || !addresses_app_has(v->v[i], a))
			continue;
		addresses_say_app(v->v[i]->name, who);
		return true;
	}
	return addresses_keep_own(but, a, who) || addresses_are_shared(v, a, who);
}

bool vassals_listens(const struct app_info *info, size_t i, char *ret_text)
{
	if (!info->doors || i >= info->doors->n)
		return false;
	address_format(&info->doors->v[i].address, ret_text);
	return true;
}

static int check_one(const struct loaded *l, const char *file, const struct address *a,
		     const char *text, addresses_holder_fn *holder, void *arg, struct err *err)
{
	char place[ERR_TEXT_MAX], who[ADDRESSES_WHO];

	if (!holder(arg, a, who))
		return 0;
	return err_set(err, -EADDRINUSE, "%s: %s: %s has this address",
		       load_place(l, file, NULL, text, place, sizeof(place)), text, who);
}

int addresses_check_by(const struct loaded *l, const char *file, addresses_holder_fn *holder,
		       void *arg, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < l->config.listeners_n && r == 0; i++)
		r = check_one(l, file, &l->config.listeners[i].address, l->config.listeners[i].text,
			      holder, arg, err);
	if (r == 0 && l->stats.len > 0)
		r = check_one(l, file, &l->stats, l->config.stats, holder, arg, err);
	return r;
}

/*
 * roles_deaths - which roles have died: in the log, counted, and in the history.
 *
 * The one that writes the history may be the one that died, so what it has not been told yet waits for the next; of each role
 * the last death, with the number of those before it: a loop of them does not fill anything.
 */
#include "emperor/vassals/roles_inner.h"

#include <stdio.h>

#include "emperor/vassals/vassals.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "shared/scoreboard.h"

void role_note_death(struct role *role, const char *how)
{
	role->died.n++;
	role->died.wall_ns = clock_wall_ns();
	(void)snprintf(role->died.how, sizeof(role->died.how), "%s", how);
	log_error("%s: %s", role_facts[role->id].name, how);
	roles_tell_deaths(role->roles);
}

void roles_fill_info(const struct roles *r, enum role_id id, struct role_info *ret)
{
	const struct role *role = &r->role[id];

	*ret = (struct role_info){.name = role_facts[id].name,
				  .pid = role->pid,
				  .deaths = role->died.n,
				  .died_wall_ns = role->died.wall_ns,
				  .how = role->died.how};
}

static void tell(struct roles *r, struct role *role)
{
	const struct role_msg m = {
		.kind = STATS_EVENT, .a = EVENT_ROLE_DIED, .d = role->died.wall_ns};
	unsigned n = role->died.n - role->died.told;
	char text[192], more[48] = "";

	if (n > 1)
		(void)snprintf(more, sizeof(more), ", the last of %u that are not here", n);
	(void)snprintf(text, sizeof(text), "%s: %s%s", role_facts[role->id].name, role->died.how,
		       more);
	role->died.told = role->died.n;
	roles_tell(r, ROLE_ID_STATS, &m, text, NULL, 0);
}

void roles_tell_deaths(struct roles *r)
{
	for (unsigned i = 0; i < ROLE_ID_COUNT && r->role[ROLE_ID_STATS].link_fd >= 0; i++)
		if (r->role[i].died.n > r->role[i].died.told)
			tell(r, &r->role[i]);
}

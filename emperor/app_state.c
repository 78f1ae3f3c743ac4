/*
 * app_state - see app_state.h.
 */
#include "emperor/app_state.h"

static const char *const names[APP_STATE_COUNT] = {
	[APP_STOPPED] = "stopped",     [APP_STARTING] = "starting", [APP_RUNNING] = "running",
	[APP_REPLACING] = "replacing", [APP_BACKOFF] = "backoff",   [APP_SLEEPING] = "sleeping",
	[APP_STOPPING] = "stopping",
};

const char *app_state_name(unsigned state)
{
	return state < APP_STATE_COUNT ? names[state] : "?";
}

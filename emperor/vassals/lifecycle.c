/*
 * lifecycle - see lifecycle.h.
 */
#include "emperor/vassals/lifecycle.h"

/* clang-format off */
static const struct life_step steps[] = {
	/* A stopped app stays stopped when its ini changes: whoever stopped it has not said otherwise. */
	{ APP_STOPPED,   LIFE_START,      APP_STARTING,  DO_START },
	{ APP_STOPPED,   LIFE_CHANGE,     APP_STOPPED,   DO_NOTHING },
	{ APP_STOPPED,   LIFE_STOP,       APP_STOPPED,   DO_CLOSE },

	{ APP_STARTING,  LIFE_START,      APP_STARTING,  DO_NOTHING },
	{ APP_STARTING,  LIFE_CHANGE,     APP_STARTING,  DO_RESTART },
	{ APP_STARTING,  LIFE_STOP,       APP_STOPPING,  DO_STOP },
	{ APP_STARTING,  LIFE_READY,      APP_RUNNING,   DO_SERVE },
	{ APP_STARTING,  LIFE_FAILED,     APP_BACKOFF,   DO_BACK_OFF },
	{ APP_STARTING,  LIFE_EMPTY,      APP_STARTING,  DO_NOTHING }, /* an older one has drained; ours waits its turn */
	{ APP_STARTING,  LIFE_ASLEEP,     APP_SLEEPING,  DO_SLEEP },   /* on demand, and nobody has asked yet */

	{ APP_RUNNING,   LIFE_START,      APP_RUNNING,   DO_NOTHING },
	{ APP_RUNNING,   LIFE_CHANGE,     APP_REPLACING, DO_START },
	{ APP_RUNNING,   LIFE_STOP,       APP_STOPPING,  DO_STOP },
	{ APP_RUNNING,   LIFE_LOST,       APP_STARTING,  DO_START },
	{ APP_RUNNING,   LIFE_LOST_AGAIN, APP_BACKOFF,   DO_BACK_OFF },
	{ APP_RUNNING,   LIFE_ASLEEP,     APP_SLEEPING,  DO_SLEEP },

	{ APP_REPLACING, LIFE_START,      APP_REPLACING, DO_NOTHING },
	{ APP_REPLACING, LIFE_CHANGE,     APP_REPLACING, DO_RESTART },
	{ APP_REPLACING, LIFE_STOP,       APP_STOPPING,  DO_STOP },
	{ APP_REPLACING, LIFE_READY,      APP_RUNNING,   DO_SWAP },
	{ APP_REPLACING, LIFE_FAILED,     APP_RUNNING,   DO_KEEP_OLD }, /* new code does not start: keep serving the old */
	{ APP_REPLACING, LIFE_LOST,       APP_STARTING,  DO_NOTHING },  /* the candidate is on its way already */
	{ APP_REPLACING, LIFE_LOST_AGAIN, APP_STARTING,  DO_NOTHING },
	{ APP_REPLACING, LIFE_ASLEEP,     APP_STARTING,  DO_NOTHING },  /* it left just before it was asked to stay */

	{ APP_BACKOFF,   LIFE_START,      APP_STARTING,  DO_START },
	{ APP_BACKOFF,   LIFE_CHANGE,     APP_STARTING,  DO_START },
	{ APP_BACKOFF,   LIFE_STOP,       APP_STOPPING,  DO_STOP },
	{ APP_BACKOFF,   LIFE_RETRY,      APP_STARTING,  DO_START },
	{ APP_BACKOFF,   LIFE_EMPTY,      APP_BACKOFF,   DO_NOTHING }, /* the one that failed has left */

	/* Whoever edits the ini of an app that sleeps does not ask anything of the app: it stays asleep. */
	{ APP_SLEEPING,  LIFE_START,      APP_STARTING,  DO_START },
	{ APP_SLEEPING,  LIFE_CHANGE,     APP_SLEEPING,  DO_CHECK },
	{ APP_SLEEPING,  LIFE_STOP,       APP_STOPPING,  DO_STOP },
	{ APP_SLEEPING,  LIFE_EMPTY,      APP_SLEEPING,  DO_NOTHING }, /* the one that served has left */
	{ APP_SLEEPING,  LIFE_WAKE,       APP_STARTING,  DO_START },

	/* A new generation may start beside those that drain: the doors are still open. */
	{ APP_STOPPING,  LIFE_START,      APP_STARTING,  DO_START },
	{ APP_STOPPING,  LIFE_CHANGE,     APP_STOPPING,  DO_NOTHING },
	{ APP_STOPPING,  LIFE_STOP,       APP_STOPPING,  DO_NOTHING },
	{ APP_STOPPING,  LIFE_EMPTY,      APP_STOPPED,   DO_CLOSE },
};

static const char *const event_names[LIFE_EVENT_COUNT] = {
	[LIFE_START] = "start", [LIFE_CHANGE] = "change", [LIFE_STOP] = "stop", [LIFE_READY] = "ready",
	[LIFE_FAILED] = "failed", [LIFE_LOST] = "lost", [LIFE_LOST_AGAIN] = "lost again",
	[LIFE_RETRY] = "retry", [LIFE_EMPTY] = "empty", [LIFE_ASLEEP] = "asleep", [LIFE_WAKE] = "wake",
};
/* clang-format on */

const struct life_step *lifecycle_next(enum app_state from, enum life_event event)
{
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		if (steps[i].from == from && steps[i].event == event)
			return &steps[i];
	return NULL;
}

const char *lifecycle_event_name(unsigned event)
{
	return event < LIFE_EVENT_COUNT ? event_names[event] : "?";
}

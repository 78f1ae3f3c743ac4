/*
 * app_state - the states of an app, as people and programs see them. Each comes with a reason text and a time.
 */
#pragma once

/* Who has an address, if it is no app: its shared port is named. */
#define ADDRESSES_SHARED "the emperor (as shared port %s)"

/* An app that wants ":80" where it has "127.0.0.1:80", which is named. */
#define ADDRESSES_OWN "the app itself (as %s, until it is stopped)"

enum app_state {
	APP_STOPPED,  /* by command, or its ini is gone and it has drained */
	APP_STARTING, /* no generation serves yet */
	APP_RUNNING,
	APP_REPLACING, /* generation n serves, n+1 starts */
	APP_BACKOFF,   /* failed; next try is known */
	APP_SLEEPING,  /* nothing runs, its doors are open */
	APP_STOPPING,  /* draining */
	APP_STATE_COUNT,
};

const char *app_state_name(unsigned state); /* "running"; "?" for nonsense */

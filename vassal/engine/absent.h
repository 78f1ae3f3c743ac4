/*
 * absent - what stands here in the place of names of uWSGI's Python modules that are not offered. The modules themselves
 * have no such names, so that feature tests find out; this is for the record of an app that wanted one. Pure.
 */
#pragma once
#include "shared/span.h"

#define ABSENT_MAX 320

/*
 * reason: the last line of a traceback, "AttributeError: module 'uwsgi' has no attribute 'spool'". The sentence for it
 * into buf, which is "" if it is about something else.
 */
void absent_explain(struct span reason, char buf[ABSENT_MAX]);

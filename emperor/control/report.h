/*
 * report - what the emperor says about an app, as JSON: the table's facts, and from its scoreboard what it is busy with.
 */
#pragma once
#include <jansson.h>

struct app_info;
struct app_release;
struct vassals;

/* An array: each role, how often it has died since the emperor began, and how the last time. */
json_t *report_roles(const struct vassals *vassals);
/* notes: "file:line: text" lines, or NULL to leave them out. */
json_t *report_app(const struct app_info *info, const char *notes,
		   const struct app_release *release);

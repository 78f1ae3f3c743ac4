/*
 * vassal_parse - values of a vassal's options that are more than a number or a text. Private to the table
 * (vassal_options.c) and what builds a config from it (vassal_config.c).
 */
#pragma once
#include "shared/vassal_config.h"

#define VASSAL_PARSER(name)                                                                  \
	int name(void *config, const struct option *o, const char *value, const char *where, \
		 struct inifile_notes *notes, struct err *err)

VASSAL_PARSER(vassal_parse_http);
VASSAL_PARSER(vassal_parse_socket);
VASSAL_PARSER(vassal_parse_uwsgi_socket);
VASSAL_PARSER(vassal_parse_fastcgi_socket);
VASSAL_PARSER(vassal_parse_scgi_socket);
VASSAL_PARSER(vassal_parse_protocol);
VASSAL_PARSER(vassal_parse_domain);
VASSAL_PARSER(vassal_parse_chmod);
VASSAL_PARSER(vassal_parse_static_map);
VASSAL_PARSER(vassal_parse_static_map2);
VASSAL_PARSER(vassal_parse_check_static);
VASSAL_PARSER(vassal_parse_sendfile_root);
VASSAL_PARSER(vassal_parse_static_skip_ext);
VASSAL_PARSER(vassal_parse_expires);
VASSAL_PARSER(vassal_parse_static_gzip);
VASSAL_PARSER(vassal_parse_add_header);
VASSAL_PARSER(vassal_parse_error_page);

VASSAL_PARSER(vassal_parse_route);
VASSAL_PARSER(vassal_parse_python);
VASSAL_PARSER(vassal_parse_pythonpath);
VASSAL_PARSER(vassal_parse_env);
VASSAL_PARSER(vassal_parse_mount);
VASSAL_PARSER(vassal_parse_warmup);
VASSAL_PARSER(vassal_parse_trusted);
VASSAL_PARSER(vassal_parse_forwarded);
VASSAL_PARSER(vassal_parse_health_check);
VASSAL_PARSER(vassal_parse_plugins);
VASSAL_PARSER(vassal_parse_processes);
VASSAL_PARSER(vassal_parse_delta);
VASSAL_PARSER(vassal_parse_lifetime_delta);
VASSAL_PARSER(vassal_parse_prio);
VASSAL_PARSER(vassal_parse_umask);
VASSAL_PARSER(vassal_parse_keepalive);
VASSAL_PARSER(vassal_parse_head_bytes);
VASSAL_PARSER(vassal_parse_body_bytes);
VASSAL_PARSER(vassal_parse_daemon);
VASSAL_PARSER(vassal_parse_daemon2);
VASSAL_PARSER(vassal_parse_smart_daemon);
VASSAL_PARSER(vassal_parse_cron);
VASSAL_PARSER(vassal_parse_cron2);
VASSAL_PARSER(vassal_parse_unique_cron);
VASSAL_PARSER(vassal_parse_logto);
VASSAL_PARSER(vassal_parse_stats);
VASSAL_PARSER(vassal_parse_hook);
VASSAL_PARSER(vassal_parse_print);

/* What the options of files hold (vassal_files.c). */
int vassal_files_absolute(struct vassal_config *c, int (*make)(char **, const char *, struct err *),
			  struct err *err);
void vassal_files_done(struct vassal_config *c);

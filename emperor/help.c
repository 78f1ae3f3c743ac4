/*
 * help - see help.h.
 */
#include "emperor/help.h"

#include <stdio.h>

#include "emperor/options.h"

int help_print(void)
{
	(void)printf(
		"Usage: emperor [--config emperor.ini] [OPTION]...\n"
		"       emperor --help | --version | --dump-options=help|mdoc|ini|dict\n"
		"Serves every app whose ini stands in a vassals directory, and keeps it so.\n\n"
		"Example: emperor --vassals /etc/emperor/vassals.d --http :8000\n"
		"  with /etc/emperor/vassals.d/blog.ini:\n"
		"    [vassal]\n"
		"    domain = blog.example\n"
		"    chdir = /srv/blog\n"
		"    module = mysite.wsgi\n\n");
	option_dump(emperor_options_table, emperor_options_table_n, OPTION_DUMP_HELP, "emperor",
		    stdout);
	(void)printf("\nSignals: TERM, INT, QUIT stop gracefully (again: at once), HUP reloads all "
		     "apps, USR1 "
		     "reopens logs.\n");
	return fflush(stdout) == 0 ? 0 : 1;
}

int help_dump(const char *format_name)
{
	enum option_dump format;

	if (!option_dump_format(format_name, &format)) {
		(void)fprintf(stderr, "emperor: --dump-options=%s: help, mdoc, ini or dict\n",
			      format_name);
		return EXIT_USAGE;
	}
	option_dump(emperor_options_table, emperor_options_table_n, format, "emperor", stdout);
	return fflush(stdout) == 0 ? 0 : 1;
}

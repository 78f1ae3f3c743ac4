/*
 * option_dump - an option table as text: help for a terminal, option sections of a manual page, an example ini, a
 * dictionary for a fuzzer. Tests compare the committed manual and example with what comes out here.
 */
#include <inttypes.h>

#include "shared/option.h"

static bool does_something(const struct option *o)
{
	return o->type != OPTION_SILENT && o->type != OPTION_IGNORED && o->type != OPTION_REFUSED;
}

static const char *argument_word(const struct option *o)
{
	switch (o->type) {
	case OPTION_BOOL:
		return "";
	case OPTION_UINT:
	case OPTION_U64:
		return o->unit && *o->unit ? o->unit : "number";
	case OPTION_SECONDS:
		return "seconds";
	case OPTION_MBYTES:
		return "megabytes";
	case OPTION_OCTAL:
		return "mode";
	default:
		return o->unit && *o->unit ? o->unit : "text";
	}
}

/* Calls fn for each section in the order of its first row. */
static void each_section(const struct option *table, size_t n,
			 void (*fn)(const struct option *, size_t, const char *, FILE *), FILE *out)
{
	for (size_t i = 0; i < n; i++) {
		bool seen = false;

		for (size_t j = 0; j < i && !seen; j++)
			seen = does_something(&table[j]) &&
			       str_eq(table[j].section, table[i].section);
		if (!seen && does_something(&table[i]))
			fn(table, n, table[i].section, out);
	}
}

static bool in_section(const struct option *o, const char *section)
{
	return does_something(o) && str_eq(o->section, section);
}

/* -- help ----------------------------------------------------------------------------------------------- */

static void help_section(const struct option *table, size_t n, const char *section, FILE *out)
{
	(void)fprintf(out, "\n%s:\n", section);
	for (size_t i = 0; i < n; i++) {
		const struct option *o = &table[i];
		char left[64];

		if (!in_section(o, section))
			continue;
		(void)snprintf(left, sizeof(left), "--%s %s", o->name, argument_word(o));
		(void)fprintf(out, "  %-28s %s", left, o->text);
		if (o->def && *o->def)
			(void)fprintf(out, " (%s)", o->def);
		(void)fputc('\n', out);
	}
}

/* -- mdoc ----------------------------------------------------------------------------------------------- */

/* A line of running text: no control line may begin, no backslash may be an escape. */
static void mdoc_text(const char *s, FILE *out)
{
	if (*s == '.' || *s == '\'')
		(void)fputs("\\&", out);
	for (; *s; s++) {
		if (*s == '\\')
			(void)fputs("\\e", out);
		else
			(void)fputc(*s, out);
	}
}

static void mdoc_aliases(const struct option *o, FILE *out)
{
	const char *p = o->aliases;

	if (!p)
		return;
	(void)fputs("Also\n", out);
	while (*p) {
		size_t n = strcspn(p, " ");
		const char *name = *p == '!' ? p + 1 : p;

		(void)fprintf(out, ".Cm %.*s%s\n", (int)(n - (size_t)(name - p)), name,
			      p[n] ? " ," : " .");
		p += n + strspn(p + n, " ");
	}
}

static void mdoc_range(const struct option *o, FILE *out)
{
	if (o->type == OPTION_CUSTOM || (o->min == 0 && o->max == 0))
		return;
	if (o->max)
		(void)fprintf(out, "From %" PRIu64 " to %" PRIu64 ".\n", o->min, o->max);
	else
		(void)fprintf(out, "At least %" PRIu64 ".\n", o->min);
}

static void mdoc_option(const struct option *o, FILE *out)
{
	static const char *const reload[] = {
		[RELOAD_GENERATION] = NULL,
		[RELOAD_LIVE] = "A change takes effect in the running app.",
		[RELOAD_NONE] = "A change takes effect without a new generation.",
	};
	const char *word = argument_word(o);

	(void)fprintf(out, ".It Cm %s Li = Ar %s\n", o->name, *word ? word : "true | false");
	mdoc_text(o->text, out);
	(void)fputs(".\n", out);
	if (o->def && *o->def)
		(void)fprintf(out, "Default:\n.Li %s .\n", o->def);
	mdoc_range(o, out);
	if (o->type == OPTION_LIST || (o->flags & OPTION_MANY))
		(void)fputs("May be repeated.\n", out);
	mdoc_aliases(o, out);
	if (reload[o->reload])
		(void)fprintf(out, "%s\n", reload[o->reload]);
}

static void mdoc_section(const struct option *table, size_t n, const char *section, FILE *out)
{
	(void)fprintf(out, ".Ss %s\n.Bl -tag -width Ds\n", section);
	for (size_t i = 0; i < n; i++)
		if (in_section(&table[i], section))
			mdoc_option(&table[i], out);
	(void)fputs(".El\n", out);
}

static bool has_type(const struct option *table, size_t n, enum option_type type)
{
	for (size_t i = 0; i < n; i++)
		if (table[i].type == type)
			return true;
	return false;
}

static void mdoc_verdict(const struct option *table, size_t n, enum option_type type,
			 const char *heading, const char *intro, FILE *out)
{
	if (!has_type(table, n, type))
		return;
	(void)fprintf(out, ".Ss %s\n%s\n.Bl -tag -width Ds\n", heading, intro);
	for (size_t i = 0; i < n; i++) {
		if (table[i].type != type)
			continue;
		(void)fprintf(out, ".It Cm %s%s%s\n", table[i].name, table[i].aliases ? " " : "",
			      table[i].aliases ? table[i].aliases : "");
		mdoc_text(table[i].text, out);
		(void)fputs(".\n", out);
	}
	(void)fputs(".El\n", out);
}

static void dump_mdoc(const struct option *table, size_t n, FILE *out)
{
	each_section(table, n, mdoc_section, out);
	mdoc_verdict(table, n, OPTION_SILENT, "Accepted, nothing to do",
		     "These do here by themselves what they ask uWSGI for.", out);
	mdoc_verdict(table, n, OPTION_IGNORED, "Ignored with a note",
		     "These do nothing here; the app runs without them.", out);
	mdoc_verdict(
		table, n, OPTION_REFUSED, "Refused",
		"An ini with one of these is not started: dropping it would change what clients "
		"get.",
		out);
}

/* -- example ini ---------------------------------------------------------------------------------------- */

static void ini_section(const struct option *table, size_t n, const char *section, FILE *out)
{
	bool first = true;

	for (size_t i = 0; i < n; i++) {
		const struct option *o = &table[i];

		if (!in_section(o, section) || !o->example)
			continue;
		if (first)
			(void)fprintf(out, "\n; -- %s\n", section);
		first = false;
		(void)fprintf(out, "\n; %s.", o->text);
		if (o->def && *o->def)
			(void)fprintf(out, " Default: %s.", o->def);
		(void)fprintf(out, "\n%s%s = %s\n", o->flags & OPTION_ACTIVE ? "" : "#", o->name,
			      o->example);
	}
}

/* -- fuzz dictionary ------------------------------------------------------------------------------------ */

static void dump_dict(const struct option *table, size_t n, FILE *out)
{
	for (size_t i = 0; i < n; i++) {
		const char *p = table[i].aliases;

		(void)fprintf(out, "\"%s\"\n", table[i].name);
		while (p && *p) {
			size_t len;

			p += *p == '!';
			len = strcspn(p, " ");
			(void)fprintf(out, "\"%.*s\"\n", (int)len, p);
			p += len + strspn(p + len, " ");
		}
	}
}

bool option_dump_format(const char *name, enum option_dump *ret)
{
	static const char *const names[] = {
		[OPTION_DUMP_HELP] = "help",
		[OPTION_DUMP_MDOC] = "mdoc",
		[OPTION_DUMP_INI] = "ini",
		[OPTION_DUMP_DICT] = "dict",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (str_eq(names[i], name)) {
			*ret = (enum option_dump)i;
			return true;
		}
	}
	return false;
}

void option_dump(const struct option *table, size_t n, enum option_dump format, const char *section,
		 FILE *out)
{
	switch (format) {
	case OPTION_DUMP_HELP:
		each_section(table, n, help_section, out);
		break;
	case OPTION_DUMP_MDOC:
		dump_mdoc(table, n, out);
		break;
	case OPTION_DUMP_INI:
		(void)fprintf(out,
			      "; Every option, generated from the option table. What begins with # "
			      "shows a value, not the default.\n[%s]\n",
			      section);
		each_section(table, n, ini_section, out);
		break;
	case OPTION_DUMP_DICT:
		dump_dict(table, n, out);
		break;
	}
}

/*
 * command - see command.h.
 */
#include "emperor/control/command.h"

#include <errno.h>

#include "shared/err.h"

enum needs { NO_APP, MAY_APP, ONE_APP, APP_OR_ALL, MAY_DIR };

static const struct {
	const char *name;
	enum needs needs;
	bool waits; /* --no-wait means something */
	bool looks; /* first at the directories */
	bool number;
} verbs[COMMAND_COUNT] = {
	[COMMAND_STATUS] = {"status", MAY_APP, false, false},
	[COMMAND_RELOAD] = {"reload", APP_OR_ALL, true, true},
	[COMMAND_START] = {"start", ONE_APP, true, true},
	[COMMAND_STOP] = {"stop", ONE_APP, true, true},
	[COMMAND_REOPEN] = {"reopen", MAY_APP, false, false},
	[COMMAND_BOARD] = {"board", ONE_APP, false, false},
	[COMMAND_VERSION] = {"version", NO_APP, false, false},
	[COMMAND_WHERE] = {"where", NO_APP, false, false},
	[COMMAND_INI] = {"ini", ONE_APP, false, true},
	[COMMAND_ROLLBACK] = {"rollback", ONE_APP, true, true},
	[COMMAND_PLAN] = {"plan", MAY_DIR, false, true},
	[COMMAND_UPGRADE] = {"upgrade", MAY_DIR, false, false},
	[COMMAND_SCALE] = {"scale", ONE_APP, true, true, true},
	[COMMAND_UNFUSE] = {"unfuse", ONE_APP, false, true},
};

const char *command_name(enum command_verb verb)
{
	return verbs[verb].name;
}

bool command_looks(const struct command *c)
{
	return verbs[c->verb].looks && (c->verb != COMMAND_PLAN || c->dir[0]);
}

/* Cuts the next word off the line, and the blanks after it. */
static struct span take_word(struct span *line)
{
	const char *blank = line->n > 0 ? memchr(line->p, ' ', line->n) : NULL;
	struct span word = span_of(line->p, blank ? (size_t)(blank - line->p) : line->n);

	*line = span_trim(span_skip(*line, word.n));
	return word;
}

static int check_argument(const struct command *c, struct span rest, struct err *err)
{
	const char *verb = verbs[c->verb].name;
	enum needs needs = verbs[c->verb].needs;

	if (needs == MAY_DIR && rest.n > 0 && rest.p[0] != '/')
		return err_set(err, -EINVAL, "%s takes an absolute path", verb);
	if (needs == MAY_DIR)
		return 0;
	if (needs == NO_APP && rest.n > 0)
		return err_set(err, -EINVAL, "%s takes no argument", verb);
	if (needs == ONE_APP && (rest.n == 0 || c->all))
		return err_set(err, -EINVAL, "%s needs the name of an app", verb);
	if (needs == MAY_APP && c->all)
		return err_set(err, -EINVAL, "%s without a name is for all apps", verb);
	if (needs == APP_OR_ALL && rest.n == 0)
		return err_set(err, -EINVAL, "%s needs the name of an app or --all", verb);
	if (rest.n >= LIMIT_NAME)
		return err_set(err, -EINVAL, "a name has at most %d bytes", LIMIT_NAME - 1);
	for (size_t i = 0; i < rest.n; i++)
		if ((unsigned char)rest.p[i] < 0x20 || rest.p[i] == 0x7f || rest.p[i] == '/')
			return err_set(err, -EINVAL, "this is no app's name");
	return 0;
}

static int take_number(struct span *rest, unsigned *ret, struct err *err)
{
	struct span word = take_word(rest);
	unsigned n = 0;

	for (size_t i = 0; i < word.n; i++) {
		if (word.p[i] < '0' || word.p[i] > '9' || i == 6)
			return err_set(err, -EINVAL, "a number is needed, not \"%.*s\"",
				       (int)word.n, word.p);
		n = n * 10 + (unsigned)(word.p[i] - '0');
	}
	*ret = n;
	return word.n > 0 ? 0 : err_set(err, -EINVAL, "a number is needed");
}

int command_parse(struct span line, struct command *ret, struct err *err)
{
	struct command c = {.verb = COMMAND_STATUS};
	struct span rest = span_trim(line);
	struct span word = take_word(&rest);
	unsigned verb = 0;
	int r;

	while (verb < COMMAND_COUNT && !span_eq(word, span_str(verbs[verb].name)))
		verb++;
	if (verb == COMMAND_COUNT)
		return err_set(err, -EINVAL, "unknown command");
	c.verb = (enum command_verb)verb;
	if (span_eq(rest, SPAN("--no-wait")) || span_starts(rest, SPAN("--no-wait "))) {
		if (!verbs[verb].waits)
			return err_set(err, -EINVAL, "%s never waits", verbs[verb].name);
		(void)take_word(&rest);
		c.no_wait = true;
	}
	r = verbs[verb].number ? take_number(&rest, &c.number, err) : 0;
	if (r < 0)
		return r;
	c.all = span_eq(rest, SPAN("--all"));
	r = check_argument(&c, rest, err);
	if (r < 0)
		return r;
	if (verbs[verb].needs == MAY_DIR && rest.n > 0)
		memcpy(c.dir, rest.p, MIN(rest.n, sizeof(c.dir) - 1));
	else if (!c.all && rest.n > 0)
		memcpy(c.app, rest.p, rest.n);
	*ret = c;
	return 0;
}

/*
 * stacks - see stacks.h.
 */
#include "vassal/pool/stacks.h"

#include <stdio.h>

#include "vassal/exchange/crew.h"

static const char crash_begins[] = "Fatal Python error: ";

static bool starts(const char *p, size_t n, const char *with)
{
	size_t m = strlen(with);

	return n >= m && memcmp(p, with, m) == 0;
}

/*
 * A frame as faulthandler prints it, File "a.py", line 12 in f: a traceback of the app's has a comma behind the number, and
 * is what people look for in a log.
 */
static bool is_frame(const char *p, size_t n)
{
	static const char line[] = "\", line ";
	const char *at = starts(p, n, "  File \"") ? p : NULL;
	const char *number = NULL;
	size_t digits;

	while (at && (at = memmem(at, n - (size_t)(at - p), line, sizeof(line) - 1))) {
		at += sizeof(line) - 1;
		number = at;
	}
	if (!number)
		return false;
	n -= (size_t)(number - p);
	digits = 0;
	while (digits < n && strchr("0123456789?", number[digits]) && number[digits])
		digits++;
	return digits > 0 && starts(number + digits, n - digits, " in ");
}

bool stacks_is_line(const char *p, size_t n)
{
	static const char *const beginnings[] = {
		"Thread 0x",
		"Current thread 0x",
		"Stack (most recent call first)",
		"  <no Python frame",
		"  ...",
		"  Garbage",
		"Extension modules:",
	};

	for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++)
		if (starts(p, n, beginnings[i]))
			return true;
	return is_frame(p, n) || starts(p, n, crash_begins);
}

/* The first line from here on that begins a thread, of this number or, with 0, of any; NULL: there is none. */
static const char *find_thread(const char *text, uint64_t thread)
{
	static const char *const beginnings[] = {"Thread 0x", "Current thread 0x"};

	for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
		for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++)
			if (strncmp(text, beginnings[i], strlen(beginnings[i])) == 0 &&
			    (thread == 0 ||
			     strtoull(text + strlen(beginnings[i]), NULL, 16) == thread))
				return text;
	return NULL;
}

void stacks_copy(char *to, size_t size, const char *text, uint64_t thread)
{
	size_t n = strlen(text);
	/* what one thread says of itself, or why the process crashes, stands first already */
	bool sorted = starts(text, n, "Stack (") || starts(text, n, crash_begins);
	const char *begin = thread && !sorted ? find_thread(text, thread) : NULL;
	const char *end = begin ? find_thread(begin + 1, 0) : NULL;

	if (!begin || begin == text) {
		(void)snprintf(to, size, "%s", text);
		return;
	}
	end = end ? end : text + n;
	(void)snprintf(to, size, "%.*s%s%.*s%s", (int)(end - begin), begin,
		       end[-1] == '\n' ? "" : "\n", (int)(begin - text), text, end);
}

/* What does not fit is cut: the innermost frames of the first threads come first. */
static void keep(char *text, size_t *at, const char *p, size_t n)
{
	size_t m = MIN(n, STACKS_BYTES - 1 - *at);

	memcpy(text + *at, p, m);
	*at += m;
	text[*at] = '\0';
}

void stacks_want(struct stacks *s, unsigned worker, enum stacks_how how)
{
	s->waiting += s->wanted[worker] == STACKS_NONE;
	s->wanted[worker] = (uint8_t)MAX((enum stacks_how)s->wanted[worker], how);
}

static int find(const struct stacks *s, enum stacks_how how)
{
	for (unsigned i = 0; i < LIMIT_WORKERS; i++)
		if (s->wanted[i] == how)
			return (int)i;
	return -1;
}

bool stacks_next(struct stacks *s, unsigned *ret_worker, enum stacks_how *ret_how)
{
	int worker;

	if (s->how != STACKS_NONE || s->waiting == 0)
		return false;
	worker = find(s, STACKS_ALL);
	if (worker < 0)
		worker = find(s, STACKS_INTERRUPT);
	if (worker < 0)
		worker = find(s, STACKS_LOOK);
	if (worker < 0)
		return false;
	s->worker = (unsigned)worker;
	s->how = (enum stacks_how)s->wanted[worker];
	s->wanted[worker] = STACKS_NONE;
	s->waiting--;
	s->pid = 0;
	s->n = 0;
	s->text[0] = '\0';
	s->heard_ns = 0;
	s->ended = false;
	*ret_worker = s->worker;
	*ret_how = s->how;
	return true;
}

void stacks_asked(struct stacks *s, pid_t pid, uint64_t now_ns)
{
	s->pid = pid;
	s->asked_ns = now_ns;
}

static void on_end(struct stacks *s, const char *p, size_t n)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%.*s", (int)n, p);
	if (s->how == STACKS_NONE)
		return;
	if (strtol(text, NULL, 10) == s->pid) {
		s->ended = true;
		return;
	}
	/* it comes late, from somebody whose turn is over: so did the lines before it */
	s->n = 0;
	s->text[0] = '\0';
	s->heard_ns = 0;
}

bool stacks_line(struct stacks *s, const char *p, size_t n, uint64_t now_ns)
{
	const size_t mark_n = sizeof(CREW_STACKS_END) - 1;

	if (starts(p, n, CREW_STACKS_END)) {
		on_end(s, p + mark_n, n - mark_n);
		return true;
	}
	if (starts(p, n, crash_begins)) {
		s->crash_ns = now_ns;
		s->crash_n = 0;
	} else if (!stacks_is_line(p, n)) {
		return false;
	}
	if (s->crash_ns) {
		keep(s->crash, &s->crash_n, p, n);
	} else if (s->how != STACKS_NONE) {
		keep(s->text, &s->n, p, n);
		s->heard_ns = now_ns;
	}
	return false;
}

bool stacks_over(const struct stacks *s, uint64_t now_ns)
{
	uint64_t patience_ns = s->how == STACKS_LOOK ? STACKS_LOOK_NS
			       : s->waiting > 0      ? STACKS_CROWDED_NS
						     : STACKS_ALL_NS;

	if (s->how == STACKS_NONE)
		return false;
	if (s->ended)
		return true;
	if (s->heard_ns)
		return now_ns - s->heard_ns >= STACKS_QUIET_NS;
	return now_ns - s->asked_ns >= patience_ns;
}

void stacks_end(struct stacks *s)
{
	s->how = STACKS_NONE;
}

void stacks_drop(struct stacks *s, unsigned worker)
{
	s->waiting -= s->wanted[worker] != STACKS_NONE;
	s->wanted[worker] = STACKS_NONE;
}

const char *stacks_take_crash(struct stacks *s, uint64_t now_ns)
{
	bool fresh = s->crash_ns && s->crash_n > 0 && now_ns - s->crash_ns < STACKS_CRASH_NS;

	s->crash_ns = 0;
	return fresh ? s->crash : "";
}

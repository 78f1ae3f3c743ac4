/*
 * notes - the bounded list of inifile.h: what an operator should know about an ini that is not an error. A note that
 * cannot be kept (no memory, list full) is dropped: notes never make a good file fail.
 */
#include "shared/inifile.h"

#include <stdarg.h>
#include <stdio.h>

static struct inifile_note *slot(struct inifile_notes *notes)
{
	size_t room = notes->room ? notes->room * 2 : 8;
	struct inifile_note *v;

	if (notes->n >= LIMIT_INI_ITEMS)
		return NULL;
	if (notes->n == notes->room) {
		v = reallocarray(notes->v, room, sizeof(*v));
		if (!v)
			return NULL;
		notes->v = v;
		notes->room = room;
	}
	return &notes->v[notes->n];
}

void inifile_notes_add(struct inifile_notes *notes, const char *file, unsigned line,
		       const char *fmt, ...)
{
	struct inifile_note *note = notes ? slot(notes) : NULL;
	char text[INIFILE_NOTE_TEXT];
	va_list ap;

	if (!note)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	*note = (struct inifile_note){
		.file = strdup(file ? file : ""), .line = line, .text = strdup(text)};
	if (!note->file || !note->text) {
		free(note->file);
		free(note->text);
		return;
	}
	notes->n++;
}

void inifile_notes_done(struct inifile_notes *notes)
{
	if (!notes)
		return;
	for (size_t i = 0; i < notes->n; i++) {
		free(notes->v[i].file);
		free(notes->v[i].text);
	}
	free(notes->v);
	*notes = (struct inifile_notes){0};
}

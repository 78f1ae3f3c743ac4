/*
 * input_bytes - the bytes of wsgi.input, from memory or a file: see input.c.
 *
 * A body in a file is read with pread, without the GIL, straight into the bytes that the app gets; only readline()
 * goes through a window, since it does not know how far it has to read.
 */
#include "vassal/engine/input_inner.h"

#include <errno.h>

#include "shared/copy.h"
#include "vassal/engine/forked.h"

/* A process that the app forked may outlive the request: the memory of its body is then another one's. */
int input_check(const struct input *in)
{
	if (in->attached && !forked_is())
		return 0;
	PyErr_SetString(PyExc_ValueError,
			in->attached ? "wsgi.input: the request is not this forked process's"
				     : "wsgi.input: the request is over");
	return -1;
}

int input_hold(struct input *in)
{
	/* first of all: a lock that another thread held when this process was forked stays held */
	if (input_check(in) < 0)
		return -1;
	if (pthread_mutex_trylock(&in->lock) != 0) {
		Py_BEGIN_ALLOW_THREADS;
		(void)pthread_mutex_lock(&in->lock);
		Py_END_ALLOW_THREADS;
	}
	if (input_check(in) == 0)
		return 0;
	input_release(in);
	return -1;
}

void input_release(struct input *in)
{
	(void)pthread_mutex_unlock(&in->lock);
}

static int open_file(struct input *in)
{
	_cleanup_(fd_closep) int fd = -1;

	if (in->fd >= 0)
		return 0;
	if (in->open(in->arg, &fd) < 0)
		return -1;
	/* The GIL was free meanwhile: the request may be over. */
	if (input_check(in) < 0)
		return -1;
	in->fd = TAKE_FD(fd);
	return 0;
}

/* want bytes of the file from at on. -1 with an exception set when they are not there. */
static int read_file(struct input *in, uint8_t *p, size_t want, uint64_t at)
{
	size_t got = 0;
	int saved = 0;

	if (open_file(in) < 0)
		return -1;
	in->busy = true;
	Py_BEGIN_ALLOW_THREADS;
	while (got < want) {
		ssize_t r = pread(in->fd, p + got, want - got, (off_t)(at + got));

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0) {
			saved = r < 0 ? errno : EIO;
			break;
		}
		got += (size_t)r;
	}
	Py_END_ALLOW_THREADS;
	in->busy = false;
	if (!in->attached && in->fd >= 0) {
		(void)close(in->fd);
		in->fd = -1;
	}
	if (input_check(in) < 0)
		return -1;
	if (saved == 0)
		return 0;
	errno = saved;
	(void)PyErr_SetFromErrno(PyExc_OSError);
	return -1;
}

static int copy(struct input *in, uint8_t *p, size_t want)
{
	if (want == 0)
		return 0;
	if (!in->memory)
		return read_file(in, p, want, in->at);
	copy_bytes(p, in->memory + in->at, want);
	return 0;
}

static uint64_t left(const struct input *in)
{
	return in->at < in->n ? in->n - in->at : 0;
}

static PyObject *take(struct input *in, uint64_t want)
{
	PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)want);

	if (!bytes)
		return NULL;
	if (copy(in, (uint8_t *)PyBytes_AS_STRING(bytes), want) < 0) {
		Py_DECREF(bytes);
		return NULL;
	}
	in->at += want;
	return bytes;
}

/* The bytes that are at hand from at on, at most to end: in memory all of them, of a file what the window holds. */
static int look(struct input *in, uint64_t at, uint64_t end, const uint8_t **ret_p, size_t *ret_n)
{
	size_t n;

	if (in->memory) {
		*ret_p = in->memory + at;
		*ret_n = (size_t)(end - at);
		return 0;
	}
	if (at < in->window_at || at >= in->window_at + in->window_n) {
		n = (size_t)MIN((uint64_t)INPUT_WINDOW_BYTES, in->n - at);
		in->window_n = 0;
		if (read_file(in, in->window, n, at) < 0)
			return -1;
		in->window_at = at;
		in->window_n = n;
	}
	*ret_p = in->window + (at - in->window_at);
	*ret_n = (size_t)MIN(end - at, in->window_at + in->window_n - at);
	return 0;
}

/* Bytes up to and including the next newline, at most limit. */
static int find_line(struct input *in, uint64_t limit, uint64_t *ret_n)
{
	uint64_t end = in->at + MIN(limit, left(in));
	uint64_t at = in->at;

	while (at < end) {
		const uint8_t *p;
		const uint8_t *nl;
		size_t n;

		if (look(in, at, end, &p, &n) < 0)
			return -1;
		nl = memchr(p, '\n', n);
		if (nl) {
			*ret_n = at + (uint64_t)(nl - p) + 1 - in->at;
			return 0;
		}
		at += n;
	}
	*ret_n = end - in->at;
	return 0;
}

/* The line from the window if it is all there: a second pread for each line would be a waste. */
static PyObject *take_line(struct input *in, uint64_t n)
{
	PyObject *bytes;

	if (in->memory || in->at < in->window_at || in->at + n > in->window_at + in->window_n)
		return take(in, n);
	bytes = PyBytes_FromStringAndSize((const char *)in->window + (in->at - in->window_at),
					  (Py_ssize_t)n);
	if (bytes)
		in->at += n;
	return bytes;
}

PyObject *input_take(struct input *in, uint64_t want)
{
	PyObject *bytes;

	if (input_hold(in) < 0)
		return NULL;
	bytes = take(in, MIN(want, left(in)));
	input_release(in);
	return bytes;
}

ssize_t input_take_into(struct input *in, uint8_t *p, uint64_t want)
{
	ssize_t n;

	if (input_hold(in) < 0)
		return -1;
	n = (ssize_t)MIN(want, left(in));
	if (copy(in, p, (size_t)n) < 0)
		n = -1;
	else
		in->at += (uint64_t)n;
	input_release(in);
	return n;
}

static int make_window(struct input *in)
{
	if (in->memory || in->window)
		return 0;
	in->window = PyMem_Malloc(INPUT_WINDOW_BYTES);
	if (in->window)
		return 0;
	(void)PyErr_NoMemory();
	return -1;
}

PyObject *input_take_line(struct input *in, Py_ssize_t limit)
{
	PyObject *line = NULL;
	uint64_t n;

	if (input_hold(in) < 0)
		return NULL;
	if (make_window(in) == 0 &&
	    find_line(in, limit < 0 ? UINT64_MAX : (uint64_t)limit, &n) == 0)
		line = take_line(in, n);
	input_release(in);
	return line;
}

/*
 * exchange - making and mapping the shared memory; see exchange.h for what it is, layout.h for how it looks.
 *
 * The memory is a memfd, sealed in size so that no process can cut it away under another one. It is sparse: a slot
 * or a ring costs memory only for the pages that were ever touched.
 */
#include "vassal/exchange/exchange.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "shared/err.h"
#include "vassal/exchange/layout.h"

#define PAGE 4096UL

_Static_assert(EXCHANGE_RING_BYTES % PAGE == 0, "rings are mapped twice in a row");
_Static_assert(EXCHANGE_SLOT_BYTES % PAGE == 0, "slots give whole pages back");
_Static_assert(EXCHANGE_FRAME_MAX + 64 < EXCHANGE_RING_BYTES, "a frame fits its ring");
_Static_assert(EXCHANGE_SLOTS_MAX <= 0xffff && LIMIT_LANES <= 0xffff, "words hold 16 bits of each");
_Static_assert((LAYOUT_CELLS & (LAYOUT_CELLS - 1)) == 0 && LAYOUT_CELLS <= 0x8000,
	       "cells wrap with positions");

static size_t page_up(size_t n)
{
	return (n + PAGE - 1) & ~(PAGE - 1);
}

static size_t data_at(const struct exchange_shape *shape)
{
	return page_up(sizeof(struct layout) + shape->slots * sizeof(struct slot));
}

static size_t rings_at(const struct exchange_shape *shape)
{
	return data_at(shape) + (size_t)shape->slots * EXCHANGE_SLOT_BYTES;
}

static size_t total_size(const struct exchange_shape *shape)
{
	return rings_at(shape) + (size_t)shape->workers * shape->threads * EXCHANGE_RING_BYTES;
}

static bool shape_is_valid(const struct exchange_shape *s)
{
	return s->slots >= 1 && s->slots <= EXCHANGE_SLOTS_MAX && s->workers >= 1 &&
	       s->workers <= LIMIT_WORKERS && s->threads >= 1 && s->threads <= LIMIT_THREADS &&
	       s->workers * s->threads <= LIMIT_LANES;
}

/* The same pages twice, one after the other: whatever begins in the ring ends without a seam. */
static uint8_t *map_ring(int fd, size_t offset)
{
	uint8_t *p = mmap(NULL, 2UL * EXCHANGE_RING_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	for (int i = 0; i < 2; i++) {
		if (mmap(p + (size_t)i * EXCHANGE_RING_BYTES, EXCHANGE_RING_BYTES,
			 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
			 (off_t)offset) == MAP_FAILED) {
			(void)munmap(p, 2UL * EXCHANGE_RING_BYTES);
			return NULL;
		}
	}
	return p;
}

static void exchange_freep(struct exchange **x)
{
	exchange_free(*x);
}

static int map_all(struct exchange *x, struct err *err)
{
	void *p;

	x->lanes = x->shape.workers * x->shape.threads;
	assert(x->lanes > 0); /* shape_is_valid() */
	x->size = rings_at(&x->shape);
	p = mmap(NULL, x->size, PROT_READ | PROT_WRITE, MAP_SHARED, x->memory_fd, 0);
	if (p == MAP_FAILED)
		return err_set(err, -errno, "exchange: mmap of %zu bytes: %s", x->size,
			       strerror(errno));
	x->m = p;
	x->data = (uint8_t *)p + data_at(&x->shape);
	x->rings = calloc(x->lanes, sizeof(*x->rings));
	x->pending = calloc(x->lanes, sizeof(*x->pending));
	x->turn = calloc(x->lanes, sizeof(*x->turn));
	if (!x->rings || !x->pending || !x->turn)
		return err_set(err, -ENOMEM, "exchange: out of memory");
	for (unsigned i = 0; i < x->lanes; i++) {
		x->pending[i] = UINT64_MAX;
		x->rings[i] = map_ring(x->memory_fd,
				       rings_at(&x->shape) + (size_t)i * EXCHANGE_RING_BYTES);
		if (!x->rings[i])
			return err_set(err, -errno, "exchange: mmap of a ring: %s",
				       strerror(errno));
	}
	return 0;
}

static struct exchange *new_exchange(void)
{
	struct exchange *x = calloc(1, sizeof(*x));

	if (x)
		x->memory_fd = x->event_fd = -1;
	return x;
}

static int make_memory(struct exchange *x, struct err *err)
{
	size_t size = total_size(&x->shape);

	x->memory_fd = memfd_create("exchange", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (x->memory_fd < 0 || ftruncate(x->memory_fd, (off_t)size) < 0 ||
	    fcntl(x->memory_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return err_set(err, -errno, "exchange: memory of %zu bytes: %s", size,
			       strerror(errno));
	x->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (x->event_fd < 0)
		return err_set(err, -errno, "exchange: eventfd: %s", strerror(errno));
	return 0;
}

int exchange_create(struct exchange **ret_x, const struct exchange_shape *shape, struct err *err)
{
	_cleanup_(exchange_freep) struct exchange *x = NULL;
	int r;

	if (!shape_is_valid(shape))
		return err_set(err, -EINVAL,
			       "exchange: %u slots for %u workers of %u threads is out of range",
			       shape->slots, shape->workers, shape->threads);
	x = new_exchange();
	if (!x)
		return err_set(err, -ENOMEM, "exchange: out of memory");
	x->shape = *shape;
	r = make_memory(x, err);
	if (r == 0)
		r = map_all(x, err);
	if (r < 0)
		return r;
	x->free_slots = calloc(shape->slots, sizeof(*x->free_slots));
	x->sequence = calloc(shape->slots, sizeof(*x->sequence));
	x->submitted = calloc(shape->slots, sizeof(*x->submitted));
	x->warm = calloc(shape->slots, sizeof(*x->warm));
	if (!x->free_slots || !x->sequence || !x->submitted || !x->warm)
		return err_set(err, -ENOMEM, "exchange: out of memory");
	for (unsigned i = 0; i < shape->slots; i++)
		x->free_slots[i] = (uint16_t)(shape->slots - 1 - i);
	x->free_n = shape->slots;
	x->m->magic = LAYOUT_MAGIC;
	x->m->version = LAYOUT_VERSION;
	x->m->size = total_size(shape);
	x->m->shape = *shape;
	x->m->front_pid = getpid();
	x->usual_ns = USUAL_MOST_NS; /* until we know better */
	atomic_store(&x->m->usual_ns, x->usual_ns);
	*ret_x = TAKE_PTR(x);
	return 0;
}

/* The header is read before the whole is mapped, so that a wrong descriptor is an error and not a crash. */
static int read_shape(int fd, struct exchange_shape *ret_shape, struct err *err)
{
	struct layout head;
	struct stat st;
	const size_t n = offsetof(struct layout, front_sleeps);

	if (fstat(fd, &st) < 0 || pread(fd, &head, n, 0) != (ssize_t)n)
		return err_set(err, -EBADF, "exchange: descriptor %d cannot be read", fd);
	if (head.magic != LAYOUT_MAGIC || head.version != LAYOUT_VERSION ||
	    !shape_is_valid(&head.shape) || head.size != total_size(&head.shape) ||
	    (size_t)st.st_size != head.size)
		return err_set(err, -EPROTO, "exchange: made by another build of vassal");
	*ret_shape = head.shape;
	return 0;
}

int exchange_attach(struct exchange **ret_x, int memory_fd, int event_fd, struct err *err)
{
	_cleanup_(exchange_freep) struct exchange *x = new_exchange();
	int r;

	if (!x)
		return err_set(err, -ENOMEM, "exchange: out of memory");
	r = read_shape(memory_fd, &x->shape, err);
	if (r < 0)
		return r;
	x->memory_fd = fcntl(memory_fd, F_DUPFD_CLOEXEC, 0);
	x->event_fd = fcntl(event_fd, F_DUPFD_CLOEXEC, 0);
	if (x->memory_fd < 0 || x->event_fd < 0)
		return err_set(err, -errno, "exchange: dup: %s", strerror(errno));
	r = map_all(x, err);
	if (r < 0)
		return r;
	*ret_x = TAKE_PTR(x);
	return 0;
}

int exchange_memory_fd(const struct exchange *x)
{
	return x->memory_fd;
}

int exchange_event_fd(const struct exchange *x)
{
	return x->event_fd;
}

const struct exchange_shape *exchange_get_shape(const struct exchange *x)
{
	return &x->shape;
}

struct exchange_request *exchange_request(struct exchange *x, unsigned slot)
{
	return &x->m->slots[slot].request;
}

uint8_t *exchange_data(struct exchange *x, unsigned slot)
{
	return x->data + (size_t)slot * EXCHANGE_SLOT_BYTES;
}

uint64_t exchange_taken_ns(const struct exchange *x, unsigned slot)
{
	return atomic_load_explicit(&x->m->slots[slot].taken_ns, memory_order_acquire);
}

void exchange_free(struct exchange *x)
{
	if (!x)
		return;
	for (unsigned i = 0; x->rings && i < x->lanes; i++)
		if (x->rings[i])
			(void)munmap(x->rings[i], 2UL * EXCHANGE_RING_BYTES);
	if (x->m)
		(void)munmap(x->m, x->size);
	fd_closep(&x->memory_fd);
	fd_closep(&x->event_fd);
	free(x->rings);
	free(x->pending);
	free(x->turn);
	free(x->free_slots);
	free(x->sequence);
	free(x->submitted);
	free(x->warm);
	free(x);
}

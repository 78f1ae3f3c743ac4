/*
 * slot_view - see slot_view.h.
 */
#include "vassal/front/slot_view.h"

#include "shared/vars.h"
#include "vassal/front/state.h"

void slot_view(struct front *f, unsigned slot, struct slot_view *ret)
{
	const struct exchange_request *xr = exchange_request(f->exchange, slot);
	/* as the front wrote them: the slot's own words are only believed within this */
	size_t touched = MIN(f->jobs[slot].touched, sizeof(f->vars_scratch));
	size_t vars_n = MIN((size_t) * (const volatile uint32_t *)&xr->vars_n, touched);
	struct span key, value;
	size_t at = 0;

	*ret = (struct slot_view){0};
	memcpy(f->vars_scratch, exchange_data(f->exchange, slot), touched);
	while (vars_next(f->vars_scratch, vars_n, &at, &key, &value)) {
		if (span_eq(key, SPAN("REQUEST_METHOD")))
			ret->method = value;
		else if (span_eq(key, SPAN("REQUEST_URI")))
			ret->target = value;
	}
	ret->body = span_of((const char *)f->vars_scratch + vars_n, touched - vars_n);
}

/*
 * start - see start.h.
 */
#include "vassal/front/start.h"

#include "shared/clock.h"
#include "shared/limits.h"

/* Digits of the seconds of this and the next two centuries; ms and us have three and six more. */
#define SECONDS_DIGITS 10

/* The number at the front of *s, which moves behind it; how many digits it has. 0: none, or too many. */
static size_t take_digits(struct span *s, uint64_t *ret)
{
	size_t n = 0;

	*ret = 0;
	while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9') {
		if (n == SECONDS_DIGITS + 6)
			return 0;
		*ret = *ret * 10 + (uint64_t)(s->p[n] - '0');
		n++;
	}
	*s = span_skip(*s, n);
	return n;
}

/* Behind the point: as ns. More digits than nine are nobody's. */
static bool take_fraction(struct span s, uint64_t *ret_ns)
{
	uint64_t n;
	size_t digits = take_digits(&s, &n);

	if (digits == 0 || digits > 9 || s.n > 0)
		return false;
	for (; digits < 9; digits++)
		n *= 10;
	*ret_ns = n;
	return true;
}

bool start_parse(struct span value, uint64_t *ret_wall_ns)
{
	uint64_t n;
	uint64_t fraction_ns = 0;
	size_t digits;

	value = span_trim(value);
	if (value.n > 2 && value.p[0] == 't' && value.p[1] == '=')
		value = span_skip(value, 2);
	digits = take_digits(&value, &n);
	if (digits == SECONDS_DIGITS && value.n > 0) {
		if (value.p[0] != '.' || !take_fraction(span_skip(value, 1), &fraction_ns))
			return false;
		value = SPAN("");
	}
	if (value.n > 0)
		return false;
	if (digits == SECONDS_DIGITS)
		*ret_wall_ns = n * NS_PER_S + fraction_ns;
	else if (digits == SECONDS_DIGITS + 3)
		*ret_wall_ns = n * NS_PER_MS;
	else if (digits == SECONDS_DIGITS + 6)
		*ret_wall_ns = n * NS_PER_US;
	else
		return false;
	return true;
}

uint64_t start_age(struct start_clock *s, uint64_t start_wall_ns, uint64_t now_wall_ns,
		   uint64_t timeout_ns)
{
	uint64_t age_ns = now_wall_ns - MIN(now_wall_ns, start_wall_ns);

	if (age_ns > LIMIT_START_AGE_S * NS_PER_S)
		return 0;
	if (timeout_ns == 0 || age_ns < timeout_ns) {
		s->stale = 0;
		return age_ns;
	}
	/* it stays where it is: said once */
	s->stale += s->stale <= LIMIT_START_STALE + 1;
	return s->stale <= LIMIT_START_STALE ? age_ns : 0;
}

bool start_is_doubted(const struct start_clock *s)
{
	return s->stale == LIMIT_START_STALE + 1;
}

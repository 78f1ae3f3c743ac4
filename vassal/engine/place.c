/*
 * place - see place.h. Neither is worth a generation: a machine with fewer CPUs, or a user without the
 * right to be in a hurry, serves all the same.
 */
#include "vassal/engine/engine.h"

#include "vassal/engine/place.h"

#include <errno.h>
#include <sched.h>
#include <sys/resource.h>

#include "shared/log.h"

void place_prio(const struct engine *e)
{
	/* less than it has: the emperor gave the right to it (RLIMIT_NICE), or it is not to be had */
	if (e->config.prio == 0 || getpriority(PRIO_PROCESS, 0) == e->config.prio)
		return;
	if (setpriority(PRIO_PROCESS, 0, e->config.prio) < 0)
		log_warning("prio = %d: %s", e->config.prio, strerror(errno));
}

/* The CPU behind the last one that was given out, of those that are allowed. */
static int next_cpu(const cpu_set_t *allowed, int cpu)
{
	do
		cpu = (cpu + 1) % CPU_SETSIZE;
	while (!CPU_ISSET(cpu, allowed));
	return cpu;
}

void place_worker(const struct engine *e, unsigned number)
{
	cpu_set_t allowed, mine;
	unsigned cpus, n;
	int cpu = -1;

	if (e->config.cpu_affinity == 0)
		return;
	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0 || CPU_COUNT(&allowed) == 0) {
		log_warning("cpu-affinity: %s", strerror(errno));
		return;
	}
	cpus = (unsigned)CPU_COUNT(&allowed);
	n = MIN(e->config.cpu_affinity, cpus);
	CPU_ZERO(&mine);
	for (unsigned i = 0; i < number * n % cpus; i++)
		cpu = next_cpu(&allowed, cpu);
	for (unsigned i = 0; i < n; i++) {
		cpu = next_cpu(&allowed, cpu);
		CPU_SET(cpu, &mine);
	}
	if (sched_setaffinity(0, sizeof(mine), &mine) < 0)
		log_warning("cpu-affinity: %s", strerror(errno));
}

void place_anywhere(const struct engine *e)
{
	cpu_set_t all;

	if (e->config.cpu_affinity == 0)
		return;
	memset(&all, 0xff, sizeof(all)); /* the kernel leaves those that its cgroup allows */
	if (sched_setaffinity(0, sizeof(all), &all) < 0)
		log_warning("cpu-affinity: %s", strerror(errno));
}

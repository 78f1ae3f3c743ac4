/*
 * measure - how much memory a process has, from /proc.
 */
#pragma once
#include "shared/base.h"
#include <sys/types.h>

/* Cheap (10 us): resident and virtual bytes. False: no such process. */
bool measure_memory(pid_t pid, uint64_t *ret_rss, uint64_t *ret_vsz);
/* Walks every page table of the process and holds its mmap lock meanwhile (0.2 ms for 30 MB, 10 ms
 * for 2 GB): rarely. USS is what nobody shares. */
bool measure_pss(pid_t pid, uint64_t *ret_pss, uint64_t *ret_uss);

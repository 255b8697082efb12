/* Counts what the calling thread allocates, for tests of loops that must not. */
#ifndef ALLOCATION_COUNTER_H
#define ALLOCATION_COUNTER_H

#include <stddef.h>

/* Calls of malloc, calloc, realloc and aligned allocation on this thread since it began. */
size_t allocation_count(void);

/* 0 in builds for a sanitizer, where nothing is counted. */
int allocations_are_counted(void);

#endif

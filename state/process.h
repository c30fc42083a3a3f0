/* process.h -- what this process takes of the machine, as the kernel tells it. */
#ifndef TANDEM_PROCESS_H
#define TANDEM_PROCESS_H

#include <stdint.h>

/* -1 for what cannot be known here. */
struct process_usage {
    int64_t resident_bytes, virtual_bytes;
    int64_t descriptors, descriptors_max;
    int64_t threads;
    double cpu_seconds;
};

/* Reads /proc: some 50 us, more with many descriptors.  Any thread. */
struct process_usage process_usage(void);

#endif

/* threads.h -- many threads that begin at the same moment.
 *
 * What races, races at the start: all threads wait at a barrier and then run 'body' with their
 * number. Bodies count into atomics; the test asserts after threads_run() has joined them. */
#ifndef TANDEM_TESTS_THREADS_H
#define TANDEM_TESTS_THREADS_H

/* Runs 'body' on 'count' threads (numbers 0 to count - 1) and returns when all are done. */
void threads_run(unsigned count, void (*body)(void *arg, unsigned number), void *arg);

/* 'rounds', divided by TEST_SCALE from the environment (for slow builds), but at least 1. */
unsigned scaled(unsigned rounds);

/* The counts of threads that every race is tried with, ended by 0. */
extern const unsigned race_sizes[];

#endif

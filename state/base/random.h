/* random.h -- bytes that nobody can guess, from the kernel.  Any thread. */
#ifndef TANDEM_RANDOM_H
#define TANDEM_RANDOM_H

#include <stdbool.h>
#include <stddef.h>

/* Fills 'out' with 'size' random bytes.  False, and 'out' worth nothing, if the kernel has none. */
bool random_bytes(void *out, size_t size);
/* Fills 'out' of 'size' bytes with random hex digits and a NUL: four bits a digit.  False, and
 * 'out' empty, if the kernel has none to give. */
bool random_hex(char *out, size_t size);

#endif

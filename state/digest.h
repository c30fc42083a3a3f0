/* digest.h -- SHA-256, and what libcrypto needs before it is used.  Pure; any thread. */
#ifndef TANDEM_DIGEST_H
#define TANDEM_DIGEST_H

#include "state/base/mem.h"

#define DIGEST_SIZE 32u                         /* Bytes of a digest, */
#define DIGEST_TEXT_SIZE (2u * DIGEST_SIZE + 1) /* and of all of it in hexadecimal, with NUL. */

/* Before there are threads, and before libcrypto is used at all: its allocations abort as xcalloc()
 * does when there is no memory.  libcrypto 3.0 takes a lock that it could not make when one fails
 * while it is first used, which may be in the middle of a request; an end that loses nothing is the
 * better answer. */
void crypto_prepare(void);

/* The digest of 'bytes'.  False if libcrypto finds no memory for it. */
bool digest_make(struct slice bytes, unsigned char digest[DIGEST_SIZE]);
/* Its first bytes in hexadecimal, as many as fit in 'size' with a NUL. */
void digest_format(const unsigned char digest[DIGEST_SIZE], char *out, size_t size);

#endif

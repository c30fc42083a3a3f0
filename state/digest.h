/* digest.h -- SHA-256.  Pure; any thread. */
#ifndef TANDEM_DIGEST_H
#define TANDEM_DIGEST_H

#include "state/base/mem.h"

#define DIGEST_SIZE 32u                         /* Bytes of a digest, */
#define DIGEST_TEXT_SIZE (2u * DIGEST_SIZE + 1) /* and of all of it in hexadecimal, with NUL. */

/* The digest of 'bytes'.  False if libcrypto finds no memory for it. */
bool digest_make(struct slice bytes, unsigned char digest[DIGEST_SIZE]);
/* Its first bytes in hexadecimal, as many as fit in 'size' with a NUL. */
void digest_format(const unsigned char digest[DIGEST_SIZE], char *out, size_t size);

#endif

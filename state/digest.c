/* digest.c -- SHA-256, by libcrypto. */
#include "state/digest.h"

#include <openssl/evp.h>

bool
digest_make(struct slice bytes, unsigned char digest[DIGEST_SIZE])
{
    return EVP_Digest(bytes.data, bytes.len, digest, NULL, EVP_sha256(), NULL) == 1;
}

void
digest_format(const unsigned char digest[DIGEST_SIZE], char *out, size_t size)
{
    static const char hex[] = "0123456789abcdef";
    size_t at = 0;

    for (size_t i = 0; i < DIGEST_SIZE && at + 2 < size; i++) {
        out[at++] = hex[digest[i] >> 4];
        out[at++] = hex[digest[i] & 15];
    }
    out[at] = '\0';
}

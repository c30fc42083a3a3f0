/* digest.c -- SHA-256, by libcrypto. */
#include "state/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

static void *
allocate(size_t size, const char *file, int line)
{
    void *p = size ? try_malloc(size) : NULL;

    (void)file, (void)line;
    if (size && !p) {
        out_of_memory();
    }
    return p;
}

static void
release(void *p, const char *file, int line)
{
    (void)file, (void)line;
    free(p);
}

static void *
reallocate(void *old, size_t size, const char *file, int line)
{
    if (!size) {
        release(old, file, line);
        return NULL;
    }
    return xrealloc(old, size);
}

void
crypto_prepare(void)
{
    CRYPTO_set_mem_functions(allocate, reallocate, release);
}

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

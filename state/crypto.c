/* crypto.c -- libcrypto, loaded when the first digest is made, the first token judged, the first
 * state sealed: most servers are asked for that long after they were asked to be there at once.
 *
 * The functions have their own names, so whoever uses them includes OpenSSL's headers as always;
 * see state/base/late.h.  All of them say with 0 or null that they failed, which is what is said
 * where the library cannot be loaded.  One more function that is used needs its row here. */
#include "state/crypto.h"

#include "state/base/late.h"
#include "state/base/mem.h"

#include <dlfcn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

/* clang-format off */
#define FUNCTIONS(CALL, SAY)                                                                                             \
    SAY(ERR_clear_error, (void), ())                                                                                     \
    /* Digests. */                                                                                                       \
    CALL(const EVP_MD *, EVP_sha256, (void), ())                                                                         \
    CALL(const EVP_MD *, EVP_sha384, (void), ())                                                                         \
    CALL(int, EVP_Digest, (const void *data, size_t len, unsigned char *out, unsigned *size, const EVP_MD *md,           \
                           ENGINE *engine), (data, len, out, size, md, engine))                                          \
    CALL(EVP_MD_CTX *, EVP_MD_CTX_new, (void), ())                                                                       \
    SAY(EVP_MD_CTX_free, (EVP_MD_CTX *c), (c))                                                                           \
    CALL(int, EVP_DigestInit_ex, (EVP_MD_CTX *c, const EVP_MD *md, ENGINE *engine), (c, md, engine))                     \
    CALL(int, EVP_DigestUpdate, (EVP_MD_CTX *c, const void *data, size_t len), (c, data, len))                           \
    CALL(int, EVP_DigestFinal_ex, (EVP_MD_CTX *c, unsigned char *out, unsigned *size), (c, out, size))                   \
    /* Ciphers. */                                                                                                       \
    CALL(const EVP_CIPHER *, EVP_aes_256_gcm, (void), ())                                                                \
    CALL(EVP_CIPHER_CTX *, EVP_CIPHER_CTX_new, (void), ())                                                               \
    SAY(EVP_CIPHER_CTX_free, (EVP_CIPHER_CTX *c), (c))                                                                   \
    CALL(int, EVP_CIPHER_CTX_ctrl, (EVP_CIPHER_CTX *c, int type, int n, void *p), (c, type, n, p))                       \
    CALL(int, EVP_EncryptInit_ex, (EVP_CIPHER_CTX *c, const EVP_CIPHER *cipher, ENGINE *engine,                          \
                                   const unsigned char *key, const unsigned char *iv), (c, cipher, engine, key, iv))     \
    CALL(int, EVP_EncryptUpdate, (EVP_CIPHER_CTX *c, unsigned char *out, int *n, const unsigned char *in, int len),      \
         (c, out, n, in, len))                                                                                           \
    CALL(int, EVP_EncryptFinal_ex, (EVP_CIPHER_CTX *c, unsigned char *out, int *n), (c, out, n))                         \
    CALL(int, EVP_DecryptInit_ex, (EVP_CIPHER_CTX *c, const EVP_CIPHER *cipher, ENGINE *engine,                          \
                                   const unsigned char *key, const unsigned char *iv), (c, cipher, engine, key, iv))     \
    CALL(int, EVP_DecryptUpdate, (EVP_CIPHER_CTX *c, unsigned char *out, int *n, const unsigned char *in, int len),      \
         (c, out, n, in, len))                                                                                           \
    CALL(int, EVP_DecryptFinal_ex, (EVP_CIPHER_CTX *c, unsigned char *out, int *n), (c, out, n))                         \
    /* Keys. */                                                                                                          \
    CALL(EVP_PKEY_CTX *, EVP_PKEY_CTX_new_from_name, (OSSL_LIB_CTX *lib, const char *name, const char *query),           \
         (lib, name, query))                                                                                             \
    CALL(EVP_PKEY_CTX *, EVP_PKEY_CTX_new_from_pkey, (OSSL_LIB_CTX *lib, EVP_PKEY *key, const char *query),              \
         (lib, key, query))                                                                                              \
    SAY(EVP_PKEY_CTX_free, (EVP_PKEY_CTX *c), (c))                                                                       \
    CALL(int, EVP_PKEY_fromdata_init, (EVP_PKEY_CTX *c), (c))                                                            \
    CALL(int, EVP_PKEY_fromdata, (EVP_PKEY_CTX *c, EVP_PKEY **key, int selection, OSSL_PARAM *params),                   \
         (c, key, selection, params))                                                                                    \
    CALL(int, EVP_PKEY_public_check, (EVP_PKEY_CTX *c), (c))                                                             \
    CALL(EVP_PKEY *, EVP_PKEY_new_raw_public_key, (int type, ENGINE *engine, const unsigned char *key, size_t len),      \
         (type, engine, key, len))                                                                                       \
    CALL(int, EVP_PKEY_get_size, (const EVP_PKEY *key), (key))                                                           \
    SAY(EVP_PKEY_free, (EVP_PKEY *key), (key))                                                                           \
    CALL(OSSL_PARAM_BLD *, OSSL_PARAM_BLD_new, (void), ())                                                               \
    CALL(int, OSSL_PARAM_BLD_push_BN, (OSSL_PARAM_BLD *b, const char *key, const BIGNUM *n), (b, key, n))                \
    CALL(OSSL_PARAM *, OSSL_PARAM_BLD_to_param, (OSSL_PARAM_BLD *b), (b))                                                \
    SAY(OSSL_PARAM_BLD_free, (OSSL_PARAM_BLD *b), (b))                                                                   \
    SAY(OSSL_PARAM_free, (OSSL_PARAM *p), (p))                                                                           \
    /* Signatures. */                                                                                                    \
    CALL(int, EVP_DigestVerifyInit, (EVP_MD_CTX *c, EVP_PKEY_CTX **how, const EVP_MD *md, ENGINE *engine,                \
                                     EVP_PKEY *key), (c, how, md, engine, key))                                          \
    CALL(int, EVP_DigestVerify, (EVP_MD_CTX *c, const unsigned char *sig, size_t sig_len, const unsigned char *text,     \
                                 size_t len), (c, sig, sig_len, text, len))                                              \
    CALL(int, EVP_PKEY_CTX_set_rsa_padding, (EVP_PKEY_CTX *c, int mode), (c, mode))                                      \
    CALL(int, EVP_PKEY_CTX_set_rsa_pss_saltlen, (EVP_PKEY_CTX *c, int len), (c, len))                                    \
    CALL(ECDSA_SIG *, ECDSA_SIG_new, (void), ())                                                                         \
    CALL(int, ECDSA_SIG_set0, (ECDSA_SIG *sig, BIGNUM *r, BIGNUM *s), (sig, r, s))                                       \
    CALL(int, i2d_ECDSA_SIG, (const ECDSA_SIG *sig, unsigned char **out), (sig, out))                                    \
    SAY(ECDSA_SIG_free, (ECDSA_SIG *sig), (sig))                                                                         \
    CALL(BIGNUM *, BN_bin2bn, (const unsigned char *s, int len, BIGNUM *n), (s, len, n))                                 \
    CALL(int, BN_num_bits, (const BIGNUM *n), (n))                                                                       \
    CALL(int, BN_is_zero, (const BIGNUM *n), (n))                                                                        \
    CALL(int, BN_is_one, (const BIGNUM *n), (n))                                                                         \
    CALL(int, BN_is_odd, (const BIGNUM *n), (n))                                                                         \
    SAY(BN_free, (BIGNUM *n), (n))
/* clang-format on */

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

/* Its allocations abort as xcalloc() does when there is no memory.  libcrypto 3.0 takes a lock that
 * it could not make when one fails while it is first used, which may be in the middle of a request;
 * an end that loses nothing is the better answer.  It takes other functions only before it has
 * allocated anything: a second thread that comes here too late has nothing to change. */
static void
give_memory(void *library)
{
    void *at = dlsym(library, "CRYPTO_set_mem_functions");
    __typeof__(&CRYPTO_set_mem_functions) set;

    memcpy(&set, &at, sizeof set);
    if (set) {
        set(allocate, reallocate, release);
    }
}

LATE_LIBRARY(CRYPTO_SONAME, FUNCTIONS, give_memory)

bool
crypto_prepare(void)
{
    return late_load(&library);
}

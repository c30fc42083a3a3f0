/* seal.c -- authenticated encryption of what leaves us and comes back.
 *
 * DESIGN.  The secret is hashed with a label of its own into the key, so that the same secret can
 * serve something else without one answering for the other.  Nonces are random: 96 bits are enough
 * for 2^32 texts of one key.  The tag is compared by libcrypto, in constant time; what is wrong
 * with a text is never told more precisely than "not ours".
 *
 * libcrypto takes two MiB of memory once it is used.  So a server that need not seal anything, and
 * was given no secret, does not use it here: what is random comes from the kernel. */
#include "handlers/seal.h"

#include "state/base/base64url.h"
#include "state/base/random.h"
#include "state/digest.h"

#include <openssl/evp.h>

#define VERSION "v1."
#define VERSION_LEN (sizeof VERSION - 1)
#define KEY_SIZE 32
#define NONCE_SIZE 12
#define TAG_SIZE 16
#define TEXT_MAX ((size_t)16 * 1024 * 1024) /* Far below what an int can count. */

struct seal {
    unsigned char key[KEY_SIZE];
};

static bool
derive(unsigned char key[KEY_SIZE], struct slice secret)
{
    static const char label[] = "tandem requestState v1";
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) &&
              EVP_DigestUpdate(md, label, sizeof label) &&
              EVP_DigestUpdate(md, secret.data, secret.len) && EVP_DigestFinal_ex(md, key, NULL);

    EVP_MD_CTX_free(md);
    return ok;
}

struct seal *
seal_create(struct slice secret)
{
    struct seal *s = xcalloc(1, sizeof *s);

    if (!(secret.len ? derive(s->key, secret) : random_bytes(s->key, KEY_SIZE))) {
        out_of_memory(); /* Or there are no random bytes: nothing is safe. */
    }
    return s;
}

void
seal_destroy(struct seal *s)
{
    if (s) {
        explicit_bzero(s->key, sizeof s->key);
        free(s);
    }
}

/* Encrypts 'text' into 'room', which has place for nonce, text and tag. */
static bool
encrypt(const struct seal *s, struct slice text, unsigned char *room)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    unsigned char *body = room + NONCE_SIZE;
    int len = 0, rest = 0;
    bool ok =
        c && random_bytes(room, NONCE_SIZE) &&
        EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, s->key, room) == 1 &&
        EVP_EncryptUpdate(c, NULL, &len, (const unsigned char *)VERSION, VERSION_LEN) == 1 &&
        EVP_EncryptUpdate(c, body, &len, (const unsigned char *)text.data, (int)text.len) == 1 &&
        EVP_EncryptFinal_ex(c, body + len, &rest) == 1 &&
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG_SIZE, body + text.len) == 1;

    EVP_CIPHER_CTX_free(c);
    return ok && (size_t)len + (size_t)rest == text.len;
}

enum err
seal_close(const struct seal *s, struct slice text, struct buf *out, struct fault *f)
{
    size_t size = NONCE_SIZE + text.len + TAG_SIZE;
    unsigned char *room = text.len <= TEXT_MAX ? try_malloc(size) : NULL;
    bool ok = room && encrypt(s, text, room);

    if (ok) {
        buf_adds(out, VERSION);
        base64url_encode((struct slice){(const char *)room, size}, out);
    }
    free(room);
    return ok ? E_OK : fault_set(f, E_OVERLOAD, "what the next round needs cannot be sealed now");
}

/* Decrypts 'sealed' into 'room', which is as long. */
static bool
decrypt(const struct seal *s, struct slice sealed, unsigned char *room)
{
    const unsigned char *nonce = (const unsigned char *)sealed.data, *body = nonce + NONCE_SIZE;
    size_t text_len = sealed.len - NONCE_SIZE - TAG_SIZE;
    unsigned char tag[TAG_SIZE];
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int len = 0, rest = 0;
    bool ok;

    memcpy(tag, body + text_len, sizeof tag);
    ok = c && EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), NULL, s->key, nonce) == 1 &&
         EVP_DecryptUpdate(c, NULL, &len, (const unsigned char *)VERSION, VERSION_LEN) == 1 &&
         EVP_DecryptUpdate(c, room, &len, body, (int)text_len) == 1 &&
         EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG_SIZE, tag) == 1 &&
         EVP_DecryptFinal_ex(c, room + len, &rest) == 1;
    EVP_CIPHER_CTX_free(c);
    return ok;
}

enum err
seal_open(const struct seal *s, struct slice sealed, struct buf *out, struct fault *f)
{
    struct buf bytes = BUF_INIT;
    unsigned char *room = NULL;
    bool ok = sealed.len <= TEXT_MAX && sealed.len > VERSION_LEN &&
              memcmp(sealed.data, VERSION, VERSION_LEN) == 0 &&
              base64url_decode((struct slice){sealed.data + VERSION_LEN, sealed.len - VERSION_LEN},
                               &bytes) &&
              bytes.len >= NONCE_SIZE + TAG_SIZE;

    if (ok) {
        room = try_malloc(bytes.len);
        ok = room && decrypt(s, buf_slice(&bytes), room);
    }
    if (ok) {
        buf_add(out, room, bytes.len - NONCE_SIZE - TAG_SIZE);
    }
    free(room);
    buf_fini(&bytes);
    return ok ? E_OK : fault_set(f, E_PARAMS, "the requestState is none that this server gave");
}

void
seal_digest(struct slice text, char out[SEAL_DIGEST_SIZE])
{
    unsigned char digest[DIGEST_SIZE];

    if (!digest_make(text, digest)) {
        out_of_memory();
    }
    digest_format(digest, out, SEAL_DIGEST_SIZE);
}

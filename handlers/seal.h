/* seal.h -- text that a client carries for us and can neither read nor change.
 *
 * AES-256-GCM by libcrypto, a random nonce for each.  Whoever has the same secret can open it, so
 * that any replica can serve the next round.  Immutable once made; any thread. */
#ifndef TANDEM_SEAL_H
#define TANDEM_SEAL_H

#include "state/base/err.h"
#include "state/base/mem.h"

#define SEAL_DIGEST_SIZE 33 /* Half a SHA-256 in hex, and NUL. */

struct seal;

/* A new seal.  'secret': bytes, 32 or more, that nobody can guess; or empty, for a
 * random one, whose texts nobody can open once it is gone.  Aborts if the machine has no random
 * bytes. */
struct seal *seal_create(struct slice secret);
/* Forgets the key, and frees.  Null is ignored. */
void seal_destroy(struct seal *s);

/* Adds the sealed 'text' to 'out': "v1." and base64url.  E_OVERLOAD if that cannot be done. */
enum err seal_close(const struct seal *s, struct slice text, struct buf *out, struct fault *f);
/* Adds what 'sealed' holds to 'out'.  E_PARAMS if we did not write it exactly so. */
enum err seal_open(const struct seal *s, struct slice sealed, struct buf *out, struct fault *f);

/* What tells 'text' from any other. */
void seal_digest(struct slice text, char out[SEAL_DIGEST_SIZE]);

#endif

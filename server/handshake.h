/* handshake.h -- whether a server answers as a client needs it: in both eras of the protocol.
 *
 * Blocks; main's thread. */
#ifndef TANDEM_HANDSHAKE_H
#define TANDEM_HANDSHAKE_H

#include "state/base/err.h"
#include "state/base/mem.h"

#include <stdint.h>

struct handshake {
    char name[64], version[64]; /* Who answered. */
};

/* Starts a program as an editor does that was started from a desktop: with no environment, in the
 * folder "/"; shakes hands over its standard input and output, and lets it end.  'argv' begins with
 * the program's path and is ended by null.  E_NOT_FOUND: it cannot be run.  E_TIMEOUT, E_IO: it did
 * not answer, or not as it should; the text says which era. */
enum err handshake_stdio(const char *const *argv, int64_t limit_ns, struct handshake *h,
                         struct fault *f);
/* The same by HTTP.  'token' may be null.  E_UNAUTHORIZED: it asks for a token, or for another. */
enum err handshake_http(const char *url, const char *token, int64_t limit_ns, struct handshake *h,
                        struct fault *f);

#endif

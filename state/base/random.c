/* random.c -- getrandom(), to the last byte. */
#include "state/base/random.h"

#include <errno.h>
#include <sys/random.h>

bool
random_hex(char *out, size_t size)
{
    size_t have = 0;

    while (have < size - 1) {
        ssize_t n = getrandom(out + have, size - 1 - have, 0);

        if (n < 0 && errno != EINTR) {
            out[0] = '\0';
            return false;
        }
        have += n > 0 ? (size_t)n : 0;
    }
    for (size_t i = 0; i < size - 1; i++) {
        out[i] = "0123456789abcdef"[(unsigned char)out[i] & 15];
    }
    out[size - 1] = '\0';
    return true;
}

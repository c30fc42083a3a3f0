/* random.c -- getrandom(), to the last byte. */
#include "state/base/random.h"

#include <errno.h>
#include <sys/random.h>

bool
random_bytes(void *out, size_t size)
{
    size_t have = 0;

    while (have < size) {
        ssize_t n = getrandom((char *)out + have, size - have, 0);

        if (n < 0 && errno != EINTR) {
            return false;
        }
        have += n > 0 ? (size_t)n : 0;
    }
    return true;
}

bool
random_hex(char *out, size_t size)
{
    if (!random_bytes(out, size - 1)) {
        out[0] = '\0';
        return false;
    }
    for (size_t i = 0; i < size - 1; i++) {
        out[i] = "0123456789abcdef"[(unsigned char)out[i] & 15];
    }
    out[size - 1] = '\0';
    return true;
}

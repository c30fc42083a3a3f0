/* bare_pipe.c -- the least that a server on stdio does: for each line that it reads it writes one,
 * always the same, in one write for all that came in one read.
 *
 * "make bench" puts it beside tandem: one by one it is a ping-pong on pipes, with many in flight
 * what lines cost that nobody looks into.  bare_pipe LENGTH: of an answer, with its end. */
#include "state/base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define ROOM (256u * 1024)

static bool
write_all(const char *data, size_t len)
{
    while (len) {
        ssize_t n = write(1, data, len);

        if (n < 0 && errno != EINTR) {
            return false;
        }
        data += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

static unsigned
count_lines(const char *data, size_t len)
{
    const char *at = data, *end = data + len;
    unsigned count = 0;

    while (at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        at++;
        count++;
    }
    return count;
}

int
main(int argc, char **argv)
{
    size_t len = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
    char *room, *answers;
    unsigned most;
    ssize_t n;

    if (!len || len > ROOM) {
        fprintf(stderr, "usage: bare_pipe LENGTH\n");
        return 2;
    }
    most = (unsigned)(ROOM / len);
    room = xcalloc(1, ROOM);
    answers = xcalloc(most, len);
    memset(answers, 'x', most * len);
    for (unsigned i = 0; i < most; i++) {
        answers[(i + 1) * len - 1] = '\n';
    }
    while ((n = read(0, room, ROOM)) > 0) {
        unsigned lines = count_lines(room, (size_t)n);

        while (lines) {
            unsigned now = lines < most ? lines : most;

            if (!write_all(answers, now * len)) {
                return 1;
            }
            lines -= now;
        }
    }
    free(room);
    free(answers);
    return n < 0;
}

/* file_faults.c -- each file call of twelve scenarios fails once, with each of four errors, and
 * each write is cut short once: in the short form a few that stay the same until what leads to them
 * changes, or the N-th few with FAULT_OFFSET=N (0); with --all the first on each call path, on all
 * cores at once; with --each each.
 *
 *     file_faults [--all | --each [PART/PARTS]] [SCENARIO [POINT]]
 */
#include "tests/fault_rig.h"

#include <errno.h>
#include <stdio.h>

int
main(int argc, char **argv)
{
    static const int errors[] = {EIO, ENOSPC, EINTR, EMFILE, 0}, shortly[] = {EAGAIN, 0};
    const unsigned points = sanitized() ? 3 : 16;
    const struct fault_options calls = {.kind = FAULT_FILES, .errors = errors, .points = points},
                               writes = {.kind = FAULT_SHORT, .errors = shortly, .points = points};
    bool good = faults_play(calls, argc, argv) == 0;
    bool whole = faults_play(writes, argc, argv) == 0;

    printf("%s every call on a file may fail\n", good ? "ok" : "not ok");
    printf("%s every write may be cut short\n", whole ? "ok" : "not ok");
    return !good || !whole;
}

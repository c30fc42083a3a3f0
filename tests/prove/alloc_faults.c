/* alloc_faults.c -- each allocation of twelve scenarios fails once: in the short form a
 * few that stay the same until what leads to them changes, or the N-th few with FAULT_OFFSET=N (0);
 * with --all the first on each call path, on all cores at once; with --each each.
 *
 *     alloc_faults [--all | --each [PART/PARTS]] [SCENARIO [POINT]]
 */
#include "tests/fault_rig.h"

#include <errno.h>
#include <stdio.h>

int
main(int argc, char **argv)
{
    static const int errors[] = {ENOMEM, 0};
    const struct fault_options options = {
        .kind = FAULT_MEMORY, .errors = errors, .points = sanitized() ? 8 : 30};
    bool good = faults_play(options, argc, argv) == 0;

    printf("%s every allocation may fail\n", good ? "ok" : "not ok");
    return !good;
}

/* alloc_faults.c -- each allocation of twelve scenarios fails once: in the short form those of a
 * stride, from FAULT_OFFSET=N (0) on; with --all each.
 *
 *     alloc_faults [--all | --each] [SCENARIO [POINT]]
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

/* options.h -- argv onto a command, its options and the settings; --help and --version.
 *
 * main's thread, once: getopt_long() has state of its own. */
#ifndef TANDEM_OPTIONS_H
#define TANDEM_OPTIONS_H

#include "server/command.h"

#include <stdio.h>

/* Reads the command line.  True: 'invocation' is to be run, and freed with invocation_fini().
 * False: all is said, on 'out' (help, version) or 'err' (a mistake, and what was probably meant),
 * and '*status' is the exit status. */
bool options_parse(int argc, char **argv, FILE *out, FILE *err, struct invocation *invocation,
                   int *status);
void invocation_fini(struct invocation *invocation);

#endif

/* command.h -- what a command of the command line is: one row, and one file.
 *
 * COMMANDS lists them in the order of "tandem --help"; cmd_<name>.c defines "const struct command
 * command_<name>".  To add a command, add a row and that file. */
#ifndef TANDEM_COMMAND_H
#define TANDEM_COMMAND_H

#include "state/config.h"

#include <stdbool.h>

#define COMMANDS(ROW) \
    ROW(serve)        \
    ROW(call)         \
    ROW(tools)        \
    ROW(status)       \
    ROW(watch)        \
    ROW(env)          \
    ROW(healthcheck)  \
    ROW(setup)        \
    ROW(doctor)       \
    ROW(check)        \
    ROW(demo)         \
    ROW(settings)     \
    ROW(version)

enum { STATUS_OK = 0, STATUS_FAILED = 1, STATUS_USAGE = 2 };

/* An option of one command, besides the settings, which every command takes. */
struct command_option {
    const char *name;  /* Long, without hyphens; null ends the list. */
    const char *value; /* What it takes, for the help; null: nothing. */
    const char *help;
};
#define COMMAND_OPTIONS_MAX 8

/* A command line that was understood. */
struct invocation {
    const struct command *command;
    struct config_texts settings;            /* Owned until a context takes them. */
    const char *values[COMMAND_OPTIONS_MAX]; /* Of the command's options, in their order; null: not
                                              * given; "" for one that takes nothing. */
    char *const *args;                       /* What is no option. */
    int arg_count;
};

struct command {
    const char *name;
    const char *usage;                    /* What follows the name, for the help. */
    const char *summary;                  /* Its line in "tandem --help". */
    const char *details;                  /* Paragraphs for its own help; may be empty. */
    const struct command_option *options; /* Null for none. */
    int least_args, most_args;
    bool serves; /* Its help tells the settings of a server. */
    /* Runs it and returns the exit status.  Results go to standard output, all else to standard
     * error. */
    int (*run)(struct invocation *invocation);
};

#define ROW(NAME) extern const struct command command_##NAME;
COMMANDS(ROW)
#undef ROW

#endif

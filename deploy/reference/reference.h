/* reference.h -- manual pages and completions, filled in from the tables that the program runs on.
 *
 * "reference FILE DATE" copies a file of deploy/man or deploy/completion to standard output; lines
 * that are a place ("@commands@") become what the tables say.  A program of the build, which no
 * user meets: the tables are linked in, so nothing can be told that there is not, or be left out.
 */
#ifndef TANDEM_REFERENCE_H
#define TANDEM_REFERENCE_H

#include "server/command.h"

#include <stdio.h>

/* What is to be typed in a place. */
enum wanted {
    WANTED_NOTHING, /* The option takes no value. */
    WANTED_TEXT,    /* Something that nobody can guess. */
    WANTED_WORD,    /* One of some words. */
    WANTED_GROUPS,  /* Groups of tools, with commas between them. */
    WANTED_FILE,
    WANTED_FOLDER,
    WANTED_CLIENT, /* An argument: an editor that "setup" knows. */
    WANTED_TOOL,   /* An argument: a tool. */
    WANTED_COMMAND /* An argument of "help". */
};

/* An option, of a command or a setting. */
struct reference_option {
    char name[SETTING_NAME_SIZE]; /* Without hyphens. */
    const char *takes;            /* As the help has it; null: nothing. */
    const char *help;
    enum wanted wanted;
    bool may_be_alone; /* Its value may be left out, and stands after "=" if it is there. */
    bool listed;       /* Completion offers it; others it knows once they are typed. */
};
#define REFERENCE_OPTIONS_MAX (COMMAND_OPTIONS_MAX + SETTING_COUNT + 2)

/* All commands in the order of the help; null ends the list. */
extern const struct command *const reference_commands[];

/* The options of a command: its own, the settings, help and version.  Returns how many. */
size_t reference_options(const struct command *command,
                         struct reference_option options[REFERENCE_OPTIONS_MAX]);
/* What the arguments of a command are. */
enum wanted reference_argument(const struct command *command);

/* The words of a place, null at the end; borrowed until the next call.  For WANTED_WORD 'takes'
 * says which. */
const char *const *reference_words(enum wanted wanted, const char *takes);

/* A place, and who fills it on standard output. */
struct reference_place {
    const char *line; /* "@commands@\n". */
    void (*put)(void);
};
/* Null lines end them. */
extern const struct reference_place manual_places[];
extern const struct reference_place completion_places[];

#endif

/* completion.c -- the places of completions for bash, zsh and fish. */
#include "deploy/reference/reference.h"

#include <string.h>

/* ---- Of all three ---- */

static void
put_words(enum wanted wanted, const char *takes)
{
    const char *const *words = reference_words(wanted, takes);

    for (size_t i = 0; words[i]; i++) {
        printf("%s%s", i ? " " : "", words[i]);
    }
}

/* Inside of single quotes, where 'special' are to have a backslash before them. */
static void
put_quoted(const char *text, const char *special, const char *quote)
{
    for (; *text; text++) {
        if (*text == '\'') {
            fputs(quote, stdout);
        } else {
            printf("%s%c", strchr(special, *text) ? "\\" : "", *text);
        }
    }
}

/* ---- bash ---- */

static void
put_bash_wanted(enum wanted wanted, const char *takes)
{
    static const char *const kinds[] = {
        [WANTED_NOTHING] = "text", [WANTED_TEXT] = "text",  [WANTED_WORD] = "words",
        [WANTED_GROUPS] = "list",  [WANTED_FILE] = "file",  [WANTED_FOLDER] = "folder",
        [WANTED_CLIENT] = "words", [WANTED_TOOL] = "words",
    };

    printf("kind=%s", kinds[wanted]);
    if (strcmp(kinds[wanted], "words") == 0 || strcmp(kinds[wanted], "list") == 0) {
        fputs(" words='", stdout);
        put_words(wanted, takes);
        putchar('\'');
    }
}

static void
put_bash_value(const char *command, const struct reference_option *o)
{
    if (o->wanted != WANTED_NOTHING) {
        printf("    %s:--%s=", command, o->name);
        if (!o->may_be_alone) { /* Such takes nothing from the next word. */
            printf(" | %s:--%s", command, o->name);
        }
        fputs(") ", stdout);
        put_bash_wanted(o->wanted, o->takes);
        puts(" ;;");
    }
}

/* What follows an option: first of a command's own, then of the settings. */
static void
put_bash_values(void)
{
    struct reference_option options[REFERENCE_OPTIONS_MAX];
    size_t count = 0;

    for (size_t i = 0; reference_commands[i]; i++) {
        const struct command_option *own = reference_commands[i]->options;

        count = reference_options(reference_commands[i], options);
        for (size_t k = 0; own && own[k].name; k++) {
            put_bash_value(reference_commands[i]->name, &options[k]);
        }
    }
    count = reference_options(&command_version, options); /* It has none of its own. */
    for (size_t i = 0; i < count; i++) {
        put_bash_value("*", &options[i]);
    }
}

static void
put_bash_commands(void)
{
    struct reference_option options[REFERENCE_OPTIONS_MAX];

    for (size_t i = 0; reference_commands[i]; i++) {
        size_t count = reference_options(reference_commands[i], options);

        printf("        %s)\n            ", reference_commands[i]->name);
        put_bash_wanted(reference_argument(reference_commands[i]), NULL);
        fputs("\n            options='", stdout);
        for (size_t k = 0; k < count; k++) {
            if (options[k].listed) {
                printf("%s--%s", k ? " " : "", options[k].name);
            }
        }
        puts("'\n            ;;");
    }
}

static void
put_bash_names(void)
{
    fputs("        kind=words words='help ", stdout);
    put_words(WANTED_COMMAND, NULL);
    puts("'");
}

/* ---- zsh ---- */

static void
put_zsh_action(enum wanted wanted, const char *takes)
{
    switch (wanted) {
    case WANTED_NOTHING:
    case WANTED_TEXT:
        putchar(' ');
        break;
    case WANTED_FILE:
        fputs("_files", stdout);
        break;
    case WANTED_FOLDER:
        fputs("_files -/", stdout);
        break;
    case WANTED_GROUPS:
        fputs(" _values -s , group ", stdout);
        put_words(wanted, takes);
        break;
    case WANTED_WORD:
    case WANTED_CLIENT:
    case WANTED_TOOL:
    case WANTED_COMMAND:
        putchar('(');
        put_words(wanted, takes);
        putchar(')');
        break;
    }
}

static void
put_zsh_option(const struct reference_option *o)
{
    printf("      '%s%s--%s%s[", o->listed ? "" : "!", o->wanted == WANTED_NOTHING ? "" : "*",
           o->name,
           o->wanted == WANTED_NOTHING ? ""
           : o->may_be_alone           ? "=-"
                                       : "=");
    put_quoted(o->help, "[]:\\", "'\\''");
    putchar(']');
    if (o->wanted != WANTED_NOTHING) {
        fputs(o->may_be_alone ? "::" : ":", stdout);
        put_quoted(o->takes, ":\\", "");
        putchar(':');
        put_zsh_action(o->wanted, o->takes);
    }
    puts("' \\");
}

static void
put_zsh_options(void)
{
    struct reference_option options[REFERENCE_OPTIONS_MAX];

    for (size_t i = 0; reference_commands[i]; i++) {
        const struct command *c = reference_commands[i];
        size_t count = reference_options(c, options);

        printf("  %s)\n    _arguments \\\n", c->name);
        for (size_t k = 0; k < count; k++) {
            put_zsh_option(&options[k]);
        }
        if (reference_argument(c) == WANTED_NOTHING || reference_argument(c) == WANTED_TEXT) {
            puts("      && return\n    ;;");
            continue;
        }
        printf("      '%s:", c->most_args > 1 && reference_argument(c) != WANTED_TOOL ? "*" : "1");
        put_quoted(c->usage, ":\\", "");
        putchar(':');
        put_zsh_action(reference_argument(c), NULL);
        puts("' && return\n    ;;");
    }
}

static void
put_zsh_names(void)
{
    for (size_t i = 0; reference_commands[i]; i++) {
        printf("    '%s:", reference_commands[i]->name);
        put_quoted(reference_commands[i]->summary, "", "'\\''");
        puts("'");
    }
}

/* ---- fish ---- */

static void
put_fish_words(enum wanted wanted, const char *takes)
{
    switch (wanted) {
    case WANTED_NOTHING:
        break;
    case WANTED_TEXT:
        fputs(" -x", stdout);
        break;
    case WANTED_FILE:
        fputs(" -r -F", stdout);
        break;
    case WANTED_FOLDER:
        fputs(" -x -a '(__fish_complete_directories)'", stdout);
        break;
    case WANTED_GROUPS:
        fputs(" -x -a '(__fish_append , ", stdout);
        put_words(wanted, takes);
        fputs(")'", stdout);
        break;
    case WANTED_WORD:
    case WANTED_CLIENT:
    case WANTED_TOOL:
    case WANTED_COMMAND:
        fputs(" -x -a '", stdout);
        put_words(wanted, takes);
        putchar('\'');
        break;
    }
}

static void
put_fish_option(const char *when, const struct reference_option *o)
{
    printf("complete -c tandem -n '%s' -l %s", when, o->name);
    if (o->may_be_alone) {
        fputs(" -a 'true false'", stdout); /* After "=" only: without -r no value is asked for. */
    } else {
        put_fish_words(o->wanted, o->takes);
    }
    fputs(" -d '", stdout);
    put_quoted(o->help, "\\", "\\'");
    puts("'");
}

static void
put_fish_options(void)
{
    struct reference_option options[REFERENCE_OPTIONS_MAX];

    for (size_t i = 0; reference_commands[i]; i++) {
        const struct command *c = reference_commands[i];
        size_t count = reference_options(c, options);
        char when[64];

        snprintf(when, sizeof when, "__tandem_is %s", c->name);
        for (size_t k = 0; k < count; k++) {
            if (options[k].listed) {
                put_fish_option(when, &options[k]);
            }
        }
        if (reference_argument(c) == WANTED_FILE) {
            printf("complete -c tandem -n '%s' -F\n", when);
        } else if (reference_argument(c) == WANTED_CLIENT || reference_argument(c) == WANTED_TOOL) {
            printf("complete -c tandem -n '%s; and __tandem_arguments 0'", when);
            put_fish_words(reference_argument(c), NULL);
            putchar('\n');
        }
    }
}

static void
put_fish_names(void)
{
    for (size_t i = 0; reference_commands[i]; i++) {
        printf("complete -c tandem -n '__tandem_first; or __tandem_is help' -a %s -d '",
               reference_commands[i]->name);
        put_quoted(reference_commands[i]->summary, "\\", "\\'");
        puts("'");
    }
}

const struct reference_place completion_places[] = {
    {"@bash-values@\n", put_bash_values}, {"@bash-commands@\n", put_bash_commands},
    {"@bash-names@\n", put_bash_names},   {"@zsh-options@\n", put_zsh_options},
    {"@zsh-names@\n", put_zsh_names},     {"@fish-options@\n", put_fish_options},
    {"@fish-names@\n", put_fish_names},   {NULL, NULL},
};

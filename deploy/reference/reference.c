/* reference.c -- the tables, as manual and completions want them; and main(). */
#include "deploy/reference/reference.h"

#include "handlers/tool.h"
#include "server/setup_clients.h"
#include "state/version.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

const struct command *const reference_commands[] = {
#define ROW(NAME) &command_##NAME,
    COMMANDS(ROW)
#undef ROW
        NULL};

/* "stdio|http": words to choose from; "URL|FILE" says what a text means. */
static bool
is_choice(const char *takes)
{
    return strchr(takes, '|') && islower((unsigned char)takes[0]);
}

static enum wanted
value_of(const char *name, const char *takes)
{
    return !takes                        ? WANTED_NOTHING
           : strcmp(name, "groups") == 0 ? WANTED_GROUPS
           : is_choice(takes)            ? WANTED_WORD
           : strstr(takes, "FILE")       ? WANTED_FILE
           : strstr(takes, "DIR")        ? WANTED_FOLDER
                                         : WANTED_TEXT;
}

static void
add(struct reference_option *o, const char *name, const char *takes, const char *help, bool listed)
{
    *o = (struct reference_option){.takes = takes, .help = help, .listed = listed};
    snprintf(o->name, sizeof o->name, "%s", name);
    o->wanted = value_of(name, takes);
}

static bool
is_there(const struct reference_option *options, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(options[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

size_t
reference_options(const struct command *command,
                  struct reference_option options[REFERENCE_OPTIONS_MAX])
{
    size_t count = 0;

    for (const struct command_option *o = command->options; o && o->name; o++) {
        add(&options[count++], o->name, o->value, o->help, true);
    }
    for (int i = 0; i < SETTING_COUNT; i++) {
        const struct setting_row *row = setting_row((enum setting)i);
        bool common = i == SETTING_root || i == SETTING_config;
        char name[SETTING_NAME_SIZE];

        setting_option_name((enum setting)i, name);
        if (is_there(options, count, name)) {
            continue; /* The command's own is meant. */
        }
        add(&options[count], name, setting_takes((enum setting)i), row->help,
            common || command->serves);
        if (row->type == SETTING_BOOL) {
            options[count].takes = "true|false";
            options[count].wanted = WANTED_WORD;
            options[count].may_be_alone = true;
        }
        count++;
    }
    add(&options[count++], "help", NULL, "how the command is used", true);
    add(&options[count++], "version", NULL, "the version", true);
    return count;
}

enum wanted
reference_argument(const struct command *command)
{
    static const struct {
        const char *word;
        enum wanted wanted;
    } meanings[] = {{"CLIENT", WANTED_CLIENT}, {"TOOL", WANTED_TOOL}, {"PATH", WANTED_FILE}};

    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++) {
        if (strstr(command->usage, meanings[i].word)) {
            return meanings[i].wanted;
        }
    }
    return command->most_args ? WANTED_TEXT : WANTED_NOTHING;
}

const char *const *
reference_words(enum wanted wanted, const char *takes)
{
    static const char *const groups[] = {"core", "full",
#define ROW(NAME, WHEN) #NAME,
                                         TOOL_GROUPS(ROW)
#undef ROW
                                             NULL};
    static const char *const tools[] = {
#define ROW(NAME, FILE) #NAME,
        OWN_TOOLS(ROW)
#undef ROW
            NULL};
    static const char *words[64];
    static char copy[256];
    size_t count = 0;
    char *rest = copy;

    if (wanted == WANTED_GROUPS) {
        return groups;
    }
    if (wanted == WANTED_TOOL) {
        return tools;
    }
    if (wanted == WANTED_CLIENT) {
        for (const struct setup_client *c = setup_clients; c->name; c++) {
            words[count++] = c->name;
        }
    } else if (wanted == WANTED_COMMAND) {
        for (size_t i = 0; reference_commands[i]; i++) {
            words[count++] = reference_commands[i]->name;
        }
    } else if (wanted == WANTED_WORD) {
        snprintf(copy, sizeof copy, "%s", takes);
        while (rest) {
            words[count++] = strsep(&rest, "|");
        }
    }
    words[count] = NULL;
    return words;
}

/* A line with a word of it exchanged, if it has that. */
static bool
put_with(const char *line, const char *word, const char *text)
{
    const char *at = strstr(line, word);

    if (at) {
        printf("%.*s%s%s", (int)(at - line), line, text, at + strlen(word));
    }
    return at != NULL;
}

static bool
fill(const struct reference_place *places, const char *line)
{
    for (; places->line; places++) {
        if (strcmp(line, places->line) == 0) {
            places->put();
            return true;
        }
    }
    return false;
}

static bool
copy(FILE *from, const char *date)
{
    char line[512];

    while (fgets(line, sizeof line, from)) {
        if (put_with(line, "@date@", date) || put_with(line, "@version@", TANDEM_VERSION) ||
            fill(manual_places, line) || fill(completion_places, line)) {
            continue;
        }
        if (line[0] == '@') {
            fprintf(stderr, "reference: no place is called %s", line);
            return false;
        }
        fputs(line, stdout);
    }
    return !ferror(from);
}

int
main(int argc, char **argv)
{
    FILE *from = argc == 3 ? fopen(argv[1], "r") : NULL;
    bool done;

    if (!from) {
        fprintf(stderr, argc == 3 ? "reference: %s: %s\n" : "usage: reference FILE DATE\n", argv[1],
                strerror(errno));
        return argc == 3 ? STATUS_FAILED : STATUS_USAGE;
    }
    done = copy(from, argv[2]);
    fclose(from);
    return done && fflush(stdout) == 0 && !ferror(stdout) ? STATUS_OK : STATUS_FAILED;
}

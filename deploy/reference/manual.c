/* manual.c -- the places of manual pages, in mdoc(7), which man-db and mandoc both read. */
#include "deploy/reference/reference.h"

#include "handlers/tools.h"
#include "server/setup_clients.h"

#include <ctype.h>
#include <string.h>

enum { TEXT_COLUMNS = 78 };

/* ---- Words and lines ---- */

/* A character as mdoc writes it. */
static const char *
spelled(char c)
{
    static char same[2];

    switch (c) {
    case '\\':
        return "\\e";
    case '"':
        return "\\(dq";
    case '\'':
        return "\\(aq";
    case '^':
        return "\\(ha";
    case '~':
        return "\\(ti";
    default:
        same[0] = c;
        return same;
    }
}

static void
put_char(char c)
{
    fputs(spelled(c), stdout);
}

/* Columns of 'len' characters in the page's source. */
static size_t
spelled_len(const char *text, size_t len)
{
    size_t sum = 0;

    for (size_t i = 0; i < len; i++) {
        sum += strlen(spelled(text[i]));
    }
    return sum;
}

/* A macro and one argument, whatever is in it. */
static void
put_macro(const char *macro, const char *text)
{
    printf(".%s \"", macro);
    /* So that no word is taken for a macro, and no mark for the end of a sentence. */
    if (strlen(text) < 4 || ispunct((unsigned char)text[0])) {
        fputs("\\&", stdout);
    }
    for (; *text; text++) {
        put_char(*text);
    }
    fputs("\"\n", stdout);
}

static bool
ends_sentence(const char *word, size_t len)
{
    return len > 1 && (word[len - 1] == '.' || (word[len - 1] == ')' && word[len - 2] == '.')) &&
           word[len - 2] != '.';
}

/* Running text: filled lines, a new one for each sentence as mdoc wants. */
static void
put_text(const char *text)
{
    size_t column = 0;

    while (*text) {
        size_t len = strcspn(text, " \n");
        size_t columns = spelled_len(text, len);
        bool ends = ends_sentence(text, len);

        if (column && column + 1 + columns > TEXT_COLUMNS) {
            putchar('\n');
            column = 0;
        } else if (column) {
            putchar(' ');
            column++;
        }
        if (column == 0 && (text[0] == '.' || text[0] == '\'')) {
            fputs("\\&", stdout);
        }
        column += columns;
        for (; len; len--) {
            put_char(*text++);
        }
        text += strspn(text, " \n");
        if (ends && *text) {
            putchar('\n');
            column = 0;
        }
    }
    putchar('\n');
}

/* What stands in a help as part of a line, as a sentence. */
static void
put_sentence(const char *text)
{
    char *sentence = xasprintf("%s.", text);
    size_t len = strlen(text);

    sentence[0] = (char)toupper((unsigned char)sentence[0]);
    if (len && (sentence[len - 1] == ',' || sentence[len - 1] == '.')) {
        sentence[len - 1] = '.';
        sentence[len] = '\0';
    }
    put_text(sentence);
    free(sentence);
}

/* ---- Places ---- */

static void
put_synopsis(void)
{
    for (size_t i = 0; reference_commands[i]; i++) {
        const struct command *c = reference_commands[i];

        puts(".Nm");
        put_macro("Cm", c->name);
        if (c->usage[0]) {
            put_macro("No", c->usage);
        }
        puts(".Op Ar option ...");
    }
}

static void
put_option(const char *name, const char *takes, const char *help)
{
    printf(".It Fl \\-%s", name);
    if (takes) {
        fputs(" Ar \"", stdout);
        for (; *takes; takes++) {
            put_char(*takes);
        }
        putchar('"');
    }
    putchar('\n');
    put_sentence(help);
}

static void
put_commands(void)
{
    for (size_t i = 0; reference_commands[i]; i++) {
        const struct command *c = reference_commands[i];

        put_macro("Ss", c->name);
        puts(".Nm");
        put_macro("Cm", c->name);
        if (c->usage[0]) {
            put_macro("No", c->usage);
        }
        puts(".Op Ar option ...\n.Pp");
        put_sentence(c->summary);
        if (c->details[0]) {
            puts(".Pp");
            put_text(c->details);
        }
        if (c->options) {
            puts(".Bl -tag -width Ds");
            for (const struct command_option *o = c->options; o->name; o++) {
                put_option(o->name, o->value, o->help);
            }
            puts(".El");
        }
    }
}

/* The settings that "tandem serve --help" shows. */
static void
put_main_settings(void)
{
    puts(".Bl -tag -width Ds");
    for (int i = 0; i < SETTING_COUNT; i++) {
        const struct setting_row *row = setting_row((enum setting)i);
        char name[SETTING_NAME_SIZE];

        if (!strchr(row->key, '.')) {
            setting_option_name((enum setting)i, name);
            put_option(name, row->type == SETTING_BOOL ? NULL : setting_takes((enum setting)i),
                       row->help);
        }
    }
    puts(".El");
}

static void
put_setting(enum setting setting)
{
    const struct setting_row *row = setting_row(setting);
    char option[SETTING_NAME_SIZE], variable[SETTING_NAME_SIZE];

    setting_option_name(setting, option);
    setting_variable_name(setting, variable);
    printf(".It Cm %s No = Ar \"%s\"\n", row->key, setting_takes(setting));
    put_sentence(row->help);
    puts(".br");
    if (row->initial[0]) {
        puts("Default:");
        put_macro("Li", row->initial);
    } else {
        puts("No default.");
    }
    if (row->most[0]) {
        printf("Limits: %s to %s.\n", row->least, row->most);
    }
    printf("Option\n.Fl \\-%s\nor variable\n.Ev %s\n", option, variable);
    puts(row->where == SETTING_START  ? "(not in the file)."
         : row->where == SETTING_LIVE ? "(live)."
                                      : "(read at the start).");
}

static void
put_settings(void)
{
    puts(".Bl -tag -width Ds");
    for (int i = 0; i < SETTING_COUNT; i++) {
        put_setting((enum setting)i);
    }
    puts(".El");
}

/* A long path may be broken after any folder. */
static void
put_path(const char *begin, const char *path)
{
    printf(" Pa %s", begin);
    for (; *path; path++) {
        printf("%c%s", *path, *path == '/' && path[1] ? "\\:" : "");
    }
}

static void
put_clients(void)
{
    puts(".Bl -column claude-desktop \"Claude Desktop\" file");
    for (const struct setup_client *c = setup_clients; c->name; c++) {
        const char *project = c->files[SETUP_PROJECT], *user = c->files[SETUP_USER];

        printf(".It Cm \\&%s Ta %s Ta", c->name, c->title);
        if (project) {
            put_path("", project);
        }
        if (project && user) {
            fputs(" , or", stdout);
        }
        if (user) { /* "@" is where settings are, unless XDG_CONFIG_HOME says otherwise. */
            put_path(user[0] == '@' ? "\\(ti/\\:.config" : "\\(ti", user + 1);
        }
        putchar('\n');
    }
    puts(".El");
}

static void
put_tools(void)
{
    const char *const *names = reference_words(WANTED_TOOL, NULL);

    puts(".Bl -column reload_helpdesk_index \"workflow, core\" title");
    for (; *names; names++) {
        const struct tool *tool = tools_row(slice_of(*names));

        printf(".It Cm \\&%s Ta %s%s Ta %s\n", tool->name, tool->group, tool->core ? ", core" : "",
               tool->title);
    }
    puts(".El");
}

const struct reference_place manual_places[] = {
    {"@synopsis@\n", put_synopsis},
    {"@commands@\n", put_commands},
    {"@main-settings@\n", put_main_settings},
    {"@settings@\n", put_settings},
    {"@clients@\n", put_clients},
    {"@tools@\n", put_tools},
    {NULL, NULL},
};

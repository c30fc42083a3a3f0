/* options.c -- long options made of the settings' rows and the command's own. */
#include "server/options.h"

#include "server/report.h"
#include "state/base/nearest.h"
#include "state/version.h"

#include <assert.h>
#include <ctype.h>
#include <getopt.h>

static const struct command *const commands[] = {
#define ROW(NAME) &command_##NAME,
    COMMANDS(ROW)
#undef ROW
};
#define COMMAND_COUNT (sizeof commands / sizeof *commands)

/* What getopt_long() returns: settings first, then the command's options, then these. */
enum { VALUE_SETTING = 1000, VALUE_OWN = 2000, VALUE_HELP = 3000, VALUE_VERSION };

struct table {
    char names[SETTING_COUNT][SETTING_NAME_SIZE];
    struct option options[SETTING_COUNT + COMMAND_OPTIONS_MAX + 3];
    size_t count;
};

static void
add_option(struct table *t, const char *name, int has_arg, int value)
{
    assert(t->count < sizeof t->options / sizeof *t->options - 1);
    t->options[t->count++] = (struct option){.name = name, .has_arg = has_arg, .val = value};
}

static void
fill_table(struct table *t, const struct command *command)
{
    *t = (struct table){.count = 0};
    /* First: where one is called as a setting is, it is the command's that is meant. */
    for (int i = 0; command->options && command->options[i].name; i++) {
        assert(i < COMMAND_OPTIONS_MAX);
        add_option(t, command->options[i].name,
                   command->options[i].value ? required_argument : no_argument, VALUE_OWN + i);
    }
    for (int i = 0; i < SETTING_COUNT; i++) {
        setting_option_name((enum setting)i, t->names[i]);
        add_option(t, t->names[i],
                   setting_row((enum setting)i)->type == SETTING_BOOL ? optional_argument
                                                                      : required_argument,
                   VALUE_SETTING + i);
    }
    add_option(t, "help", no_argument, VALUE_HELP);
    add_option(t, "version", no_argument, VALUE_VERSION);
}

static void
print_help(FILE *out)
{
    fputs("tandem: one MCP server for an IDE (stdio) and its sub-agents (HTTP), one state\n\n"
          "Usage: tandem [COMMAND] [OPTION ...]     (without a command: serve)\n\n",
          out);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        fprintf(out, "  %-12s %s\n", commands[i]->name, commands[i]->summary);
    }
    fputs("\nEvery command takes --help, and the settings as options; the most wanted:\n"
          "  --root DIR       the project (default: the nearest upward with .tandem)\n"
          "  --listen ADDR    HOST, HOST:PORT, unix:PATH (default: 127.0.0.1:4242 or next)\n"
          "  --groups LIST    tool groups to offer (default: core)\n\n"
          "Exit status: 0 done, 1 failed, 2 not understood.\n",
          out);
}

/* "  --name VALUE", then its text in a column of its own. */
static void
print_option(FILE *out, const char *name, const char *value, const char *help)
{
    enum { COLUMN = 24 };
    int n = fprintf(out, "  --%s%s%s", name, value ? " " : "", value ? value : "");

    if (n > COLUMN - 2) {
        fputc('\n', out);
        n = 0;
    }
    fprintf(out, "%*s", COLUMN - n, "");
    report_wrapped(out, COLUMN, COLUMN, help);
}

static void
print_setting(FILE *out, enum setting setting)
{
    const struct setting_row *row = setting_row(setting);
    char name[SETTING_NAME_SIZE], help[256];

    setting_option_name(setting, name);
    if (row->initial[0] && row->type != SETTING_BOOL) {
        snprintf(help, sizeof help, "%s (default: %s)", row->help, row->initial);
    } else {
        snprintf(help, sizeof help, "%s", row->help);
    }
    print_option(out, name, row->type == SETTING_BOOL ? NULL : setting_takes(setting), help);
}

static void
print_command_help(FILE *out, const struct command *command)
{
    char summary[REPORT_WIDTH];

    fprintf(out, "Usage: tandem %s%s%s [OPTION ...]\n\n", command->name,
            command->usage[0] ? " " : "", command->usage);
    fputc(toupper((unsigned char)command->summary[0]), out);
    snprintf(summary, sizeof summary, "%s.", command->summary + 1);
    report_wrapped(out, 1, 0, summary);
    if (command->details[0]) {
        fputc('\n', out);
        report_wrapped(out, 0, 0, command->details);
    }
    fputs("\nOptions:\n", out);
    for (int i = 0; command->options && command->options[i].name; i++) {
        print_option(out, command->options[i].name, command->options[i].value,
                     command->options[i].help);
    }
    for (int i = 0; i < SETTING_COUNT; i++) {
        bool common = i == SETTING_root || i == SETTING_config;
        if (common || (command->serves && !strchr(setting_row((enum setting)i)->key, '.'))) {
            print_setting(out, (enum setting)i);
        }
    }
    fputc('\n', out);
    report_wrapped(out, 0, 0,
                   "\"tandem settings\" lists every setting with its value; each is an option, a "
                   "key of the configuration file and an environment variable (TANDEM_LISTEN, "
                   "...).");
}

static const struct command *
find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i];
        }
    }
    return NULL;
}

static bool
unknown_command(const char *name, FILE *err)
{
    const char *names[COMMAND_COUNT];
    int near;

    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        names[i] = commands[i]->name;
    }
    near = text_nearest(slice_of(name), names, COMMAND_COUNT);
    if (near >= 0) {
        fprintf(err, "tandem: there is no command \"%s\"; did you mean \"%s\"?\n", name,
                names[near]);
    } else {
        fprintf(err, "tandem: there is no command \"%s\"; \"tandem --help\" lists them\n", name);
    }
    return false;
}

static bool
unknown_option(const struct table *t, const struct command *command, const char *given, FILE *err)
{
    const char *names[sizeof t->options / sizeof *t->options];
    struct slice word = {given + strspn(given, "-"), 0};
    int near;

    word.len = strcspn(word.data, "=");
    for (size_t i = 0; i < t->count; i++) {
        names[i] = t->options[i].name;
    }
    near = word.len > 1 ? text_nearest(word, names, t->count) : -1;
    if (near >= 0) {
        fprintf(err, "tandem: there is no option %s%.*s; did you mean --%s?\n",
                given[1] == '-' ? "--" : "-", (int)word.len, word.data, names[near]);
    } else {
        fprintf(err, "tandem: there is no option %s%.*s; \"tandem %s --help\" lists them\n",
                given[1] == '-' ? "--" : "-", (int)word.len, word.data, command->name);
    }
    return false;
}

/* Tries a setting's text at once: a mistake is a wrong use, told before anything is done. */
static bool
take_setting(struct invocation *v, enum setting setting, const char *text, FILE *err)
{
    struct settings *trial = settings_create();
    struct fault f = FAULT_INIT;
    enum err failed = settings_set(trial, setting, text, ORIGIN_OPTION, &f);

    settings_unref(trial);
    if (failed) {
        char name[SETTING_NAME_SIZE];
        setting_option_name(setting, name);
        fprintf(err, "tandem: --%s: %s\n", name, f.text + strlen(setting_row(setting)->key) + 2);
        return false;
    }
    config_texts_add(&v->settings, setting, text);
    return true;
}

/* Reads the options after the command's name.  False if something was wrong, or help was asked
 * for; then '*status' says which. */
static bool
read_options(int argc, char **argv, FILE *out, FILE *err, struct invocation *v, int *status)
{
    struct table t;
    int value;

    fill_table(&t, v->command);
    opterr = 0;
    optind = 0; /* glibc: begin anew. */
    while ((value = getopt_long(argc, argv, ":h", t.options, NULL)) != -1) {
        if (value == VALUE_HELP || value == 'h') {
            print_command_help(out, v->command);
            *status = STATUS_OK;
            return false;
        }
        if (value == VALUE_VERSION) {
            fprintf(out, TANDEM_NAME " " TANDEM_VERSION "\n");
            *status = STATUS_OK;
            return false;
        }
        if (value == ':') {
            fprintf(err, "tandem: %s needs a value\n", argv[optind - 1]);
            return false;
        }
        if (value >= VALUE_OWN) {
            v->values[value - VALUE_OWN] = optarg ? optarg : "";
        } else if (value >= VALUE_SETTING) {
            if (!take_setting(v, (enum setting)(value - VALUE_SETTING), optarg ? optarg : "true",
                              err)) {
                return false;
            }
        } else {
            return unknown_option(&t, v->command, argv[optind - 1], err);
        }
    }
    v->args = argv + optind;
    v->arg_count = argc - optind;
    if (v->arg_count < v->command->least_args || v->arg_count > v->command->most_args) {
        fprintf(err, "tandem: %s: \"tandem %s%s%s\" is how it is used\n",
                v->arg_count < v->command->least_args ? "something is missing" : "that is too much",
                v->command->name, v->command->usage[0] ? " " : "", v->command->usage);
        return false;
    }
    return true;
}

bool
options_parse(int argc, char **argv, FILE *out, FILE *err, struct invocation *invocation,
              int *status)
{
    const struct command *command = &command_serve;

    *invocation = (struct invocation){.command = NULL};
    *status = STATUS_USAGE;
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        print_help(out);
        *status = STATUS_OK;
        return false;
    }
    if (argc > 1 && argv[1][0] != '-') {
        command = strcmp(argv[1], "help") == 0 ? NULL : find_command(argv[1]);
        if (strcmp(argv[1], "help") == 0 && argc == 2) {
            print_help(out);
            *status = STATUS_OK;
            return false;
        }
        if (strcmp(argv[1], "help") == 0 && (command = find_command(argv[2])) != NULL) {
            print_command_help(out, command);
            *status = STATUS_OK;
            return false;
        }
        if (!command) {
            return unknown_command(strcmp(argv[1], "help") == 0 ? argv[2] : argv[1], err);
        }
        argc--;
        argv++;
    }
    invocation->command = command;
    if (!read_options(argc, argv, out, err, invocation, status)) {
        invocation_fini(invocation);
        return false;
    }
    *status = STATUS_OK;
    return true;
}

void
invocation_fini(struct invocation *invocation)
{
    config_texts_fini(&invocation->settings);
    invocation->command = NULL;
}

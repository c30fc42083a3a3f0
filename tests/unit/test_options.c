/* test_options.c -- the command line: what is understood, what is refused, what the help says. */
#include "server/options.h"

#include "state/version.h"
#include "tests/check.h"

static char *out_text, *err_text;
static int status;
static struct invocation v;

/* Parses the words after "tandem" into the variables above. */
static bool
parse(const char *words)
{
    static char program[] = "tandem", kept[512]; /* Arguments are borrowed from here. */
    static char *argv[32] = {program};           /* So do the invocation's. */
    size_t out_size, err_size;
    int argc = 1;
    bool runs;
    FILE *out, *err;

    free(out_text);
    free(err_text);
    out = open_memstream(&out_text, &out_size);
    err = open_memstream(&err_text, &err_size);
    snprintf(kept, sizeof kept, "%s", words);
    for (char *save, *word = strtok_r(kept, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        argv[argc++] = word;
    }
    runs = options_parse(argc, argv, out, err, &v, &status);
    fclose(out);
    fclose(err);
    if (runs) {
        CHECK_INT(status, STATUS_OK);
        CHECK_STR(out_text, "");
        CHECK_STR(err_text, "");
    }
    return runs;
}

static void
refused(const char *words, const char *said)
{
    CHECK(!parse(words));
    CHECK_INT(status, STATUS_USAGE);
    CHECK_STR(out_text, "");
    if (!strstr(err_text, said)) {
        fail_msg("\"%s\" said: %s", words, err_text);
    }
    CHECK(!strncmp(err_text, "tandem: ", 8));
}

static void
without_a_command_it_serves(void **unused)
{
    (void)unused;
    CHECK(parse(""));
    CHECK_STR(v.command->name, "serve");
    invocation_fini(&v);
    CHECK(parse("--transport http --linger --log-level=debug"));
    CHECK_STR(v.command->name, "serve");
    CHECK_STR(v.settings.text[SETTING_transport], "http");
    CHECK_STR(v.settings.text[SETTING_linger], "true");
    CHECK_STR(v.settings.text[SETTING_log_level], "debug");
    CHECK(!v.settings.text[SETTING_listen]);
    invocation_fini(&v);
}

static void
every_setting_is_an_option(void **unused)
{
    (void)unused;
    for (int i = 0; i < SETTING_COUNT; i++) {
        const struct setting_row *row = setting_row((enum setting)i);
        const char *value = row->initial[0] ? row->initial : "x";
        char name[SETTING_NAME_SIZE], words[200];

        setting_option_name((enum setting)i, name);
        snprintf(words, sizeof words, "serve --%s=%s", name, value);
        CHECK(parse(words));
        CHECK_STR(v.settings.text[i], value);
        invocation_fini(&v);
    }
}

static void
options_and_arguments_mix(void **unused)
{
    (void)unused;
    CHECK(parse("call pos_workflow action=x --args {} n:=5 --root /r --allow-host a "
                "--allow-host b"));
    CHECK_STR(v.command->name, "call");
    CHECK_INT(v.arg_count, 3);
    CHECK_STR(v.args[0], "pos_workflow");
    CHECK_STR(v.args[2], "n:=5");
    CHECK_STR(v.values[0], "{}");
    CHECK(!v.values[1]);
    CHECK_STR(v.settings.text[SETTING_root], "/r");
    CHECK_STR(v.settings.text[SETTING_allow_host], "a,b");
    invocation_fini(&v);
    CHECK(parse("call x -- --json"));
    CHECK_STR(v.args[1], "--json");
    invocation_fini(&v);
    CHECK(parse("settings --json"));
    CHECK_STR(v.values[1], "");
    invocation_fini(&v);
}

static void
mistakes_are_refused_with_a_guess(void **unused)
{
    (void)unused;
    refused("serv", "there is no command \"serv\"; did you mean \"serve\"?");
    refused("frobnicate", "\"tandem --help\" lists them");
    refused("help frobnicate", "there is no command \"frobnicate\"");
    refused("serve --lisen x", "there is no option --lisen; did you mean --listen?");
    refused("--lisen=x", "did you mean --listen?");
    refused("call x --jsn", "there is no option --jsn");
    refused("serve -x", "there is no option -x; \"tandem serve --help\" lists them");
    refused("serve --listen", "--listen needs a value");
    refused("serve --transport tcp", "--transport: \"tcp\" is not one of auto|dual|stdio|http");
    refused("serve --drain 61s", "--drain: 61s is not within 0s to 1m");
    refused("serve --linger=maybe", "--linger: \"maybe\" is neither true nor false");
    refused("serve extra", "that is too much");
    refused("call", "something is missing: \"tandem call TOOL [key=value ...]\"");
    refused("version --json", "there is no option --json");
}

static void
help_fits_a_screen(void **unused)
{
    unsigned lines = 0, column = 0, widest = 0;

    (void)unused;
    CHECK(!parse("--help"));
    CHECK_INT(status, STATUS_OK);
    CHECK_STR(err_text, "");
    for (const char *p = out_text; *p; p++) {
        column = *p == '\n' ? 0 : column + 1;
        lines += *p == '\n';
        widest = column > widest ? column : widest;
    }
    CHECK(lines <= 24);
    CHECK(widest <= 80);
#define ROW(NAME) CHECK(strstr(out_text, "\n  " #NAME " "));
    COMMANDS(ROW)
#undef ROW
    CHECK(!parse("-h") && status == STATUS_OK && strstr(out_text, "Usage: tandem"));
    CHECK(!parse("help") && status == STATUS_OK && strstr(out_text, "Usage: tandem"));
}

static void
check_width(const char *text)
{
    unsigned column = 0;

    for (const char *p = text; *p; p++) {
        column = *p == '\n' ? 0 : column + 1;
        CHECK(column <= 80);
    }
}

static void
every_command_has_help(void **unused)
{
    static const char *const names[] = {
#define ROW(NAME) #NAME,
        COMMANDS(ROW)
#undef ROW
    };
    char words[64];

    (void)unused;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(words, sizeof words, "%s --help", names[i]);
        CHECK(!parse(words));
        CHECK_INT(status, STATUS_OK);
        CHECK(strstr(out_text, "--root DIR"));
        check_width(out_text);
        snprintf(words, sizeof words, "help %s", names[i]);
        CHECK(!parse(words));
        CHECK_INT(status, STATUS_OK);
    }
    CHECK(!parse("serve --help"));
    CHECK(strstr(out_text, "--transport auto|dual|stdio|http") && strstr(out_text, "--linger"));
    CHECK(!strstr(out_text, "--limits-message"));
    CHECK(!parse("call x --help"));
    CHECK(strstr(out_text, "--args JSON"));
}

static void
the_version_is_told(void **unused)
{
    (void)unused;
    CHECK(!parse("--version"));
    CHECK_INT(status, STATUS_OK);
    CHECK_STR(out_text, "tandem " TANDEM_VERSION "\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_command_it_serves),
        cmocka_unit_test(every_setting_is_an_option),
        cmocka_unit_test(options_and_arguments_mix),
        cmocka_unit_test(mistakes_are_refused_with_a_guess),
        cmocka_unit_test(help_fits_a_screen),
        cmocka_unit_test(every_command_has_help),
        cmocka_unit_test(the_version_is_told),
    };
    int failed = CHECK_RUN(tests);

    free(out_text);
    free(err_text);
    return failed;
}

/* test_setup_token.c -- which token an entry shows, by variable or as it is. */
#include "server/setup_token.h"

#include "tests/check.h"

static const struct setup_client *
client(const char *name)
{
    const struct setup_client *found;

    CHECK_INT(setup_client_find(name, &found, NULL), E_OK);
    return found;
}

static void
a_token_is_a_variable_or_itself(void **unused)
{
    static const struct {
        const char *client, *entry, *variable, *literal;
    } cases[] = {
        {"vscode", "{'headers':{'Authorization':'Bearer ${env:TANDEM_TOKEN}'}}", "TANDEM_TOKEN", 0},
        {"vscode", "{'headers':{'Authorization':'Bearer ${env:MINE_2}'}}", "MINE_2", NULL},
        {"vscode", "{'headers':{'Authorization':'Bearer ${input:token}'}}", "", NULL},
        {"vscode", "{'headers':{'Authorization':'Bearer ${env:}'}}", "", NULL},
        {"vscode", "{'headers':{'Authorization':'Bearer ${env:A-B}'}}", "", NULL},
        {"vscode", "{'headers':{'Authorization':'Bearer abc'}}", "", "abc"},
        {"vscode", "{'headers':{'Authorization':'Bearer '}}", "", NULL},
        {"vscode", "{'headers':{'Authorization':'Basic abc'}}", "", NULL},
        {"vscode", "{'headers':{}}", "", NULL},
        {"vscode", "{'command':'/usr/bin/tandem'}", "", NULL},
        {"gemini-cli", "{'headers':{'Authorization':'Bearer $MINE'}}", "MINE", NULL},
        {"gemini-cli", "{'headers':{'Authorization':'Bearer $MINE!'}}", "", NULL},
        {"opencode", "{'headers':{'Authorization':'Bearer {env:MINE}'}}", "MINE", NULL},
        {"continue",
         "{'requestOptions':{'headers':{'Authorization':'Bearer ${{ secrets.MINE }}'}}}", "MINE",
         NULL},
        {"codex", "{'bearer_token_env_var':'MINE'}", "MINE", NULL},
        {"zed", "{'headers':{'Authorization':'Bearer ${env:TANDEM_TOKEN}'}}", "",
         "${env:TANDEM_TOKEN}"}, /* It reads no variables. */
        {"goose", "{'headers':{'Authorization':'Bearer abc'}}", "", "abc"},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[200];
        struct setup_token t;
        json_t *entry;

        snprintf(text, sizeof text, "%s", cases[i].entry);
        for (char *quote = text; (quote = strchr(quote, '\'')) != NULL;) {
            *quote = '"';
        }
        entry = json_loads(text, 0, NULL);
        CHECK(entry != NULL);
        t = setup_token_of(client(cases[i].client), entry);
        CHECK_STR(t.variable, cases[i].variable);
        CHECK_INT(t.literal != NULL, cases[i].literal != NULL);
        CHECK(!t.literal || strcmp(t.literal, cases[i].literal) == 0);
        json_decref(entry);
    }
}

static void
a_name_that_is_too_long_is_none(void **unused)
{
    char text[400];
    json_t *entry;

    (void)unused;
    snprintf(text, sizeof text, "{\"bearer_token_env_var\":\"%0200d\"}", 1);
    entry = json_loads(text, 0, NULL);
    CHECK_STR(setup_token_of(client("codex"), entry).variable, "");
    json_decref(entry);
}

static void
another_variable_stays_and_nothing_else(void **unused)
{
    json_t *ours = json_pack("{s:s}", "bearer_token_env_var", "TANDEM_TOKEN");
    json_t *theirs = json_pack("{s:s, s:s}", "bearer_token_env_var", "MINE", "url", "x");

    (void)unused;
    setup_token_keep(client("codex"), NULL, ours);
    CHECK_STR(setup_token_of(client("codex"), ours).variable, "TANDEM_TOKEN");
    setup_token_keep(client("codex"), theirs, ours);
    CHECK_STR(setup_token_of(client("codex"), ours).variable, "MINE");
    CHECK(json_object_size(ours) == 1);
    json_decref(ours);
    json_decref(theirs);
}

static void
a_file_that_others_read_holds_no_token(void **unused)
{
    json_t *entry = json_pack("{s:{s:s}}", "headers", "Authorization", "Bearer abc");
    struct setup s = {.client = client("zed"), .path = (char[]){"settings.json"}, .there = true};
    struct fault f = FAULT_INIT;

    (void)unused;
    for (s.mode = 0; s.mode <= 0777; s.mode++) {
        CHECK_INT(setup_token_check(&s, entry, &f), s.mode & 044 ? E_REFUSED : E_OK);
    }
    CHECK_STR(f.remedy, "chmod 600 settings.json");
    s.there = false; /* It will be made, for its owner alone. */
    CHECK_INT(setup_token_check(&s, entry, &f), E_OK);
    json_decref(entry);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_a_variable_or_itself),
        cmocka_unit_test(a_name_that_is_too_long_is_none),
        cmocka_unit_test(another_variable_stays_and_nothing_else),
        cmocka_unit_test(a_file_that_others_read_holds_no_token),
    };

    return CHECK_RUN(tests);
}

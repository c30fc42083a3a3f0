/* config_texts.c -- what one source says of the settings, as text. */
#include "state/config.h"

void
config_texts_fini(struct config_texts *texts)
{
    for (int i = 0; i < SETTING_COUNT; i++) {
        free(texts->text[i]);
    }
    *texts = (struct config_texts){.text = {NULL}};
}

void
config_texts_add(struct config_texts *texts, enum setting setting, const char *text)
{
    char *old = texts->text[setting];

    texts->text[setting] = old && setting_row(setting)->type == SETTING_LIST
                               ? xasprintf("%s,%s", old, text)
                               : xstrdup(text);
    free(old);
}

static bool
is_for_clients(struct slice variable)
{
    static const char *const names[] = {CLIENT_URL, CLIENT_WS_URL, CLIENT_TOKEN};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (slice_is(variable, names[i])) {
            return true;
        }
    }
    return false;
}

void
config_texts_from_environment(struct config_texts *texts, char *const *variables,
                              struct problems *problems)
{
    static const char prefix[] = "TANDEM_";

    for (; variables && *variables; variables++) {
        const char *name = *variables + strlen(prefix);
        const char *equals = strchr(*variables, '=');
        struct slice word;
        int setting, near;

        if (strncmp(*variables, prefix, strlen(prefix)) != 0 || !equals ||
            is_for_clients((struct slice){*variables, (size_t)(equals - *variables)})) {
            continue;
        }
        word = (struct slice){name, (size_t)(equals - name)};
        setting = setting_find(word);
        if (setting >= 0) {
            if (equals[1]) {
                config_texts_add(texts, (enum setting)setting, equals + 1);
            }
            continue;
        }
        near = setting_nearest(word);
        if (near >= 0) {
            char meant[SETTING_NAME_SIZE];
            setting_variable_name((enum setting)near, meant);
            problems_add(problems, PROBLEM_WARNING, "environment", 0, 0,
                         "no setting has the variable TANDEM_%.*s; did you mean %s?", (int)word.len,
                         word.data, meant);
        } else {
            problems_add(problems, PROBLEM_WARNING, "environment", 0, 0,
                         "no setting has the variable TANDEM_%.*s", (int)word.len, word.data);
        }
    }
}

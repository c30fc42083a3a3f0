/* cmd_settings.c -- "tandem settings": every setting, its value and where that came from. */
#include "server/context.h"

#include <jansson.h>
#include <stdio.h>

enum { OPTION_MARKDOWN, OPTION_JSON };
static const struct command_option own_options[] = {
    [OPTION_MARKDOWN] = {"markdown", NULL,
                         "the table of all settings, as deploy/settings.md has it"},
    [OPTION_JSON] = {"json", NULL,
                     "as JSON: key, value, origin and where that is, live, default, bounds, help"},
    {NULL, NULL, NULL},
};

static void
print_table(const struct settings *s)
{
    printf("%-24s %-24s %-24s %s\n", "SETTING", "VALUE", "FROM", "BOUNDS");
    for (int i = 0; i < SETTING_COUNT; i++) {
        const struct setting_row *row = setting_row((enum setting)i);
        struct buf value = BUF_INIT, origin = BUF_INIT;

        settings_show(s, (enum setting)i, &value);
        settings_show_origin(s, (enum setting)i, &origin);
        printf("%-24s %-24s %-24s %s%s%s\n", row->key, value.len ? value.data : "-", origin.data,
               row->most[0] || row->type == SETTING_CHOICE ? row->least : "",
               row->most[0] ? " to " : "", row->most);
        buf_fini(&value);
        buf_fini(&origin);
    }
}

static bool
print_json(const struct settings *s)
{
    json_t *list = json_array();
    bool done;

    for (int i = 0; i < SETTING_COUNT; i++) {
        const struct setting_row *row = setting_row((enum setting)i);
        struct buf value = BUF_INIT, origin = BUF_INIT;
        char variable[SETTING_NAME_SIZE];

        setting_variable_name((enum setting)i, variable);
        settings_show(s, (enum setting)i, &value);
        settings_show_origin(s, (enum setting)i, &origin);
        json_array_append_new(
            list,
            json_pack("{s:s, s:s%, s:s, s:s, s:b, s:s, s:s, s:s, s:s, s:s, s:s}", "key", row->key,
                      "value", value.data ? value.data : "", value.len, "origin",
                      setting_origin_name((enum setting_origin)s->origins[i]), "where", origin.data,
                      "live", row->where == SETTING_LIVE, "default", row->initial, "takes",
                      setting_takes((enum setting)i), "least", row->most[0] ? row->least : "",
                      "most", row->most, "variable", variable, "help", row->help));
        buf_fini(&value);
        buf_fini(&origin);
    }
    done = json_dumpf(list, stdout, JSON_INDENT(2)) == 0 && putchar('\n') != EOF;
    json_decref(list);
    return done;
}

static int
run(struct invocation *invocation)
{
    struct context context;
    struct buf markdown = BUF_INIT;
    bool done = true;

    if (invocation->values[OPTION_MARKDOWN]) { /* The same for every project. */
        config_markdown(&markdown);
        done = !markdown.failed && fputs(markdown.data, stdout) != EOF;
        buf_fini(&markdown);
        return done ? STATUS_OK : STATUS_FAILED;
    }
    if (!context_open(invocation, &context)) {
        return STATUS_FAILED;
    }
    if (invocation->values[OPTION_JSON]) {
        done = print_json(context.settings);
    } else {
        print_table(context.settings);
    }
    context_close(&context);
    return done ? STATUS_OK : STATUS_FAILED;
}

const struct command command_settings = {
    .name = "settings",
    .usage = "",
    .summary = "list the settings, their values and where they come from",
    .details =
        "Later sources win: default, file, environment, option. A running server's own values "
        "are in its resource tandem://config: those that are live may have been set since.",
    .options = own_options,
    .run = run,
};

/* config_table.c -- a configuration file checked without a server; the table of deploy/settings.md.
 */
#include "state/config.h"

void
config_check(struct slice file, const char *name, struct problems *problems)
{
    struct config_texts texts = {.text = {NULL}};
    struct settings *s = settings_create();
    struct fault f = FAULT_INIT;

    config_texts_from_file(&texts, file, name, problems);
    for (int i = 0; i < SETTING_COUNT; i++) { /* What is bad of them has been told already. */
        if (texts.text[i]) {
            settings_set(s, (enum setting)i, texts.text[i], ORIGIN_FILE, NULL);
        }
    }
    if (settings_check(s, &f)) {
        problems_add(problems, PROBLEM_ERROR, name, 0, 0, "%s", f.text);
    }
    settings_unref(s);
    config_texts_fini(&texts);
}

static void
add_cell(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|') {
            buf_addc(out, '\\');
        }
        buf_addc(out, *text);
    }
}

void
config_markdown(struct buf *out)
{
    buf_adds(out, "| key | takes | default | bounds | what it does |\n|---|---|---|---|---|\n");
    for (int i = 0; i < SETTING_COUNT; i++) {
        const struct setting_row *row = setting_row((enum setting)i);

        buf_addf(out, "| `%s` | ", row->key);
        add_cell(out, setting_takes((enum setting)i));
        buf_addf(out, row->initial[0] ? " | `%s` | " : " | | ", row->initial);
        if (row->most[0]) {
            buf_addf(out, "%s to %s", row->least, row->most);
        }
        buf_adds(out, row->where == SETTING_LIVE ? " | *live*: " : " | ");
        add_cell(out, row->help);
        buf_adds(out, " |\n");
    }
}

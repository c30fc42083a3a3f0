/* tools_rows.c -- which tools there are, and which of them a server offers: the one file that knows
 * them all, and that none of them needs. */
#include "handlers/tools_private.h"

#include "state/base/log.h"
#include "state/settings.h"

LOG_MODULE("tools");

static const struct tool *const rows[] = {
#define ROW(NAME, FILE) &tool_##NAME,
    TOOLS(ROW)
#undef ROW
};

/* ---- Groups ---- */

enum group_use { ALWAYS, FOR_USE, FOR_TESTS };
static const struct {
    const char *name;
    enum group_use use;
} groups[] = {
#define ROW(NAME, USE) {#NAME, USE},
    TOOL_GROUPS(ROW)
#undef ROW
};
#define GROUP_COUNT (sizeof groups / sizeof groups[0])

static enum group_use
group_use(const char *name)
{
    size_t at = 0;

    while (strcmp(groups[at].name, name) != 0) {
        at++;
    }
    return groups[at].use;
}

static bool
tool_enabled(const char *list, const struct tool *tool)
{
    enum group_use use = group_use(tool->group);
    bool enabled = use == ALWAYS;
    struct slice item;

    while (!enabled && settings_next_item(&list, &item)) {
        enabled = slice_is(item, tool->group) || (tool->core && slice_is(item, "core")) ||
                  (use == FOR_USE && slice_is(item, "full"));
    }
    return enabled;
}

static void
log_unknown_groups(const char *list)
{
    struct slice item;

    while (settings_next_item(&list, &item)) {
        bool known = slice_is(item, "core") || slice_is(item, "full");

        for (size_t i = 0; i < GROUP_COUNT; i++) {
            known = known || slice_is(item, groups[i].name);
        }
        if (!known) {
            char *name = xstrndup(item.data, item.len);
            log_warn("there is no such tool group", F_STR("group", name));
            free(name);
        }
    }
}

/* ---- Rows ---- */

const struct tool *
tools_row(struct slice name)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (slice_is(name, rows[i]->name)) {
            return rows[i];
        }
    }
    return NULL;
}

struct tools *
tools_create(const char *enabled)
{
    struct tools *t = xcalloc(1, sizeof *t);

    enabled = enabled ? enabled : "core";
    log_unknown_groups(enabled);
    for (unsigned i = 0; i < TOOL_COUNT; i++) {
        if (tool_enabled(enabled, rows[i])) {
            tools_add(t, rows[i], i);
        }
    }
    if (t->count && t->entries[t->count - 1].tool == &tool_test_changing_tool) {
        t->changing = &t->entries[t->count - 1];
    }
    return t;
}

/* serve_reload.c -- SIGHUP: what files say is read anew.
 *
 * The settings go by config_reload(), as for the tool reload_config: with any mistake in the file
 * all of them stay as they were.  What else comes from files is looked at again in any case: the
 * keys of tokens, packs, standards, skills and tenants' settings. */
#include "server/serve_private.h"

#include "state/base/log.h"
#include "state/config.h"
#include "state/state.h"

#include <stdio.h>

LOG_MODULE("serve");

/* Tells which settings are others now. */
static void
tell_changes(const struct settings *before, const struct settings *after)
{
    struct buf keys = BUF_INIT;

    for (int i = 0; i < SETTING_COUNT; i++) {
        if (!settings_same(before, after, (enum setting)i)) {
            buf_addf(&keys, "%s%s", keys.len ? " " : "", setting_row((enum setting)i)->key);
        }
    }
    log_info("settings read anew", F_UINT("version", after->version),
             F_STR("changed", keys.len ? keys.data : "none"));
    buf_fini(&keys);
}

static void
read_settings(struct server *s)
{
    struct config *config = s->context->config;
    struct settings *before = config_settings(config), *after;
    struct problems problems = PROBLEMS_INIT;
    struct fault f = FAULT_INIT;
    enum err err = config_reload(config, &problems, &f);

    for (size_t i = 0; i < problems.count; i++) { /* What waits for a restart is among them. */
        const struct problem *p = &problems.items[i];

        log_warn("settings", F_STR("where", p->file), F_UINT("line", p->line),
                 F_STR("text", p->text));
    }
    after = config_settings(config);
    if (err) {
        snprintf(s->refused, sizeof s->refused, "%.150s", f.text);
        log_error("the settings stay as they were", F_STR("why", f.text));
    } else {
        s->refused[0] = '\0';
        tell_changes(before, after);
    }
    settings_unref(after);
    settings_unref(before);
    problems_fini(&problems);
}

void
serve_reload(struct server *s)
{
    notify_reloading(&s->notify);
    read_settings(s);
    if (s->access) {
        access_look(s->access);
    }
    state_look(s->core.state);
    serve_tell_ready(s);
}

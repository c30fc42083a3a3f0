/* budget_life.c -- tandem sessions from the first thread to the last. */
#include "state/budget_private.h"

#include "state/base/json_put.h"
#include "state/base/keeper.h"
#include "state/base/log.h"
#include "state/config.h"

LOG_MODULE("session");

/* The id that the environment of the agent's host gives, or null. */
static const char *
id_of_host(char *const *environment)
{
    static const char *const names[] = {
        "CLAUDE_SESSION_ID=", "ANTHROPIC_SESSION_ID=", "SESSION_ID="};

    for (size_t i = 0; environment && i < sizeof names / sizeof names[0]; i++) {
        for (char *const *v = environment; *v; v++) {
            size_t len = strlen(names[i]);

            if (strncmp(*v, names[i], len) == 0 && budget_id_good(*v + len)) {
                return *v + len;
            }
        }
    }
    return NULL;
}

struct budget_counters
budget_counters(struct budget *b)
{
    struct budget_counters c;

    LOCK(BUDGET, &b->lock);
    c = b->counters;
    c.sessions = b->count;
    c.archived = (unsigned)json_array_size(b->archive);
    c.notes = (unsigned)json_array_size(b->notes);
    UNLOCK(BUDGET, &b->lock);
    return c;
}

UNSHARED enum err
budget_create(const struct budget_options *options, struct budget **budget, struct fault *f)
{
    struct budget *b = xcalloc(1, sizeof *b);
    struct settings *settings = config_settings(options->config);
    const char *id =
        settings->session_id[0] ? settings->session_id : id_of_host(options->environment);
    enum err err = E_OK;

    lock_init(&b->save_lock, RANK_BUDGET_SAVE);
    lock_init(&b->lock, RANK_BUDGET);
    b->options = *options;
    b->options.dir = options->dir ? dir_ref(options->dir) : NULL;
    b->options.environment = NULL;
    b->options.default_tenant = b->first_tenant =
        xstrdup(options->default_tenant ? options->default_tenant : "default");
    b->first_id = id ? xstrdup(id) : NULL;
    b->archive = json_must(json_array());
    b->notes = json_must(json_array());
    b->saved_ns = clock_wall(options->clock);
    if (b->options.dir) {
        err = budget_load(b, f);
    }
    settings_unref(settings);
    if (err) {
        budget_destroy(b);
        b = NULL;
    }
    *budget = b;
    return err;
}

UNSHARED void
budget_destroy(struct budget *b)
{
    struct budget_session *s, *next;
    struct fault f = FAULT_INIT;

    if (!b) {
        return;
    }
    keeper_drop(b->job);
    if (budget_save(b, &f)) {
        log_error("sessions could not be saved", F_STR("why", f.text));
    }
    DL_FOREACH_SAFE(b->sessions, s, next)
    {
        free(s);
    }
    json_decref(b->archive);
    json_decref(b->notes);
    lock_fini(&b->lock);
    lock_fini(&b->save_lock);
    dir_unref(b->options.dir);
    free(b->first_tenant);
    free(b->first_id);
    free(b);
}

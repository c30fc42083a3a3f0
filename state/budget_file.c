/* budget_file.c -- the file of the tandem sessions: read at the start, replaced as a whole.
 *
 * What is written is taken at one moment; who writes holds BUDGET_SAVE meanwhile, so that an older
 * state never replaces a newer one.  Nobody who counts waits for the disk. */
#include "state/budget_private.h"

#include "state/base/json_put.h"
#include "state/base/keeper.h"
#include "state/base/log.h"
#include "state/config.h"

LOG_MODULE("session");

#define FORMAT 1
#define FILE_NAME "sessions.json"
#define FILE_MAX ((size_t)16 << 20)
#define LOOK_MS 10000 /* How often it is asked whether it is time to save. */

static json_t *
list_sessions(const struct budget *b) REQUIRES(LC_BUDGET)
{
    json_t *list = json_must(json_array());
    const struct budget_session *s;

    DL_FOREACH(b->sessions, s) {
        json_add(list, budget_session_json(s));
    }
    return list;
}

enum err
budget_save(struct budget *b, struct fault *f)
{
    struct buf text = BUF_INIT;
    json_t *document = NULL;
    uint64_t changes;
    enum err err = E_OK;

    LOCK(BUDGET_SAVE, &b->save_lock);
    LOCK(BUDGET, &b->lock);
    changes = b->changes;
    if (b->options.dir && changes != b->saved) {
        document = json_must(json_object());
        json_put_int(document, "format", FORMAT);
        json_put(document, "sessions", list_sessions(b));
        json_put(document, "archive", json_clone(b->archive));
        json_put(document, "notes", json_clone(b->notes));
    }
    UNLOCK(BUDGET, &b->lock);
    if (document) {
        json_write(&text, document);
        err = text.failed ? fault_set(f, E_OVERLOAD, "there is no memory to save sessions")
                          : dir_write(b->options.dir, FILE_NAME, buf_slice(&text), f);
        b->saved_ns = clock_wall(b->options.clock);
        LOCK(BUDGET, &b->lock);
        if (err) {
            b->counters.save_failures++;
        } else {
            b->saved = changes;
            b->counters.saves++;
        }
        UNLOCK(BUDGET, &b->lock);
    }
    UNLOCK(BUDGET_SAVE, &b->save_lock);
    json_decref(document);
    buf_fini(&text);
    return err;
}

/* ---- In time ---- */

/* Returns whether there is something left to save. */
static bool
look(void *arg)
{
    struct budget *b = arg;
    struct settings *settings = config_settings(b->options.config);
    int64_t now = clock_wall(b->options.clock), last;
    struct fault f = FAULT_INIT;
    bool more;

    LOCK(BUDGET_SAVE, &b->save_lock);
    last = b->saved_ns;
    UNLOCK(BUDGET_SAVE, &b->save_lock);
    LOCK(BUDGET, &b->lock);
    budget_expire(b, now);
    UNLOCK(BUDGET, &b->lock);
    if (now - last >= settings->session_save_interval || now < last) {
        if (budget_save(b, &f)) {
            log_error("sessions could not be saved", F_STR("why", f.text));
        }
    }
    settings_unref(settings);
    LOCK(BUDGET, &b->lock);
    more = b->options.dir && b->saved != b->changes;
    UNLOCK(BUDGET, &b->lock);
    return more;
}

void
budget_keep(struct budget *b, struct keeper *keeper)
{
    b->job = keeper_every(keeper, LOOK_MS, look, b);
}

void
budget_stir(struct budget *b)
{
    if (b->job) {
        keeper_stir(b->job);
    }
}

/* ---- The start ---- */

/* Adds the sessions of the file.  Of those that were current when the process before ended only the
 * one goes on that this one begins with. */
UNSHARED static bool
take_sessions(struct budget *b, const json_t *list)
{
    const json_t *item;
    size_t i;

    if (!json_is_array(list) || json_array_size(list) > BUDGET_SESSIONS_MAX) {
        return false;
    }
    json_array_foreach(list, i, item) {
        struct budget_session *s = xcalloc(1, sizeof *s);

        if (!budget_session_read(item, s) || budget_find(b, s->tenant, s->id)) {
            free(s);
            return false;
        }
        DL_APPEND(b->sessions, s);
        b->count++;
    }
    return true;
}

UNSHARED static void
end_former(struct budget *b)
{
    int64_t now = clock_wall(b->options.clock);
    struct budget_session *s, *next;

    DL_FOREACH_SAFE(b->sessions, s, next)
    {
        bool again = b->first_id && strcmp(s->tenant, b->first_tenant) == 0 &&
                     strcmp(s->id, b->first_id) == 0;

        if (s->current && !again) {
            budget_archive(b, s, "process ended", now);
        } else {
            s->current = again;
            b->first_used |= again;
        }
    }
    budget_expire(b, now);
}

/* True if 'document' is what budget_save() writes. */
UNSHARED static bool
take(struct budget *b, const json_t *document)
{
    json_t *archive = json_object_get(document, "archive");
    json_t *notes = json_object_get(document, "notes");
    struct budget_session *s, *next;

    if (json_integer_value(json_object_get(document, "format")) == FORMAT &&
        json_is_array(archive) && json_is_array(notes) &&
        take_sessions(b, json_object_get(document, "sessions"))) {
        json_decref(b->archive);
        json_decref(b->notes);
        b->archive = json_clone(archive);
        b->notes = json_clone(notes);
        return true;
    }
    DL_FOREACH_SAFE(b->sessions, s, next)
    {
        budget_remove(b, s);
    }
    return false;
}

/* What this server does not understand is kept, and not written over. */
static enum err
set_aside(const struct budget *b, const json_t *document, struct fault *f)
{
    json_int_t format = json_integer_value(json_object_get(document, "format"));
    const char *aside = format > FORMAT ? FILE_NAME ".newer" : FILE_NAME ".bad";

    if (format > FORMAT) {
        log_warn("the sessions on disk are of a newer version; they are put aside",
                 F_STR("file", aside), F_INT("format", format), F_INT("known", FORMAT));
    } else {
        log_warn("the sessions on disk are damaged; they are put aside", F_STR("file", aside));
    }
    return dir_rename(b->options.dir, FILE_NAME, aside, f);
}

UNSHARED enum err
budget_load(struct budget *b, struct fault *f)
{
    struct buf text = BUF_INIT;
    enum err err = dir_read(b->options.dir, FILE_NAME, FILE_MAX, &text, NULL, f);
    json_t *document = NULL;

    if (!err) {
        document = json_loadb(text.data ? text.data : "", text.len, JSON_REJECT_DUPLICATES, NULL);
        if (!take(b, document)) {
            err = set_aside(b, document, f);
        }
        end_former(b);
    }
    json_decref(document);
    buf_fini(&text);
    return err == E_NOT_FOUND ? E_OK : err;
}

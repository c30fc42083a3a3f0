/* budget_note.c -- the end of a tandem session, and the note to resume by that it leaves. */
#include "state/budget_private.h"

#include "state/base/json_put.h"

static const char *
text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

/* Keeps 'note' (stolen), and of its tenant the newest. */
static void
keep_note(struct budget *b, const char *tenant, json_t *note) REQUIRES(LC_BUDGET)
{
    size_t mine = 0;

    json_add(b->notes, note);
    for (size_t i = json_array_size(b->notes); i-- > 0;) {
        if (strcmp(text_of(json_array_get(b->notes, i), "tenant"), tenant) == 0 &&
            ++mine > BUDGET_NOTES_MAX) {
            json_array_remove(b->notes, i);
        }
    }
}

static json_t *
make_note(const struct budget_session *s, const char *summary, int64_t now_ns)
{
    json_t *note = budget_session_json(s);

    json_object_del(note, "current");
    json_object_del(note, "last_used");
    json_object_del(note, "id");
    json_put_text(note, "session_id", s->id);
    json_put_text(note, "summary", summary);
    budget_put_time(note, "ended_at", now_ns);
    return note;
}

static enum err
end(struct budget *b, struct budget_session *s, struct budget_call *call, struct fault *f)
    REQUIRES(LC_BUDGET)
{
    json_t *note = make_note(s, call->arg, call->now_ns);

    (void)f;
    call->told = json_clone(note);
    keep_note(b, s->tenant, note);
    budget_add_news(&call->news, "session.ended", s, budget_metrics_json(s));
    budget_archive(b, s, "ended", call->now_ns);
    b->counters.ended++;
    return E_OK;
}

enum err
budget_end(struct budget *b, const char *tenant, const char *id, const char *summary, json_t **told,
           struct fault *f)
{
    struct budget_call call = {.arg = summary};
    enum err err;

    *told = NULL;
    if (strlen(summary) > BUDGET_SUMMARY_MAX) {
        return fault_set(f, E_TOO_LARGE, "a summary is at most %d bytes", BUDGET_SUMMARY_MAX);
    }
    err = budget_run(b, tenant, id, end, &call, told, f);
    return err ? err : budget_save(b, f);
}

enum err
budget_note(struct budget *b, const char *tenant, const char *id, json_t **told, struct fault *f)
{
    *told = NULL;
    LOCK(BUDGET, &b->lock);
    for (size_t i = json_array_size(b->notes); i-- > 0 && !*told;) {
        const json_t *note = json_array_get(b->notes, i);

        if (strcmp(text_of(note, "tenant"), tenant) == 0 &&
            strcmp(text_of(note, "session_id"), id) == 0) {
            *told = json_clone(note);
        }
    }
    UNLOCK(BUDGET, &b->lock);
    return *told ? E_OK
                 : fault_set(f, E_NOT_FOUND, "there is no resume note of session \"%.80s\"", id);
}

json_t *
budget_notes(struct budget *b, const char *tenant)
{
    json_t *list = json_must(json_array());

    LOCK(BUDGET, &b->lock);
    for (size_t i = json_array_size(b->notes); i-- > 0;) {
        const json_t *note = json_array_get(b->notes, i);

        if (strcmp(text_of(note, "tenant"), tenant) == 0) {
            json_t *told = json_must(json_object());

            json_put_text(told, "session_id", text_of(note, "session_id"));
            json_put_text(told, "ended_at", text_of(note, "ended_at"));
            json_add(list, told);
        }
    }
    UNLOCK(BUDGET, &b->lock);
    return list;
}

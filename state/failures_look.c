/* failures_look.c -- what has failed, as lists: as it was told, and looked into; and how much. */
#include "state/failures_private.h"

#include "state/base/json_put.h"

/* ---- One of them ---- */

void
failures_put_time(json_t *out, const char *key, int64_t wall_ns)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format_utc(wall_ns, text);
    json_put_text(out, key, text);
}

static void
put_some(json_t *out, const char *key, const char *text)
{
    if (*text) {
        json_put_text(out, key, text);
    }
}

json_t *
failures_json(const struct failure_entry *entry)
{
    const struct failure *x = entry->failure;
    json_t *out = json_must(json_object()), *context = json_must(json_object());

    put_some(context, "agent_type", x->agent_type);
    put_some(context, "command", x->command);
    put_some(context, "cwd", x->cwd);
    put_some(context, "session_id", x->session);
    json_put_text(out, "task_id", x->id);
    json_put_text(out, "task_type", failure_task_type(x->task));
    json_put_text(out, "tool_name", x->tool);
    json_put_text(out, "error_type", failure_error_type(x->error));
    json_put_text(out, "error_message", x->message);
    json_put(out, "context", context);
    json_put_text(out, "output_preview", x->preview);
    failures_put_time(out, "timestamp", x->wall_ns);
    json_put_bool(out, "fixed", entry->fixed);
    if (entry->fixed) {
        failures_put_time(out, "fix_timestamp", entry->fixed_ns);
    }
    return out;
}

/* ---- Lists ---- */

static int
newest_first(const void *a, const void *b)
{
    const struct failure *x = ((const struct failure_entry *)a)->failure;
    const struct failure *y = ((const struct failure_entry *)b)->failure;

    if (x->mono_ns != y->mono_ns) {
        return x->mono_ns < y->mono_ns ? 1 : -1;
    }
    return strlen(x->id) != strlen(y->id) ? (strlen(x->id) < strlen(y->id) ? 1 : -1)
                                          : -strcmp(x->id, y->id);
}

/* Of each session that is asked for: 'act' is called with it.  'session' null means all of them,
 * and 'tenant' null those of all tenants. */
static void
each_session(struct failures *t, const char *tenant, const char *session,
             void (*act)(struct failure_session *s, void *arg), void *arg) REQUIRES(LC_FAILURES)
{
    char *id = session ? failure_copy(slice_of(session), FAILURE_NAME_MAX) : NULL;

    for (struct failure_tenant *of = t->tenants; of; of = of->hh.next) {
        if (tenant && strcmp(of->id, tenant) != 0) {
            continue;
        }
        for (struct failure_session *s = of->sessions; s; s = s->hh.next) {
            if (!id || strcmp(s->id, id) == 0) {
                act(s, arg);
            }
        }
    }
    free(id);
}

/* What take() gathers. */
struct taken {
    const struct failure_query *query;
    struct failure_entry *entries;
    size_t count;
};

static void
take_session(struct failure_session *s, void *arg)
{
    struct taken *taken = arg;
    size_t before = taken->count;

    for (uint64_t back = 0;
         back < s->next - s->first && taken->count - before < taken->query->limit; back++) {
        struct failure_entry *entry = failures_entry(s, back);

        if (!taken->query->unfixed || !entry->fixed) {
            taken->entries[taken->count] = *entry;
            failure_ref(taken->entries[taken->count++].failure);
        }
    }
}

/* References to all that are asked for, newest first, new; '*count' at most the limit. */
static struct failure_entry *
take(struct failures *t, const struct failure_query *q, size_t *count)
{
    struct taken taken = {.query = q};

    taken.entries = xcalloc(FAILURES_RING * FAILURES_SESSIONS, sizeof *taken.entries);
    LOCK(FAILURES, &t->lock);
    each_session(t, q->tenant, q->session, take_session, &taken);
    UNLOCK(FAILURES, &t->lock);
    qsort(taken.entries, taken.count, sizeof *taken.entries, newest_first);
    for (size_t i = q->limit; i < taken.count; i++) {
        failure_unref(taken.entries[i].failure);
    }
    *count = taken.count < q->limit ? taken.count : q->limit;
    return taken.entries;
}

json_t *
failures_list(struct failures *t, const struct failure_query *query)
{
    json_t *list = json_must(json_array());
    size_t count;
    struct failure_entry *all = take(t, query, &count);

    for (size_t i = 0; i < count; i++) {
        json_add(list, failures_json(&all[i]));
        failure_unref(all[i].failure);
    }
    free(all);
    return list;
}

/* What usually is behind a kind of failure, and what to do. */
static const struct {
    const char *cause, *suggestion;
} advice[FAILURE_ERROR_COUNT] = {
    [FAILURE_ERROR_SYNTAX] = {"The code does not parse.",
                              "Look at the line that is named, and at the one before it."},
    [FAILURE_ERROR_TYPE] = {"A value is of another type than where it is used expects.",
                            "Follow the value to where it is made; check it there."},
    [FAILURE_ERROR_IMPORT] = {"A module is there, but not what is imported from it.",
                              "Compare the name with what the installed version has."},
    [FAILURE_ERROR_MODULE] = {"A module is not installed where this runs.",
                              "Install it in the same environment, or add it to the project's "
                              "dependencies."},
    [FAILURE_ERROR_FILE_NOT_FOUND] = {"A file is not where it is looked for.",
                                      "Check the path against the folder the command runs in."},
    [FAILURE_ERROR_TEST] = {"A test found something else than it expects.",
                            "Run that test alone, and compare what it expects with what it got."},
    [FAILURE_ERROR_EXCEPTION] = {"An exception was not handled.",
                                 "Read the trace from its last own line upwards."},
    [FAILURE_ERROR_COMMAND] = {"A command that was called failed.",
                               "Run it by itself, with the same arguments, folder and "
                               "environment."},
    [FAILURE_ERROR_ERROR] = {"The tool says that something is wrong.",
                             "Mend the first error it names; later ones may follow from it."},
    [FAILURE_ERROR_EXIT_CODE] = {"The command ended with a code that means failure, and said "
                                 "nothing that tells why.",
                                 "Run it again with more output."},
    [FAILURE_ERROR_NONE] = {"", ""},
};

static json_t *
analysis_of(const struct failure_entry *entry)
{
    const struct failure *x = entry->failure;
    json_t *out = json_must(json_object());
    struct buf text = BUF_INIT;
    struct slice file;
    unsigned line;

    file = failure_file(slice_of(x->message), &line);
    if (file.len == 0) {
        file = failure_file(slice_of(x->preview), &line);
    }
    buf_adds(&text, advice[x->error].cause);
    buf_addc(&text, ' ');
    failures_add_flat(&text, failure_cut(slice_of(x->message), FAILURES_PREVIEW));
    json_put_text(out, "task_id", x->id);
    json_put_text(out, "task_type", failure_task_type(x->task));
    json_put_text(out, "error_type", failure_error_type(x->error));
    json_put(out, "root_cause", json_text_of(&text));
    if (file.len) {
        json_put(out, "file", json_text_slice(file));
    }
    if (file.len && line) {
        json_put_int(out, "line", line);
    }
    json_put_text(out, "suggestion", advice[x->error].suggestion);
    json_put_text(out, "priority", failure_error_priority(x->error));
    json_put_text(out, "category", failure_category(x->error, x->task));
    json_put_bool(out, "fixed", entry->fixed);
    return out;
}

json_t *
failures_analyze(struct failures *t, const struct failure_query *query)
{
    static const char *const priorities[] = {"critical", "high", "medium"};
    json_t *list = json_must(json_array());
    size_t count;
    struct failure_entry *all = take(t, query, &count);

    for (size_t p = 0; p < sizeof priorities / sizeof priorities[0]; p++) {
        for (size_t i = 0; i < count; i++) {
            if (strcmp(failure_error_priority(all[i].failure->error), priorities[p]) == 0) {
                json_add(list, analysis_of(&all[i]));
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        failure_unref(all[i].failure);
    }
    free(all);
    return list;
}

static void
count_session(struct failure_session *s, void *arg)
{
    struct failure_stats *stats = arg;

    stats->sessions++;
    stats->fixes += s->fixes;
    stats->learnings += s->learnings;
    stats->failures += s->next - s->first;
    stats->fixed += s->fixed;
}

struct failure_stats
failures_stats(struct failures *t, const char *tenant, const char *session)
{
    struct failure_stats stats = {.failures = 0};

    LOCK(FAILURES, &t->lock);
    each_session(t, tenant, session, count_session, &stats);
    UNLOCK(FAILURES, &t->lock);
    stats.unfixed = stats.failures - stats.fixed;
    return stats;
}

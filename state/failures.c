/* failures.c -- rings of failures by session, and the pairing with what mended them.
 *
 * DESIGN.  A failure is immutable and counted but for two members, which the lock guards: whether
 * it is mended, and since when.  Who marks it under the lock has it, and nobody else can: so a
 * failure is mended at most once, and lists are made from references, without the lock. */
#include "state/failures.h"

#include "state/base/hash.h"
#include "state/base/json_put.h"
#include "state/base/lock.h"
#include "state/base/log.h"
#include "state/base/random.h"
#include "state/bus.h"
#include "state/learnings.h"

#include <stdio.h>

LOG_MODULE("failures");

#define ID_SIZE 40
#define KEY_MAX 200u /* Characters of what names a session. */
#define MESSAGE_MAX 500u
#define COMMAND_MAX 300u
#define PROBLEM_MAX 100u
#define NOTE_MAX 500u

struct failure {
    _Atomic unsigned refs;
    char id[ID_SIZE];
    enum failure_error error;
    enum failure_task task;
    int64_t wall_ns, mono_ns;
    char *tool, *message, *preview; /* Owned, as those below, which may be empty. */
    char *agent_type, *command, *cwd, *session;
};

struct entry {
    struct failure *failure; /* Counted. */
    bool fixed;
    int64_t fixed_ns; /* Wall. */
};

struct session {
    char *key; /* "TENANT/SESSION". */
    size_t tenant_len;
    struct entry ring[FAILURES_RING];
    uint64_t next; /* How many were put there; the newest is at next - 1. */
    uint64_t fixes, learnings;
    UT_hash_handle hh; /* In the order of last use: the oldest first. */
};

struct failures {
    const struct clock *clock;
    struct bus *bus;
    struct learnings *learnings;
    char run[9]; /* So that ids of two runs of the server differ. */
    _Atomic uint64_t next_id;
    struct lock lock; /* RANK_FAILURES. */
    struct session *sessions GUARDED_BY(LC_FAILURES);
};

/* ---- Life ---- */

struct failures *
failures_create(const struct clock *clock, struct bus *bus, struct learnings *learnings)
{
    struct failures *t = xcalloc(1, sizeof *t);

    t->clock = clock;
    t->bus = bus;
    t->learnings = learnings;
    random_hex(t->run, sizeof t->run); /* Empty is as good: the counter is what counts. */
    lock_init(&t->lock, RANK_FAILURES);
    return t;
}

static void
failure_unref(struct failure *x)
{
    if (x && atomic_fetch_sub_explicit(&x->refs, 1, memory_order_acq_rel) == 1) {
        free(x->tool);
        free(x->message);
        free(x->preview);
        free(x->agent_type);
        free(x->command);
        free(x->cwd);
        free(x->session);
        free(x);
    }
}

static struct failure *
failure_ref(struct failure *x)
{
    atomic_fetch_add_explicit(&x->refs, 1, memory_order_relaxed);
    return x;
}

static void
drop_session(struct failures *t, struct session *s) REQUIRES(LC_FAILURES)
{
    HASH_DEL(t->sessions, s);
    for (size_t i = 0; i < FAILURES_RING; i++) {
        failure_unref(s->ring[i].failure);
    }
    free(s->key);
    free(s);
}

UNSHARED void
failures_destroy(struct failures *t)
{
    struct session *s, *next;

    if (!t) {
        return;
    }
    HASH_ITER(hh, t->sessions, s, next) {
        drop_session(t, s);
    }
    lock_fini(&t->lock);
    free(t);
}

struct learnings *
failures_learnings(const struct failures *t)
{
    return t->learnings;
}

/* ---- Sessions ---- */

static char *
make_key(const char *tenant, const char *session)
{
    struct slice id = failure_cut(slice_of(session), KEY_MAX);

    return xasprintf("%s/%.*s", tenant, (int)id.len, id.data);
}

/* The session, now the one that was used last; null if it is not there and not to be made. */
static struct session *
find_session(struct failures *t, const char *key, bool make) REQUIRES(LC_FAILURES)
{
    struct session *s;

    HASH_FIND_STR(t->sessions, key, s);
    if (s) {
        HASH_DEL(t->sessions, s);
    } else if (make) {
        if (HASH_COUNT(t->sessions) >= FAILURES_SESSIONS) {
            drop_session(t, t->sessions);
        }
        s = xcalloc(1, sizeof *s);
        s->key = xstrdup(key);
        s->tenant_len = strcspn(key, "/");
    }
    if (s) {
        HASH_ADD_KEYPTR(hh, t->sessions, s->key, strlen(s->key), s);
    }
    return s;
}

/* How many the ring holds. */
static size_t
kept(const struct session *s)
{
    return s->next < FAILURES_RING ? (size_t)s->next : FAILURES_RING;
}

/* The one put there 'back' before the newest. */
static struct entry *
entry_at(struct session *s, size_t back)
{
    return &s->ring[(s->next - 1 - back) % FAILURES_RING];
}

static void
put_failure(struct session *s, struct failure *failure)
{
    struct entry *entry = &s->ring[s->next++ % FAILURES_RING];

    failure_unref(entry->failure);
    *entry = (struct entry){.failure = failure};
}

/* ---- Telling ---- */

static json_t *
text_of(struct slice text, size_t characters)
{
    return json_text_slice(failure_cut(text, characters));
}

static void
put_time(json_t *out, const char *key, int64_t wall_ns)
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

static json_t *
failure_json(const struct failure *x, bool fixed, int64_t fixed_ns)
{
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
    put_time(out, "timestamp", x->wall_ns);
    json_put_bool(out, "fixed", fixed);
    if (fixed) {
        put_time(out, "fix_timestamp", fixed_ns);
    }
    return out;
}

static void
publish(struct failures *t, const char *topic, const struct failure_outcome *o, json_t *data)
{
    bus_publish(t->bus, &(struct bus_draft){.topic = topic,
                                            .tenant = o->tenant,
                                            .session_id = *o->session ? o->session : NULL,
                                            .source = "failures",
                                            .data = data});
}

/* ---- Recording ---- */

static char *
copy_cut(struct slice text, size_t characters)
{
    struct slice cut = failure_cut(text, characters);

    return xstrndup(cut.len ? cut.data : "", cut.len);
}

static struct failure *
make_failure(struct failures *t, const struct failure_outcome *o, enum failure_error error,
             struct slice line)
{
    struct failure *x = xcalloc(1, sizeof *x);

    atomic_init(&x->refs, 1);
    snprintf(x->id, sizeof x->id, "f-%s-%llu", t->run,
             (unsigned long long)atomic_fetch_add(&t->next_id, 1) + 1);
    x->error = error;
    x->task = failure_task_of(o->command, o->output);
    x->wall_ns = clock_wall(t->clock);
    x->mono_ns = clock_mono(t->clock);
    x->tool = copy_cut(slice_of(o->tool), KEY_MAX);
    x->message = line.len ? copy_cut(line, MESSAGE_MAX)
                          : xasprintf("exit code %lld", (long long)o->exit_code);
    x->preview = copy_cut(o->output, FAILURES_PREVIEW);
    x->agent_type = copy_cut(o->agent_type, KEY_MAX);
    x->command = copy_cut(o->command, COMMAND_MAX);
    x->cwd = copy_cut(o->cwd, COMMAND_MAX);
    x->session = copy_cut(slice_of(o->session), KEY_MAX);
    return x;
}

/* Marks the newest failure of that tool and kind that is not mended; a reference, or null. */
static struct failure *
claim(struct session *s, enum failure_task task, const char *tool, int64_t now_ns)
{
    for (size_t back = 0; s && back < kept(s); back++) {
        struct entry *entry = entry_at(s, back);
        if (!entry->fixed && entry->failure->task == task &&
            strcmp(entry->failure->tool, tool) == 0) {
            entry->fixed = true;
            entry->fixed_ns = now_ns;
            s->fixes++;
            s->learnings++;
            return failure_ref(entry->failure);
        }
    }
    return NULL;
}

/* In one line: what follows one another is parted by one blank. */
static void
add_flat(struct buf *out, struct slice text)
{
    bool blank = false;

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c <= ' ' || c == 0x7f) {
            blank = out->len > 0;
            continue;
        }
        if (blank) {
            buf_addc(out, ' ');
        }
        blank = false;
        buf_addc(out, (char)c);
    }
}

/* Who is to learn from it: checked before. */
static const char *
learner_of(const struct failure *x)
{
    return *x->agent_type ? x->agent_type : failure_task_learner(x->task);
}

static json_t *
solution_of(const struct failures *t, const struct failure *x, const struct failure_outcome *o,
            struct slice success)
{
    struct buf out = BUF_INIT;
    int64_t seconds = (clock_mono(t->clock) - x->mono_ns) / 1000000000;
    json_t *json;

    buf_addf(&out, "After %lld s '", (long long)(seconds > 0 ? seconds : 0));
    add_flat(&out, failure_cut(o->command.len ? o->command : slice_of(o->tool), PROBLEM_MAX));
    buf_adds(&out, "' succeeded");
    if (success.len) {
        buf_adds(&out, ": ");
        add_flat(&out, success);
    }
    if (o->note.len) {
        buf_adds(&out, ". Note: ");
        add_flat(&out, failure_cut(o->note, NOTE_MAX));
    }
    json = json_text_slice(buf_slice(&out));
    buf_fini(&out);
    return json;
}

static json_t *
learning_of(const struct failures *t, const struct failure *x, const struct failure_outcome *o,
            const json_t *fix)
{
    json_t *learning = json_must(json_object()), *problem;
    struct buf text = BUF_INIT;

    buf_addf(&text, "%s failed: ", failure_task_title(x->task));
    add_flat(&text, failure_cut(slice_of(x->message), PROBLEM_MAX));
    problem = json_text_slice(buf_slice(&text));
    buf_fini(&text);
    json_put_text(learning, "category", failure_category(x->error, x->task));
    json_put(learning, "problem", problem);
    json_put(learning, "solution", solution_of(t, x, o, failure_cut(o->output, PROBLEM_MAX)));
    json_put_text(learning, "target", learner_of(x));
    json_put(learning, "context",
             json_pack("{s:s, s:s, s:s}", "task_type", failure_task_type(x->task), "tool_name",
                       x->tool, "command", x->command));
    json_put_text(learning, "error_type", failure_error_type(x->error));
    json_put_text(learning, "failure", x->id);
    json_put(learning, "fix", json_clone(json_object_get(fix, "success_message")));
    put_time(learning, "timestamp", clock_wall(t->clock));
    return learning;
}

static void
tell_fix(struct failures *t, const struct failure_outcome *o, const struct failure *x,
         struct failure_result *result)
{
    struct fault why = FAULT_INIT;

    result->kind = FAILURE_MENDED;
    result->fix = json_must(json_object());
    json_put_text(result->fix, "task_type", failure_task_type(x->task));
    json_put_text(result->fix, "tool_name", x->tool);
    json_put(result->fix, "success_message", text_of(o->output, FAILURES_PREVIEW));
    put_time(result->fix, "timestamp", clock_wall(t->clock));
    json_put_text(result->fix, "failure", x->id);
    result->learning = learning_of(t, x, o, result->fix);
    publish(t, "failure.fixed", o, json_clone(result->fix));
    if (learnings_add(t->learnings, o->tenant, learner_of(x), result->learning, &why) != E_OK) {
        log_warn_rl("a lesson is not kept", F_STR("target", learner_of(x)), F_STR("why", why.text));
    }
    publish(t, "failure.learning", o, json_clone(result->learning));
}

static void
record_success(struct failures *t, const struct failure_outcome *o, struct failure_result *result)
{
    enum failure_task task = failure_task_of(o->command, o->output);
    char *key = make_key(o->tenant, o->session), *tool = copy_cut(slice_of(o->tool), KEY_MAX);
    int64_t now_ns = clock_wall(t->clock);
    struct failure *mended;

    LOCK(FAILURES, &t->lock);
    mended = claim(find_session(t, key, false), task, tool, now_ns);
    UNLOCK(FAILURES, &t->lock);
    if (mended) {
        tell_fix(t, o, mended, result);
        failure_unref(mended);
    }
    free(tool);
    free(key);
}

static void
record_failure(struct failures *t, const struct failure_outcome *o, enum failure_error error,
               struct slice line, struct failure_result *result)
{
    struct failure *x = make_failure(t, o, error, line);
    char *key = make_key(o->tenant, o->session);

    result->kind = FAILURE_FAILED;
    result->failure = failure_json(x, false, 0);
    LOCK(FAILURES, &t->lock);
    put_failure(find_session(t, key, true), x);
    UNLOCK(FAILURES, &t->lock);
    publish(t, "failure.detected", o, json_clone(result->failure));
    free(key);
}

enum err
failures_record(struct failures *t, const struct failure_outcome *outcome,
                struct failure_result *result, struct fault *f)
{
    struct slice line;
    enum failure_error error = failure_detect(outcome->output, outcome->exit_code, &line);

    *result = (struct failure_result){.kind = FAILURE_NOTHING};
    if (outcome->agent_type.len) {
        char *target = xstrndup(outcome->agent_type.data, outcome->agent_type.len);
        bool valid = learnings_target_valid(target);
        free(target);
        if (!valid) {
            fault_set(f, E_ARGUMENT, "context.agent_type is no name of who learns");
            return fault_remedy(f, "use letters, digits, '-' and '_', 64 at most, as qa");
        }
    }
    if (error == FAILURE_ERROR_NONE) {
        record_success(t, outcome, result);
    } else {
        record_failure(t, outcome, error, line, result);
    }
    return E_OK;
}

void
failure_result_fini(struct failure_result *result)
{
    json_decref(result->failure);
    json_decref(result->fix);
    json_decref(result->learning);
    *result = (struct failure_result){.kind = FAILURE_NOTHING};
}

/* ---- Looking ---- */

static bool
is_asked_for(const struct session *s, const char *tenant, const char *key)
{
    if (key) {
        return strcmp(s->key, key) == 0;
    }
    return !tenant ||
           (strlen(tenant) == s->tenant_len && strncmp(s->key, tenant, s->tenant_len) == 0);
}

static int
newest_first(const void *a, const void *b)
{
    const struct failure *x = ((const struct entry *)a)->failure;
    const struct failure *y = ((const struct entry *)b)->failure;

    if (x->mono_ns != y->mono_ns) {
        return x->mono_ns < y->mono_ns ? 1 : -1;
    }
    return strlen(x->id) != strlen(y->id) ? (strlen(x->id) < strlen(y->id) ? 1 : -1)
                                          : -strcmp(x->id, y->id);
}

/* References to all that are asked for, newest first, new; '*count' at most the limit. */
static struct entry *
take(struct failures *t, const struct failure_query *q, size_t *count)
{
    char *key = q->session ? make_key(q->tenant, q->session) : NULL;
    struct entry *all = xcalloc(FAILURES_RING * FAILURES_SESSIONS, sizeof *all);
    size_t n = 0;

    LOCK(FAILURES, &t->lock);
    for (struct session *s = t->sessions; s; s = s->hh.next) {
        size_t have = is_asked_for(s, q->tenant, key) ? kept(s) : 0, taken = 0;
        for (size_t back = 0; back < have && taken < q->limit; back++) {
            struct entry *entry = entry_at(s, back);
            if (!q->unfixed || !entry->fixed) {
                all[n] = *entry;
                failure_ref(all[n++].failure);
                taken++;
            }
        }
    }
    UNLOCK(FAILURES, &t->lock);
    free(key);
    qsort(all, n, sizeof *all, newest_first);
    for (size_t i = q->limit; i < n; i++) {
        failure_unref(all[i].failure);
    }
    *count = n < q->limit ? n : q->limit;
    return all;
}

json_t *
failures_list(struct failures *t, const struct failure_query *query)
{
    json_t *list = json_must(json_array());
    size_t count;
    struct entry *all = take(t, query, &count);

    for (size_t i = 0; i < count; i++) {
        json_add(list, failure_json(all[i].failure, all[i].fixed, all[i].fixed_ns));
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
analysis_of(const struct entry *entry)
{
    const struct failure *x = entry->failure;
    json_t *out = json_must(json_object()), *cause;
    struct buf text = BUF_INIT;
    struct slice file;
    unsigned line;

    file = failure_file(slice_of(x->message), &line);
    if (file.len == 0) {
        file = failure_file(slice_of(x->preview), &line);
    }
    buf_adds(&text, advice[x->error].cause);
    buf_addc(&text, ' ');
    add_flat(&text, failure_cut(slice_of(x->message), FAILURES_PREVIEW));
    cause = json_text_slice(buf_slice(&text));
    buf_fini(&text);
    json_put_text(out, "task_id", x->id);
    json_put_text(out, "task_type", failure_task_type(x->task));
    json_put_text(out, "error_type", failure_error_type(x->error));
    json_put(out, "root_cause", cause);
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
    struct entry *all = take(t, query, &count);

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

size_t
failures_clear(struct failures *t, const char *tenant, const char *session)
{
    char *key = session ? make_key(tenant, session) : NULL;
    struct session *s, *next;
    size_t count = 0;

    LOCK(FAILURES, &t->lock);
    HASH_ITER(hh, t->sessions, s, next) {
        if (is_asked_for(s, tenant, key)) {
            count += kept(s);
            drop_session(t, s);
        }
    }
    UNLOCK(FAILURES, &t->lock);
    free(key);
    return count;
}

struct failure_stats
failures_stats(struct failures *t, const char *tenant, const char *session)
{
    char *key = session ? make_key(tenant, session) : NULL;
    struct failure_stats stats = {.failures = 0};

    LOCK(FAILURES, &t->lock);
    for (struct session *s = t->sessions; s; s = s->hh.next) {
        if (!is_asked_for(s, tenant, key)) {
            continue;
        }
        stats.sessions++;
        stats.fixes += s->fixes;
        stats.learnings += s->learnings;
        stats.failures += kept(s);
        for (size_t back = 0; back < kept(s); back++) {
            stats.fixed += entry_at(s, back)->fixed;
        }
    }
    UNLOCK(FAILURES, &t->lock);
    stats.unfixed = stats.failures - stats.fixed;
    free(key);
    return stats;
}

/* ---- Markdown ---- */

/* What a tool said stays text: nothing in it is markup. */
static void
add_escaped(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (strchr("\\`*_{}[]<>()#+!|~", *text)) {
            buf_addc(out, '\\');
        }
        buf_addc(out, *text == '\n' || *text == '\r' ? ' ' : *text);
    }
}

static void
add_lesson(struct buf *out, const json_t *lesson)
{
    static const struct {
        const char *key, *label;
    } rows[] = {{"problem", "**Problem:** "}, {"solution", "  **Solution:** "}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *text = json_string_value(json_object_get(lesson, rows[i].key));
        buf_adds(out, i ? "" : "- ");
        buf_adds(out, rows[i].label);
        add_escaped(out, text ? text : "");
        buf_adds(out, "\n");
    }
}

void
failures_markdown(struct buf *out, const char *target, const json_t *lessons)
{
    json_t *told = json_must(json_object());
    const json_t *lesson, *other;
    size_t i, j;

    buf_addf(out, "# What %s has learned\n", target);
    if (json_array_size(lessons) == 0) {
        buf_adds(out, "\nNothing yet: a failure that is mended becomes a lesson.\n");
    }
    json_array_foreach(lessons, i, lesson) {
        const char *category = json_string_value(json_object_get(lesson, "category"));
        category = category ? category : "General";
        if (json_object_get(told, category)) {
            continue;
        }
        json_put_bool(told, category, true);
        buf_adds(out, "\n## ");
        add_escaped(out, category);
        buf_adds(out, "\n\n");
        json_array_foreach(lessons, j, other) {
            const char *same = json_string_value(json_object_get(other, "category"));
            if (strcmp(same ? same : "General", category) == 0) {
                add_lesson(out, other);
            }
        }
    }
    json_decref(told);
}

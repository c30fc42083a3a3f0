/* failures.c -- what failed, and the pairing with what mended it.
 *
 * DESIGN.  A failure is immutable and counted; whether it is mended, and since when, stands beside
 * it, under the lock.  Who marks it there has it, and nobody else can: so a failure is mended at
 * most once, and lists are made from references, without the lock. */
#include "state/failures_private.h"

#include "state/base/json_put.h"
#include "state/base/log.h"
#include "state/base/random.h"
#include "state/bus.h"
#include "state/learnings.h"

#include <stdio.h>

LOG_MODULE("failures");

#define MESSAGE_MAX 500u
#define COMMAND_MAX 300u

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

void
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

struct failure *
failure_ref(struct failure *x)
{
    atomic_fetch_add_explicit(&x->refs, 1, memory_order_relaxed);
    return x;
}

UNSHARED void
failures_destroy(struct failures *t)
{
    if (!t) {
        return;
    }
    while (t->tenants) {
        failures_drop(t, t->tenants->sessions);
    }
    lock_fini(&t->lock);
    free(t);
}

struct learnings *
failures_learnings(const struct failures *t)
{
    return t->learnings;
}

/* ---- Recording ---- */

/* 'session' may be empty: of no session. */
static void
publish(struct failures *t, const char *topic, const char *tenant, const char *session,
        json_t *data)
{
    bus_publish(t->bus, &(struct bus_draft){.topic = topic,
                                            .tenant = tenant,
                                            .session_id = *session ? session : NULL,
                                            .source = "failures",
                                            .data = data});
}

char *
failure_copy(struct slice text, size_t characters)
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
    x->tool = failure_copy(slice_of(o->tool), FAILURE_NAME_MAX);
    x->message = line.len ? failure_copy(line, MESSAGE_MAX)
                          : xasprintf("exit code %lld", (long long)o->exit_code);
    x->preview = failure_copy(o->output, FAILURES_PREVIEW);
    x->agent_type = failure_copy(o->agent_type, FAILURE_NAME_MAX);
    x->command = failure_copy(o->command, COMMAND_MAX);
    x->cwd = failure_copy(o->cwd, COMMAND_MAX);
    x->session = failure_copy(slice_of(o->session), FAILURE_NAME_MAX);
    return x;
}

/* Marks the newest failure of that tool and kind that is not mended; a reference, or null. */
static struct failure *
claim(struct failure_session *s, enum failure_task task, const char *tool, int64_t now_ns)
{
    for (uint64_t back = 0; s && back < s->next - s->first; back++) {
        struct failure_entry *entry = failures_entry(s, back);

        if (!entry->fixed && entry->failure->task == task &&
            strcmp(entry->failure->tool, tool) == 0) {
            entry->fixed = true;
            entry->fixed_ns = now_ns;
            s->fixed++;
            s->fixes++;
            return failure_ref(entry->failure);
        }
    }
    return NULL;
}

/* Keeps the lesson and tells of it.  False if it is not kept. */
static bool
teach(struct failures *t, const struct failure_outcome *o, const struct failure *x,
      const json_t *lesson)
{
    struct fault why = FAULT_INIT;
    struct failure_session *s;

    if (learnings_add(t->learnings, o->tenant, failures_learner(x), lesson, &why) != E_OK) {
        log_warn_rl("a lesson is not kept", F_STR("target", failures_learner(x)),
                    F_STR("why", why.text));
        return false;
    }
    LOCK(FAILURES, &t->lock);
    s = failures_session(t, o->tenant, x->session);
    if (s) {
        s->learnings++;
    }
    UNLOCK(FAILURES, &t->lock);
    publish(t, "failure.learning", o->tenant, o->session, json_clone(lesson));
    return true;
}

static void
tell_fix(struct failures *t, const struct failure_outcome *o, const struct failure *x,
         struct failure_result *result)
{
    json_t *fix = json_must(json_object());

    result->kind = FAILURE_MENDED;
    result->fix = fix;
    json_put_text(fix, "task_type", failure_task_type(x->task));
    json_put_text(fix, "tool_name", x->tool);
    json_put(fix, "success_message", json_text_slice(failure_cut(o->output, FAILURES_PREVIEW)));
    failures_put_time(fix, "timestamp", clock_wall(t->clock));
    json_put_text(fix, "failure", x->id);
    result->learning = failures_lesson(t, x, o, fix);
    publish(t, "failure.fixed", o->tenant, o->session, json_clone(fix));
    if (!teach(t, o, x, result->learning)) {
        json_decref(result->learning); /* Whoever is told of one shall find it again. */
        result->learning = NULL;
    }
}

static void
record_success(struct failures *t, const struct failure_outcome *o, struct failure_result *result)
{
    enum failure_task task = failure_task_of(o->command, o->output);
    char *session = failure_copy(slice_of(o->session), FAILURE_NAME_MAX);
    char *tool = failure_copy(slice_of(o->tool), FAILURE_NAME_MAX);
    int64_t now_ns = clock_wall(t->clock);
    struct failure *mended;

    LOCK(FAILURES, &t->lock);
    mended = claim(failures_session(t, o->tenant, session), task, tool, now_ns);
    UNLOCK(FAILURES, &t->lock);
    if (mended) {
        tell_fix(t, o, mended, result);
        failure_unref(mended);
    }
    free(tool);
    free(session);
}

static void
record_failure(struct failures *t, const struct failure_outcome *o, enum failure_error error,
               struct slice line, struct failure_result *result)
{
    struct failure *x = make_failure(t, o, error, line);

    result->kind = FAILURE_FAILED;
    result->failure = failures_json(&(struct failure_entry){.failure = x});
    LOCK(FAILURES, &t->lock);
    failures_keep(t, o->tenant, x->session, x);
    UNLOCK(FAILURES, &t->lock);
    publish(t, "failure.detected", o->tenant, o->session, json_clone(result->failure));
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

/* ---- Forgetting ---- */

size_t
failures_clear(struct failures *t, const char *tenant, const char *session)
{
    char *id = session ? failure_copy(slice_of(session), FAILURE_NAME_MAX) : NULL;
    struct failure_tenant *of;
    struct failure_session *s, *next;
    size_t count = 0;

    LOCK(FAILURES, &t->lock);
    of = failures_tenant(t, tenant);
    for (s = of ? of->sessions : NULL; s; s = next) {
        next = s->hh.next; /* With the last one goes its tenant. */
        if (!id || strcmp(s->id, id) == 0) {
            count += s->next - s->first;
            failures_drop(t, s);
        }
    }
    UNLOCK(FAILURES, &t->lock);
    if (count) {
        json_t *data = json_must(json_object());
        json_put_int(data, "cleared", (int64_t)count);
        publish(t, "failure.cleared", tenant, id ? id : "", data);
    }
    free(id);
    return count;
}

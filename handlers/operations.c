/* operations.c -- one histogram a series, found by number. */
#include "handlers/operations.h"

#include "handlers/methods.h"
#include "handlers/tools.h"
#include "state/base/json_put.h"

/* Names only: whoever is asked what was counted need not know all tools. */
static const char *const tool_names[] = {
#define ROW(NAME, FILE) #NAME,
    TOOLS(ROW)
#undef ROW
};
static const char *const method_names[] = {
#define ROW(NAME, HANDLE, PREPARE, ERAS, SESSION, SCOPE, KIND) NAME,
    METHODS(ROW)
#undef ROW
        "_OTHER",
};
#define TOOLS_TOP (sizeof tool_names / sizeof tool_names[0])
#define METHODS_TOP (sizeof method_names / sizeof method_names[0])
/* A method that is no tool's call, or a tool. */
#define SUBJECTS (METHODS_TOP + TOOLS_TOP)

/* Made when it is first counted, as its series are: room for all would be 88 KB. */
struct subject {
    struct histogram *_Atomic series[TRANSPORT_COUNT][ERR_COUNT];
};

struct operations {
    struct subject *_Atomic subjects[SUBJECTS];
};

struct operations *
operations_create(void)
{
    return xcalloc(1, sizeof(struct operations));
}

void
operations_destroy(struct operations *o)
{
    for (size_t s = 0; o && s < SUBJECTS; s++) {
        struct subject *subject = atomic_load(&o->subjects[s]);

        for (size_t t = 0; subject && t < TRANSPORT_COUNT; t++) {
            for (size_t e = 0; e < ERR_COUNT; e++) {
                free(atomic_load(&subject->series[t][e]));
            }
        }
        free(subject);
    }
    free(o);
}

static size_t
subject_of(const struct request *req)
{
    size_t i = 0;

    if (req->entry) {
        return METHODS_TOP + tools_number(req->entry);
    }
    while (i < METHODS_TOP - 1 &&
           !(req->method && strcmp(method_names[i], req->method->name) == 0)) {
        i++;
    }
    return i;
}

static struct subject *
subject_at(struct operations *o, size_t i)
{
    struct subject *s = atomic_load_explicit(&o->subjects[i], memory_order_acquire);

    if (!s) {
        struct subject *made = xcalloc(1, sizeof *made);

        if (atomic_compare_exchange_strong(&o->subjects[i], &s, made)) {
            s = made;
        } else {
            free(made);
        }
    }
    return s;
}

/* A series, or null if it was never counted. */
static const struct histogram *
counted(const struct operations *o, size_t i, size_t transport, size_t err)
{
    const struct subject *s = atomic_load(&o->subjects[i]);

    return s ? atomic_load(&s->series[transport][err]) : NULL;
}

static struct histogram *
series_of(struct operations *o, size_t subject, enum transport_kind transport, enum err err)
{
    struct histogram *_Atomic *at = &subject_at(o, subject)->series[transport][err];
    struct histogram *h = atomic_load_explicit(at, memory_order_acquire);

    if (!h) {
        struct histogram *made = xcalloc(1, sizeof *made);

        if (atomic_compare_exchange_strong(at, &h, made)) {
            h = made;
        } else {
            free(made);
        }
    }
    return h;
}

void
operations_count(struct operations *o, const struct request *req, enum err err, int64_t now_ns)
{
    if (!err && req->tool_failed) {
        err = req->fault.code;
    }
    histogram_add(series_of(o, subject_of(req), req->env.transport, err), now_ns - req->started_ns);
}

/* ---- What was counted ---- */

void
operations_expose(const struct operations *o, struct exposition *e)
{
    static const char *const networks[] = {"pipe", "tcp", "tcp"};
    static const char *const protocols[] = {NULL, "http", "websocket"};

    exposition_family(e, "mcp_server_operation_duration_seconds", EXPOSITION_HISTOGRAM,
                      "How long requests and notifications took, from their first byte's reading "
                      "to their answer.");
    for (size_t s = 0; s < SUBJECTS; s++) {
        for (size_t t = 0; t < TRANSPORT_COUNT; t++) {
            for (size_t err = 0; err < ERR_COUNT; err++) {
                const struct histogram *h = counted(o, s, t, err);
                struct histogram_reading r = {.count = 0};
                const struct exposition_label labels[] = {
                    {"mcp_method_name", s < METHODS_TOP ? method_names[s] : "tools/call"},
                    {"gen_ai_tool_name", s < METHODS_TOP ? NULL : tool_names[s - METHODS_TOP]},
                    {"network_transport", networks[t]},
                    {"network_protocol_name", protocols[t]},
                    {"error_type", err ? err_info((enum err)err)->code : NULL},
                    {NULL, NULL},
                };

                if (h) {
                    histogram_read(h, &r);
                    exposition_histogram(e, labels, &r);
                }
            }
        }
    }
}

static json_t *
milliseconds(double ns)
{
    return ns < 0 ? json_null() : json_must(json_real(ns / 1e6));
}

/* What is known of a subject; null if it was never counted. */
static json_t *
summary(const struct operations *o, size_t subject)
{
    struct histogram_reading all = {.count = 0};
    uint64_t good = 0;
    json_t *told;

    for (size_t t = 0; t < TRANSPORT_COUNT; t++) {
        for (size_t err = 0; err < ERR_COUNT; err++) {
            const struct histogram *h = counted(o, subject, t, err);
            uint64_t before = all.count;

            if (h) {
                histogram_read(h, &all);
                good += err ? 0 : all.count - before;
            }
        }
    }
    if (!all.count) {
        return NULL;
    }
    told = json_must(json_object());
    json_put_int(told, "calls", (int64_t)all.count);
    json_put_int(told, "errors", (int64_t)(all.count - good));
    json_put(told, "mean_ms", milliseconds((double)all.sum_ns / (double)all.count));
    json_put(told, "p50_ms", milliseconds(histogram_percentile(&all, 50)));
    json_put(told, "p95_ms", milliseconds(histogram_percentile(&all, 95)));
    json_put(told, "p99_ms", milliseconds(histogram_percentile(&all, 99)));
    return told;
}

json_t *
operations_tools(const struct operations *o)
{
    json_t *told = json_must(json_object());

    for (size_t i = 0; i < TOOLS_TOP; i++) {
        json_t *one = summary(o, METHODS_TOP + i);

        if (one) {
            json_put(told, tool_names[i], one);
        }
    }
    return told;
}

json_t *
operations_methods(const struct operations *o)
{
    json_t *told = json_must(json_object());

    for (size_t i = 0; i < METHODS_TOP; i++) {
        json_t *one = summary(o, i);

        if (one) {
            json_put(told, method_names[i], one);
        }
    }
    return told;
}

/* failures_lesson.c -- what a failure and the success that mended it teach. */
#include "state/failures_private.h"

#include "state/base/json_put.h"

#define NOTE_MAX 500u

void
failures_add_flat(struct buf *out, struct slice text)
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

const char *
failures_learner(const struct failure *x)
{
    return *x->agent_type ? x->agent_type : failure_task_learner(x->task);
}

static json_t *
solution_of(const struct failures *t, const struct failure *x, const struct failure_outcome *o,
            struct slice success)
{
    struct buf out = BUF_INIT;
    int64_t seconds = (clock_mono(t->clock) - x->mono_ns) / 1000000000;

    buf_addf(&out, "After %lld s '", (long long)(seconds > 0 ? seconds : 0));
    failures_add_flat(
        &out, failure_cut(o->command.len ? o->command : slice_of(o->tool), FAILURE_PROBLEM_MAX));
    buf_adds(&out, "' succeeded");
    if (success.len) {
        buf_adds(&out, ": ");
        failures_add_flat(&out, success);
    }
    if (o->note.len) {
        buf_adds(&out, ". Note: ");
        failures_add_flat(&out, failure_cut(o->note, NOTE_MAX));
    }
    return json_text_of(&out);
}

json_t *
failures_lesson(const struct failures *t, const struct failure *x, const struct failure_outcome *o,
                const json_t *fix)
{
    json_t *learning = json_must(json_object());
    struct buf text = BUF_INIT;

    buf_addf(&text, "%s failed: ", failure_task_title(x->task));
    failures_add_flat(&text, failure_cut(slice_of(x->message), FAILURE_PROBLEM_MAX));
    json_put_text(learning, "category", failure_category(x->error, x->task));
    json_put(learning, "problem", json_text_of(&text));
    json_put(learning, "solution",
             solution_of(t, x, o, failure_cut(o->output, FAILURE_PROBLEM_MAX)));
    json_put_text(learning, "target", failures_learner(x));
    json_put(learning, "context",
             json_pack("{s:s, s:s, s:s}", "task_type", failure_task_type(x->task), "tool_name",
                       x->tool, "command", x->command));
    json_put_text(learning, "error_type", failure_error_type(x->error));
    json_put_text(learning, "failure", x->id);
    json_put(learning, "fix", json_clone(json_object_get(fix, "success_message")));
    failures_put_time(learning, "timestamp", clock_wall(t->clock));
    return learning;
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

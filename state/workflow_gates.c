/* workflow_gates.c -- gates by pack and phase, each version made once. */
#include "state/workflow_gates.h"

struct workflow_gates {
    struct slots *slots; /* Of struct gate. */
};

/* What a load needs from the caller who became the loader. */
struct wanted {
    const struct wf_content *content;
    int phase;
};

static enum err
load_gate(void *owner, const char *key, const char *version, void *arg, void **value,
          struct fault *f)
{
    const struct wanted *wanted = arg;
    struct gate *gate = NULL;
    enum err err = wf_content_gate(wanted->content, wanted->phase, &gate, NULL, f);

    (void)owner;
    (void)key;
    (void)version;
    *value = gate;
    return err;
}

static void
free_gate(void *value)
{
    gate_unref(value);
}

static const struct slots_class gate_slots = {"workflow_gates", load_gate, free_gate};

struct workflow_gates *
workflow_gates_create(void)
{
    struct workflow_gates *g = xcalloc(1, sizeof *g);

    g->slots = slots_create(&gate_slots, g, WORKFLOW_GATES_MAX);
    return g;
}

void
workflow_gates_destroy(struct workflow_gates *g)
{
    if (g) {
        slots_destroy(g->slots);
        free(g);
    }
}

enum err
workflow_gates_get(struct workflow_gates *g, const struct wf_content *content, int phase,
                   struct gate **gate, struct fault *f)
{
    struct wanted wanted = {content, phase};
    struct wf_gate_ref ref;
    struct slot_pin pin;
    enum err err = wf_content_gate_ref(content, phase, &ref, f);

    *gate = NULL;
    if (err) {
        return err;
    }
    err = slots_get(g->slots, ref.key, ref.version, &wanted, INT64_MAX, &pin, f);
    if (!err) {
        *gate = gate_ref(pin.value);
        slots_unpin(g->slots, &pin);
    }
    return err;
}

struct slots_counters
workflow_gates_counters(struct workflow_gates *g)
{
    return slots_counters(g->slots);
}

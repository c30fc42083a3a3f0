/* bench_gate.c -- what gates cost: reading one, deriving one, judging by one, and a hostile one.
 *
 * Prints one line a thing: microseconds, and the ratio to judging by a gate that checks nothing.
 * "make bench-gate" runs it from the root of the tree. */
#include "state/workflow_gate.h"

#include <stdio.h>
#include <time.h>

#define PACKS "tests/fixtures/praxis/workflows/"

static struct buf gate_text, phase_text;
static struct gate *permissive, *shipped, *rich, *hostile;
static json_t *evidence;

static const struct gate_context context = {.now = "2025-11-21T06:00:00Z"};

static double
now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static bool
judge(const struct gate *gate, bool passes)
{
    struct gate_result result;
    bool good = gate_evaluate(gate, evidence, &context, &result, NULL) == E_OK;

    good = good && result.passed == passes;
    gate_result_fini(&result);
    return good;
}

static bool
judge_permissive(void)
{
    return judge(permissive, true);
}

static bool
judge_shipped(void)
{
    return judge(shipped, true);
}

static bool
judge_rich(void)
{
    return judge(rich, true);
}

static bool
judge_hostile(void)
{
    return judge(hostile, false);
}

static bool
parse(void)
{
    struct gate *gate = NULL;
    bool good = gate_parse(buf_slice(&gate_text), "gate.yaml", &gate, NULL, NULL) == E_OK;

    gate_unref(gate);
    return good;
}

static bool
derive(void)
{
    struct gate_hints hints = {.phase_md = buf_slice(&phase_text)};
    struct gate *gate = NULL;
    bool good = gate_derive(&hints, &gate, NULL, NULL) == E_OK;

    gate_unref(gate);
    return good;
}

static bool
prepare(void)
{
    static const char rich_text[] =
        "checkpoint: {strict: true}\n"
        "evidence_schema:\n"
        "  out: {type: string, required: true, validator: contains_success}\n"
        "  n: {type: int, required: true, validator: 'lambda v: 0 < v <= 100'}\n"
        "  files: {type: list, validator: 'lambda v: all(f.endswith(\".c\") for f in v)'}\n"
        "cross_field_validation:\n"
        "  - rule: 'lambda e: re.search(str(e[\"n\"]) + \" passed\", e[\"out\"]) is not None'\n"
        "    error_message: n is not what out tells\n";
    static const char hostile_text[] =
        "checkpoint: {strict: true}\n"
        "evidence_schema:\n"
        "  n: {type: int, validator: 'lambda v: sum(i for i in range(999999999)) > v'}\n";
    struct dir *root = NULL;
    bool good = dir_open(".", false, &root, NULL) == E_OK &&
                dir_read(root, PACKS "spec_creation_v1/phases/0/gate-definition.yaml", 1 << 20,
                         &gate_text, NULL, NULL) == E_OK &&
                dir_read(root, PACKS "standards_creation_v1/phases/0/phase.md", 1 << 20,
                         &phase_text, NULL, NULL) == E_OK;

    dir_unref(root);
    permissive = gate_permissive();
    evidence = json_pack("{s:s, s:i, s:[s,s,s]}", "out", "12 passed in 0.5s", "n", 12, "files",
                         "a.c", "b.c", "c.c");
    return good && gate_parse(buf_slice(&gate_text), "gate.yaml", &shipped, NULL, NULL) == E_OK &&
           gate_parse(slice_of(rich_text), "gate.yaml", &rich, NULL, NULL) == E_OK &&
           gate_parse(slice_of(hostile_text), "gate.yaml", &hostile, NULL, NULL) == E_OK;
}

int
main(void)
{
    static const struct {
        const char *what;
        bool (*run)(void);
        unsigned times;
    } rows[] = {
        {"judge, permissive", judge_permissive, 20000},
        {"judge, shipped gate of 7 fields", judge_shipped, 5000},
        {"judge, 3 validators and a rule", judge_rich, 5000},
        {"judge, an expression that never ends", judge_hostile, 3},
        {"parse a shipped gate file", parse, 2000},
        {"derive from a phase.md", derive, 2000},
    };
    double base = 0;

    if (!prepare()) {
        fprintf(stderr, "bench_gate: run it from the root of the tree\n");
        return 1;
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double start = now_us(), each;
        for (unsigned n = 0; n < rows[i].times; n++) {
            if (!rows[i].run()) {
                fprintf(stderr, "bench_gate: %s went wrong\n", rows[i].what);
                return 1;
            }
        }
        each = (now_us() - start) / rows[i].times;
        base = i == 0 ? each : base;
        printf("%-40s %10.1f us %8.1f x\n", rows[i].what, each, each / base);
    }
    json_decref(evidence);
    gate_unref(permissive);
    gate_unref(shipped);
    gate_unref(rich);
    gate_unref(hostile);
    buf_fini(&gate_text);
    buf_fini(&phase_text);
    return 0;
}

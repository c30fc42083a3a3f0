/* fuzz_template.c -- any bytes as a template: filling it must end, in bounds, and without harm.
 *
 * Run by "make fuzz-template"; finds are kept in tests/fuzz/corpus/template. */
#include "state/workflow_template.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(CONDITION)                                                        \
    do {                                                                       \
        if (!(CONDITION)) {                                                    \
            fprintf(stderr, "fuzz_template: does not hold: %s\n", #CONDITION); \
            abort();                                                           \
        }                                                                      \
    } while (0)

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static json_t *values;
    struct wf_template *t = NULL;
    struct buf once = BUF_INIT, again = BUF_INIT;
    struct problems problems = PROBLEMS_INIT;
    struct fault f = FAULT_INIT;

    if (!values) {
        values =
            json_loads("{\"AB\": \"[CD]\", \"CD\": 4, \"a\": [1, {\"b\": [2, 3], \"text\": \"x\", "
                       "\"done\": true}, \"y\"], \"b\": \"{{a}}\", \"c\": null, \"d\": 0.5}",
                       0, NULL);
        MUST(values);
    }
    if (wf_template_parse((struct slice){(const char *)data, size}, "t", &t, &problems, &f)) {
        MUST(!t && f.text[0]);
    } else if (wf_template_render(t, values, &once, &problems, &f) == E_OK) {
        MUST(wf_template_render(t, values, &again, NULL, &f) == E_OK);
        MUST(slice_equal(buf_slice(&once), buf_slice(&again)));
    } else {
        MUST(f.text[0]);
    }
    wf_template_free(t);
    buf_fini(&once);
    buf_fini(&again);
    problems_fini(&problems);
    return 0;
}

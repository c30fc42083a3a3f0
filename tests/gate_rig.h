/* gate_rig.h -- gates that are loaded, and evidence that they judge. */
#ifndef TANDEM_TESTS_GATE_RIG_H
#define TANDEM_TESTS_GATE_RIG_H

#include "state/workflow_gate.h"

#define PACKS "tests/fixtures/praxis/workflows/"

extern const struct gate_context gate_rig_context; /* A time, and no workspace. */

char *gate_rig_read(const char *path);
json_t *gate_rig_json(const char *text);
/* Loads a gate that must load, with no more than 'warnings' warnings. */
struct gate *gate_rig_load(const char *text, size_t warnings);
/* Judges; returns whether it passed, and the public form in '*told' (may be null). */
bool gate_rig_judge_json(const struct gate *gate, json_t *evidence, json_t **told);
bool gate_rig_judge(const struct gate *gate, const char *evidence, json_t **told);
/* True if one of the texts under 'key' of the public form holds 'part'. */
bool gate_rig_tells(const json_t *told, const char *key, const char *part);
bool gate_rig_lists(const json_t *told, const char *key, const char *name);

#endif

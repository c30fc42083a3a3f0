/* workflow_gate.h -- the rule set that decides whether a phase's evidence is accepted.
 *
 * A gate is immutable and counted.  It comes from a gate file or a definition (tier 1), is derived
 * from what the phase itself says (tier 2), or is permissive because nothing was said (tier 3).
 * Judging is a pure function of gate and evidence: no lock, no state, no file but those that a file
 * validator looks for beneath the workspace.  Any thread may use one gate at once.
 *
 * DESIGN.  A gate that cannot be used is an error, never a pass.  What is wrong with an evidence is
 * told in two forms: the public one names the fields that failed and those that are missing, and
 * tells nothing of fields not yet tried; the diagnostic one holds everything, for the session's own
 * error log.  Leniency softens errors into warnings, with one exception: a human approval that the
 * gate demands is neither softened nor overridden. */
#ifndef TANDEM_WORKFLOW_GATE_H
#define TANDEM_WORKFLOW_GATE_H

#include "state/base/err.h"
#include "state/base/file.h"
#include "state/base/mem.h"
#include "state/base/problems.h"

#include <jansson.h>
#include <stdbool.h>

struct gate;
struct ynode;

/* Bounds of a gate, and of the evidence it judges. */
#define GATE_FIELDS_MAX 256u
#define GATE_VALIDATORS_MAX 256u
#define GATE_RULES_MAX 128u
#define GATE_EVIDENCE_BYTES_MAX (10u << 20) /* As compact JSON. */
#define GATE_EVIDENCE_DEPTH_MAX 32u
#define GATE_EVIDENCE_FIELDS_MAX 1000u  /* Members of the evidence itself. */
#define GATE_EVIDENCE_VALUES_MAX 50000u /* Values in it at all depths. */

/* Tier 1: parses the text of a gate-definition.yaml.  'file' names it in problems and errors,
 * relative to the pack.  Adds every problem, with its place, to 'problems' (may be null); warnings
 * do not make the gate unusable.  E_OK and a new reference in '*gate'; else '*gate' is null:
 * E_REFUSED, "gate unusable", with the place of the first error, E_TOO_LARGE, or E_OVERLOAD. */
enum err gate_parse(struct slice text, const char *file, struct gate **gate,
                    struct problems *problems, struct fault *fault);

/* Tier 1 from a YAML definition: 'node' is a phase's 'validation_gate' map (evidence_required,
 * human_approval_required, and optionally strict, default true, and allow_override).  Borrowed for
 * the call.  Every field named there is required unless it says otherwise.  Results as above. */
enum err gate_from_definition(const struct ynode *node, const char *file, struct gate **gate,
                              struct problems *problems, struct fault *fault);

/* What a phase without a gate of its own says about its evidence; each part may be empty. */
struct gate_hints {
    const char *const *criteria; /* Gate lines of a task list. */
    size_t criteria_count;
    struct slice phase_md;    /* Text of phase.md. */
    const json_t *checkpoint; /* The 'checkpoint' member of the phase's metadata. */
    const char *file;         /* Names phase.md in problems; may be null. */
};
/* Tier 2, else tier 3.  The first of these that names a field decides: criteria; a table with an
 * evidence and a type column; the checklist of the gate section; checkpoint.required_evidence.  The
 * gate is lenient and each field required; what cannot be understood is a warning in 'problems'. If
 * nothing names a field, '*gate' is the permissive gate.  E_OK; E_TOO_LARGE if phase_md is. */
enum err gate_derive(const struct gate_hints *hints, struct gate **gate, struct problems *problems,
                     struct fault *fault);

/* Tier 3: a new reference to a gate that accepts anything, and says so in a warning. */
struct gate *gate_permissive(void);

/* Takes a reference, and returns it. */
struct gate *gate_ref(struct gate *gate);
/* Null is ignored. */
void gate_unref(struct gate *gate);

/* "yaml" (a gate file), "definition", "derived" or "permissive"; borrowed for ever. */
const char *gate_source_name(const struct gate *gate);
bool gate_is_strict(const struct gate *gate);
/* True if the evidence must say human_approved: true. */
bool gate_needs_approval(const struct gate *gate);
size_t gate_field_count(const struct gate *gate);

/* What judging needs from outside; all borrowed for the call. */
struct gate_context {
    const struct dir *workspace; /* File checks resolve beneath it; null: they fail. */
    const char *now;             /* UTC, "2025-10-29T12:00:00Z". */
};

struct gate_result {
    bool passed;
    bool overridden;           /* It would have been refused, but a permitted override was given. */
    json_t *validation_result; /* The public form; owned.  Hand it to a client as it is. */
    json_t *diagnostic;        /* Everything; owned.  For the session's error log only. */
};
#define GATE_RESULT_INIT \
    {                    \
        .passed = false  \
    }

/* E_OK if 'evidence' (borrowed) is an object within the bounds above; else E_ARGUMENT.  The engine
 * may ask this before it takes a lock. */
enum err gate_check_evidence(const json_t *evidence, struct fault *fault);

/* Judges 'evidence' (borrowed).  E_OK, with 'result' filled for the caller to fini, whether it
 * passed or not; E_ARGUMENT if the evidence is no object or over a bound, E_OVERLOAD if there is no
 * memory to find out; 'result' is then empty.
 * Takes a bounded number of steps whatever the gate's expressions say: an expression that runs out
 * of its share has failed. */
enum err gate_evaluate(const struct gate *gate, const json_t *evidence,
                       const struct gate_context *context, struct gate_result *result,
                       struct fault *fault);
void gate_result_fini(struct gate_result *result);

/* The evidence as it is to be stored and judged: the override and the wrapping of the proof form
 * {"value", "command", "exit_code", "output"} removed.  New object. */
json_t *gate_plain_evidence(const json_t *evidence);
/* The command records found in the proof forms of 'evidence', for 'commands_executed': a new array
 * of {field, command, output, exit_code, executed_at, duration_ms}; a member that was not given is
 * null. Outputs over 16 KiB are cut, and say so in 'output_cut'. */
json_t *gate_commands(const json_t *evidence);

#endif

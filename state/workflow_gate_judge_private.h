/* workflow_gate_judge_private.h -- what judging an evidence and telling the outcome share. */
#ifndef TANDEM_WORKFLOW_GATE_JUDGE_PRIVATE_H
#define TANDEM_WORKFLOW_GATE_JUDGE_PRIVATE_H

#include "state/workflow_gate_private.h"

struct finding {
    const char *kind;
    bool warning; /* Else an error. */
    bool hard;    /* An error that neither leniency nor an override takes away. */
    char *text;   /* The public sentence; owned. */
    char *step;   /* What to do next, for an error; owned. */
    json_t *full; /* Everything; owned. */
};

struct judge {
    const struct gate *gate;
    const json_t *evidence; /* As submitted. */
    json_t *plain; /* Without wrappings; integral floats of integer fields made integers. */
    const struct gate_context *context;
    struct expr_budget budget;
    struct finding *findings;
    size_t count;
    json_t *missing, *failed; /* Names. */
    bool overridden;
    const char *reason;   /* Of the override; borrowed. */
    struct fault machine; /* For want of what nothing is known, if its code is not E_OK. */
};

/* The outcome, new: for who handed the evidence in, who may not learn the rules; and with all that
 * is known. */
json_t *judge_public_form(const struct judge *j, bool passed);
json_t *judge_full_form(const struct judge *j, bool passed);

#endif

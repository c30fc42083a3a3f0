/* workflow_validators.h -- the validators that a gate may name without defining them.
 *
 * A name is bound to its parameters when the gate is loaded, so that a wrong parameter is a gate
 * error and not a surprise in front of the agent.  Parameters come from validator_params, or stand
 * in the name: greater_than_0_85 is greater_than with 0.85 (an underscore between digits is a
 * decimal point).  A bound validator is immutable; any thread may use it. */
#ifndef TANDEM_WORKFLOW_VALIDATORS_H
#define TANDEM_WORKFLOW_VALIDATORS_H

#include "state/base/err.h"
#include "state/base/file.h"

#include <jansson.h>
#include <stdbool.h>

struct validator;

/* Binds the validator called 'name' to 'params' (borrowed; an object, or null for none) in
 * '*validator', new.  E_NOT_FOUND if there is none of that name; E_REFUSED if a parameter is
 * missing, unknown or of the wrong kind. */
enum err validator_bind(const char *name, const json_t *params, struct validator **validator,
                        struct fault *fault);
/* Null is ignored. */
void validator_free(struct validator *validator);

struct validator_context {
    const struct dir *workspace; /* File checks resolve beneath it; null: they fail. */
    uint64_t *steps;             /* What matching may take; what it took is taken off. */
};

/* Tells if 'value' (borrowed) holds; if not, 'why' says what was found; its code is E_OVERLOAD if
 * that could not be found out for want of memory. */
bool validator_check(const struct validator *validator, const json_t *value,
                     const struct validator_context *context, struct fault *why);

#endif

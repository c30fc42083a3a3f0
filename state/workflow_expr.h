/* workflow_expr.h -- the language of validators and cross-field rules: one Python lambda, no more.
 *
 *     lambda value, least: isinstance(value, list) and len(value) >= least
 *
 * Compiled once, when a gate is loaded; whatever is not in the language is refused there, with line
 * and column.  Evaluating has no side effects and cannot reach anything but its arguments: there
 * are no attributes, no imports, no names but parameters and a fixed list of functions.
 *
 * The language: literals (numbers, strings, True, False, None, lists, tuples, dicts); or, and, not;
 * chained comparisons, in, not in, is, is not; + - * / // %; a if c else b; indexing and slicing;
 * .get .keys .values .items .lower .upper .strip .startswith .endswith .split .isalnum .isdigit
 * .count .issubset; len str int float bool abs min max sum round sorted set list dict any all
 * isinstance enumerate zip range; re.match, re.search, re.fullmatch, yaml.safe_load; list
 * comprehensions and generators with one "for" and one optional "if".  It means what Python means,
 * but integers have 64 bits (more is an error), and tables and generators are built at once.
 *
 * Pure; a compiled expression may be used by many threads at once. */
#ifndef TANDEM_WORKFLOW_EXPR_H
#define TANDEM_WORKFLOW_EXPR_H

#include "state/base/err.h"
#include "state/base/mem.h"

#include <jansson.h>
#include <stdbool.h>

#define EXPR_BYTES_MAX 4096u /* Of the source. */
#define EXPR_DEPTH_MAX 32u   /* Of nesting. */
#define EXPR_PARAMS_MAX 16u

struct expr;

/* What evaluations may use up.  'steps' is shared by all that are given the same budget: each takes
 * off what it used.  'memory' holds for each one by itself. */
struct expr_budget {
    uint64_t steps;
    size_t memory; /* Bytes. */
};
#define EXPR_BUDGET_INIT                      \
    {                                         \
        .steps = 5000000, .memory = 32u << 20 \
    }

/* Compiles 'source' (borrowed for the call) into '*expr', new.  E_REFUSED with the place, or
 * E_TOO_LARGE over a bound. */
enum err expr_compile(struct slice source, struct expr **expr, struct fault *fault);
/* Null is ignored. */
void expr_free(struct expr *expr);

/* How many parameters the lambda has, at least 1, and their names, borrowed. */
unsigned expr_param_count(const struct expr *expr);
const char *expr_param_name(const struct expr *expr, unsigned i);
/* True if 'text' is one of the string literals in the expression. */
bool expr_mentions(const struct expr *expr, const char *text);

/* Evaluates with one argument for each parameter (borrowed; null stands for None) and tells in
 * '*holds' whether the result counts as true.  E_OK; E_REFUSED if an error was raised (a wrong
 * type, a missing key: the fault says it, '*holds' is false); E_LIMIT if the budget is used up;
 * E_OVERLOAD: no memory, so that nothing is known. */
enum err expr_test(const struct expr *expr, const json_t *const *args, struct expr_budget *budget,
                   bool *holds, struct fault *fault);

#endif

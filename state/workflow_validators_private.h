/* workflow_validators_private.h -- rows of named validators, shared by their checks and their
 * binding. */
#ifndef TANDEM_WORKFLOW_VALIDATORS_PRIVATE_H
#define TANDEM_WORKFLOW_VALIDATORS_PRIVATE_H

#include "state/base/mem.h"
#include "state/workflow_evidence.h"
#include "state/workflow_validators.h"

/* What a parameter is for; decides its kind, and the words it goes by. */
enum validator_param {
    P_NONE,
    P_LOW,      /* A number: the smallest that holds. */
    P_HIGH,     /* A number: the largest that holds. */
    P_EXPECTED, /* Any value. */
    P_TEXTS,    /* One or more texts. */
    P_PATTERN,  /* A regular expression. */
    P_FIELDS,   /* Names of members. */
    P_TYPE,     /* A type of evidence. */
    P_PATH      /* A path, or several, beneath the workspace. */
};

struct validator_row {
    const char *name;
    enum validator_param params[2];
    bool optional;            /* Parameters may be left out. */
    bool suffix;              /* Parameters may stand in the name, after an underscore. */
    bool suffix_only;         /* This row is for that form alone. */
    bool prefix;              /* The rest of the name is the parameter. */
    double low, high;         /* Bounds that no parameter sets. */
    bool low_open, high_open; /* The bound itself does not hold. */
    bool lists_only, folder;
    bool (*check)(const struct validator *v, const json_t *value,
                  const struct validator_context *context, struct fault *why);
};

struct validator {
    const struct validator_row *row;
    double low, high;
    json_t *expected;    /* Owned. */
    json_t *texts;       /* List of texts, or null; owned. */
    struct regex *regex; /* Owned. */
    char *word;          /* The suffix as written, or null; owned. */
    enum evidence_type type;
};

/* All rows; borrowed for ever. */
const struct validator_row *validator_rows(size_t *count);

/* True if the output of a command tells of success: a marker such as "passed" or a tick that is not
 * taken back by a "not" or a 0. */
bool output_tells_success(struct slice text);
/* True if it tells of an error: a marker such as "failed" or a cross, but "0 failed" and "errors:
 * 0". */
bool output_tells_error(struct slice text);

#endif

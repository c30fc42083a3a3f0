/* engine_rig.h -- a project with packs, the state on it, and calls of pos_workflow as a client
 * makes them. */
#ifndef TANDEM_TESTS_ENGINE_RIG_H
#define TANDEM_TESTS_ENGINE_RIG_H

#include "tests/fakes.h"
#include "tests/tree.h"

#include "state/workflow.h"

#include <jansson.h>

struct engine_rig {
    struct tree *tree; /* The project; packs in .tandem/workflows, sessions in .tandem/state. */
    struct dir *data;
    struct fake_clock clock;
    struct settings *settings;
    struct state_options options;
    struct state *state;
};

/* With the packs "strict" (three phases, gates that cannot be passed by claiming) and "open" (two
 * phases without gates).  Time stands still. */
void engine_rig_init(struct engine_rig *rig);
/* Ends the state and makes it again, as a restart would. */
void engine_rig_restart(struct engine_rig *rig);
void engine_rig_fini(struct engine_rig *rig);
/* Copies the packs and task lists of tests/fixtures/praxis into the project. */
void engine_rig_add_praxis(struct engine_rig *rig);

/* Calls the tool with arguments written as JSON (printf formats apply): the answer, new.  An answer
 * whose status is not what the call returned, that holds a path of this machine, or an error
 * without its members, fails the test; so it may be called by the main thread only. */
json_t *call(struct engine_rig *rig, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same from any thread, without the checks. */
json_t *call_plain(struct engine_rig *rig, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Starts a session and tells its id. */
void start_session(struct engine_rig *rig, const char *pack, const char *target, char id[37]);

/* Completes a phase of a session: whether the gate let it pass; and that it does, of "strict". */
bool passed_phase(struct engine_rig *rig, const char *id, int phase, const char *evidence);
void pass_phase(struct engine_rig *rig, const char *id, int phase);
/* Asserts that a call failed with 'type', and that its message has 'word'.  Returns the answer. */
json_t *expect_refused(json_t *answer, const char *type, const char *word);

/* The text or number of a member; "" or -1 if it is not there. */
const char *answer_text(const json_t *object, const char *key);
int answer_number(const json_t *object, const char *key);

/* The member that names a session, in arguments. */
#define IN(ID) "\"session_id\": \"" ID "\""
/* Evidence that passes a phase of the pack "strict". */
#define STRICT_EVIDENCE                                                                            \
    "{\"count\": 3, \"output\": {\"value\": \"12 passed, 0 failed\", \"command\": \"make test\", " \
    "\"exit_code\": 0, \"output\": \"12 passed, 0 failed\"}}"

#endif

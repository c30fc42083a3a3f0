/* fault_rig.h -- scenarios on a real server of which one call fails, and what must be true then.
 *
 * A scenario is a list of steps and a look at what it keeps on disk.  It is played once without a
 * fault, which tells how many calls there are and what the state is after each step; then once
 * more for each call, in a new project and a new process, with that call failing.  Then must be
 * true:
 *
 *   - a step is answered rightly, or with an error that says what and what next, or its connection
 *     is closed; or the process ends by mem.h's policy, telling so, or does not start, telling why;
 *   - the server answers the next plain request, or a new one does;
 *   - the state is that before or that after the step, and the step, done again, succeeds;
 *   - the server ends well, and the next one finds the same state, and no temporary file.
 *
 * One thread.  Nothing waits without an end. */
#ifndef TANDEM_TESTS_FAULT_RIG_H
#define TANDEM_TESTS_FAULT_RIG_H

#include "tests/fault_plan.h"
#include "tests/harness_http.h"

enum said {
    SAID_RIGHT,
    SAID_ERROR,   /* What and what next, as 'why' tells. */
    SAID_CLOSED,  /* Nothing: the connection is gone. */
    SAID_NOTHING, /* For too long. */
    SAID_WRONG,   /* 'why' tells. */
};

/* One run of a scenario. */
struct play {
    const struct scenario *scenario;
    struct server server;
    bool up; /* There is a process. */
    char root[HARNESS_ROOT];
    char id[64]; /* The scenario's: of what its first step made. */
    char why[1024];
};

/* A whole: with connections of its own.  A function, or one call by REST whose answer holds
 * 'text'. */
struct step {
    enum said (*play)(struct play *p);
    const char *tool, *body, *text;
};

#define SCENARIO_STEPS 6
struct scenario {
    const char *name;
    const char *const *args;               /* Of the server; ended by null. */
    bool from_start;                       /* Calls of the start are counted too. */
    void (*prepare)(struct play *p);       /* Makes files; null: there are none. */
    struct step steps[SCENARIO_STEPS + 1]; /* Ended by one of nothing. */
    /* Adds what is kept on disk, as plain requests tell it, without what differs between runs; null
     * for what is not kept. */
    enum said (*look)(struct play *p, struct buf *out);
};
extern const struct scenario fault_scenarios[];
extern const unsigned fault_scenario_count;

/* ---- For scenarios ---- */

/* One call by REST, 'body' JSON.  The answer, new, in '*answer', also that of an error. */
enum said play_call(struct play *p, const char *tool, const char *body, json_t **answer);
/* The same, checked to hold 'text'. */
enum said play_expect(struct play *p, const char *tool, const char *body, const char *text);
/* Any HTTP request, on a connection of its own; null 'body' for none.  'reply' is the caller's to
 * finish. */
enum said play_http(struct play *p, const char *method, const char *path, const char *headers,
                    const char *body, struct http_reply *reply);
/* What an answer says that should be a JSON-RPC result: right, or the error it is.  Steals
 * 'message', which may be null; the result, new, in '*result' if that is not null. */
enum said play_result(struct play *p, json_t *message, json_t **result);
/* SAID_WRONG, and why. */
enum said play_wrong(struct play *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Writes a file of the project, as a person would. */
void play_write(struct play *p, const char *path, const char *text);
/* Whether a file of the project is there, and holds 'text'. */
bool play_holds(const struct play *p, const char *path, const char *text);

/* How long a step may take: a wait past it is a hang. */
#define STEP_PATIENCE (40 * SECOND)

/* ---- For programs ---- */

/* Has the servers that are started from now on follow a plan, and returns it, for munmap(). */
struct fault_plan *faults_plan(void);

struct fault_options {
    enum fault_kind kind;
    const int *errors; /* Ended by 0. */
    unsigned points;   /* At most so many of each scenario, an error each, chosen as fault_points.h
                        * tells; 0: all, with all. */
    bool each;         /* Points are all calls, one by one; else the call paths that there are. */
    const char *scenario, *point; /* The only one; null: all. */
    unsigned long part, parts;    /* Of all points, the part-th of so many parts; 0: no parts. */
};
/* Plays the scenarios, prints a line for each and the figures, and returns how many findings there
 * were.  Arguments: [--all | --each [PART/PARTS]] [SCENARIO [POINT]]: all call paths, or each
 * single call, or a part of them, so that what takes long can be done in pieces; a point is named
 * as a finding names it.  FAULT_OFFSET=N in the environment: the N-th choice. */
unsigned faults_play(struct fault_options options, int argc, char **argv);

#endif

/* script.h -- what tests of a transport have in common that play dispatch themselves, by the first
 * word of each message: reading it, and answers, also those from threads that come late.
 *
 * Any thread may answer; a test's own thread sets and expects. */
#ifndef TANDEM_TESTS_SCRIPT_H
#define TANDEM_TESTS_SCRIPT_H

#include "state/base/sink.h"
#include "state/settings.h"
#include "tests/http_client.h"

#include <pthread.h>

/* Whether a message begins with that word. */
bool script_starts(struct slice message, const char *word);

/* Answers, which is the last that is done with 'sink'. */
void script_answer_with(struct sink *sink, const struct reply *reply);
void script_answer(struct sink *sink, int status, struct slice body);
/* So many bytes of 'x'. */
void script_answer_big(struct sink *sink, int status, size_t size);
/* Says something ahead of the answer. */
enum err script_say(struct sink *sink, const char *text);

/* Threads that have an answer each and do not end together. */
struct script_late {
    pthread_mutex_t mutex;
    pthread_cond_t none;
    unsigned running;
};
void script_late_init(struct script_late *late);
/* Answers on a thread of its own, after saying 'ahead' unless that is null.  'reply' and its body
 * are copied; what else it points to stays until the end. */
void script_answer_late(struct script_late *late, struct sink *sink, const char *ahead,
                        const struct reply *reply);
/* Waits until all have answered. */
void script_late_fini(struct script_late *late);

/* A setting, as an option has it. */
void script_set(struct settings *settings, enum setting setting, const char *text);
/* That a header has this value, "" for none. */
void script_expect_header(const struct response *r, const char *name, const char *value);

#endif

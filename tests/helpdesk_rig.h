/* helpdesk_rig.h -- a helpdesk of three documents, and what is asked of it. */
#ifndef TANDEM_TESTS_HELPDESK_RIG_H
#define TANDEM_TESTS_HELPDESK_RIG_H

#include "state/helpdesk.h"
#include "tests/fake_embedder.h"
#include "tests/fakes.h"
#include "tests/tree.h"

struct helpdesk_rig {
    struct tree *tree;
    struct fake_clock clock;
    struct fake_embedder embedder;
    struct helpdesk *helpdesk;
    bool words;
};

void helpdesk_rig_make(struct helpdesk_rig *r, unsigned indexes, size_t passages, bool required);
/* A helpdesk with three documents, nothing loaded. */
void helpdesk_rig_init(struct helpdesk_rig *r);
void helpdesk_rig_fini(struct helpdesk_rig *r);
struct helpdesk_asker helpdesk_rig_asker(const char *index);
enum err helpdesk_rig_ask_as(struct helpdesk_rig *r, const struct helpdesk_asker *asker,
                             const char *query, struct helpdesk_answer *answer, struct fault *f);
enum err helpdesk_rig_ask(struct helpdesk_rig *r, const char *index, const char *query,
                          struct helpdesk_answer *answer, struct fault *f);
const char *helpdesk_rig_source(const struct helpdesk_answer *answer, size_t i);
/* The source of the first hit. */
void helpdesk_rig_finds(struct helpdesk_rig *r, const char *index, const char *query,
                        const char *source);
/* What a question is told that cannot be answered. */
enum err helpdesk_rig_fails(struct helpdesk_rig *r, const char *index, const char *query,
                            struct fault *f);
enum err helpdesk_rig_reload(struct helpdesk_rig *r, const char *index, bool clear,
                             struct fault *f);
struct helpdesk_status helpdesk_rig_status(struct helpdesk_rig *r, const char *index);

#endif

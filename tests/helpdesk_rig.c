/* helpdesk_rig.c -- see helpdesk_rig.h. */
#include "tests/helpdesk_rig.h"

#include "state/helpdesk_profile.h"
#include "tests/check.h"

void
helpdesk_rig_make(struct helpdesk_rig *r, unsigned indexes, size_t passages, bool required)
{
    r->helpdesk =
        helpdesk_create(&(struct helpdesk_options){.place = {.root = tree_dir(r->tree),
                                                             .folder = "helpdesk",
                                                             .required = required,
                                                             .file_max = 1 << 20,
                                                             .passages_max = passages,
                                                             .words = r->words,
                                                             .embedder = &r->embedder.embedder},
                                                   .clock = &r->clock.clock,
                                                   .indexes = indexes});
}

void
helpdesk_rig_init(struct helpdesk_rig *r)
{
    *r = (struct helpdesk_rig){.tree = tree_create()};
    fake_clock_init(&r->clock);
    fake_embedder_init(&r->embedder, 64);
    tree_write(r->tree, "helpdesk/refunds.md", "# Refunds\n\nMoney comes back in ten days.\n");
    tree_write(r->tree, "helpdesk/passwords.md", "# Passwords\n\nReset them by mail.\n");
    tree_write(r->tree, "helpdesk/shared/deep/visas.md", "# Visas\n\nAsk the embassy.\n");
    helpdesk_rig_make(r, 8, 1000, false);
}

void
helpdesk_rig_fini(struct helpdesk_rig *r)
{
    helpdesk_destroy(r->helpdesk);
    fake_embedder_fini(&r->embedder);
    tree_destroy(r->tree);
}

struct helpdesk_asker
helpdesk_rig_asker(const char *index)
{
    return (struct helpdesk_asker){.tenant = "acme", .index = index, .deadline_ns = INT64_MAX};
}

enum err
helpdesk_rig_ask_as(struct helpdesk_rig *r, const struct helpdesk_asker *asker, const char *query,
                    struct helpdesk_answer *answer, struct fault *f)
{
    struct helpdesk_ask ask = {.query = slice_of(query)};

    helpdesk_search_init(&ask.search, PROFILE_NONE, true, false);
    return helpdesk_search(r->helpdesk, asker, &ask, answer, f);
}

enum err
helpdesk_rig_ask(struct helpdesk_rig *r, const char *index, const char *query,
                 struct helpdesk_answer *answer, struct fault *f)
{
    struct helpdesk_asker asker = helpdesk_rig_asker(index);

    return helpdesk_rig_ask_as(r, &asker, query, answer, f);
}

const char *
helpdesk_rig_source(const struct helpdesk_answer *answer, size_t i)
{
    return answer->index->passages[answer->hits.items[i].number].source;
}

void
helpdesk_rig_finds(struct helpdesk_rig *r, const char *index, const char *query, const char *source)
{
    struct helpdesk_answer answer;
    struct fault f = FAULT_INIT;

    if (helpdesk_rig_ask(r, index, query, &answer, &f) != E_OK) {
        fail_msg("%s", f.text);
    }
    CHECK(answer.hits.count > 0);
    CHECK_STR(helpdesk_rig_source(&answer, 0), source);
    helpdesk_release(&answer);
}

enum err
helpdesk_rig_fails(struct helpdesk_rig *r, const char *index, const char *query, struct fault *f)
{
    struct helpdesk_answer answer;
    enum err err;

    *f = (struct fault)FAULT_INIT;
    err = helpdesk_rig_ask(r, index, query, &answer, f);

    if (!err) {
        helpdesk_release(&answer);
    }
    return err;
}

enum err
helpdesk_rig_reload(struct helpdesk_rig *r, const char *index, bool clear, struct fault *f)
{
    struct helpdesk_asker asker = helpdesk_rig_asker(index);

    *f = (struct fault)FAULT_INIT;
    return helpdesk_reload(r->helpdesk, &asker, clear, f);
}

struct helpdesk_status
helpdesk_rig_status(struct helpdesk_rig *r, const char *index)
{
    struct helpdesk_status status;

    helpdesk_status(r->helpdesk, index, &status);
    return status;
}

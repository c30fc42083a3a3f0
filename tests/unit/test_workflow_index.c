/* test_workflow_index.c -- summaries of sessions, and news that come out of order. */
#include "tests/check.h"

#include "state/workflow_index.h"

#include <stdio.h>

static struct lock lock;
static const struct file_identity one = {1, 2, 3, 4}, other = {1, 2, 3, 5};

static struct session_summary *
summary(int n, const char *target, enum record_state state, int revision)
{
    struct session_summary *s = xcalloc(1, sizeof *s);

    atomic_init(&s->refs, 1);
    snprintf(s->id, sizeof s->id, "00000000-0000-4000-8000-%012d", n);
    s->pack = xstrdup("pack");
    s->target = xstrdup(target);
    s->created_at = xstrdup("");
    s->updated_at = xstrdup("");
    s->state = state;
    s->revision = revision;
    s->updated_ns = n;
    return s;
}

static size_t
count_of(struct workflow_index *ix, enum record_state state) REQUIRES(LC_WF_START)
{
    return workflow_index_counts(ix).by_state[state];
}

static void
finds_the_unfinished(void **state)
{
    struct workflow_index *ix = workflow_index_create();
    char id[RECORD_ID_SIZE];
    (void)state;

    LOCK(WF_START, &lock);
    CHECK(!workflow_index_unfinished(ix, "pack", "a", id));
    workflow_index_add(ix, summary(1, "a", RECORD_ACTIVE, 1));
    workflow_index_add(ix, summary(2, "a", RECORD_PAUSED, 1));
    workflow_index_add(ix, summary(3, "a", RECORD_COMPLETED, 1));
    workflow_index_add(ix, summary(4, "b", RECORD_ACTIVE, 1));
    CHECK(workflow_index_unfinished(ix, "pack", "a", id));
    CHECK_STR(id, "00000000-0000-4000-8000-000000000002");
    CHECK(!workflow_index_unfinished(ix, "pac", "a", id));
    CHECK(!workflow_index_unfinished(ix, "pack", "", id));
    workflow_index_update(ix, summary(2, "a", RECORD_COMPLETED, 2));
    CHECK(workflow_index_unfinished(ix, "pack", "a", id));
    CHECK_STR(id, "00000000-0000-4000-8000-000000000001");
    workflow_index_remove(ix, id);
    workflow_index_remove(ix, id);
    CHECK(!workflow_index_unfinished(ix, "pack", "a", id));
    CHECK_INT(workflow_index_counts(ix).all, 3);
    CHECK_INT(count_of(ix, RECORD_COMPLETED), 2);
    UNLOCK(WF_START, &lock);
    workflow_index_destroy(ix);
    workflow_index_destroy(NULL);
}

static void
late_news_do_not_count(void **state)
{
    struct workflow_index *ix = workflow_index_create();
    (void)state;

    LOCK(WF_START, &lock);
    workflow_index_add(ix, summary(1, "a", RECORD_ACTIVE, 1));
    workflow_index_update(ix, summary(1, "a", RECORD_COMPLETED, 3));
    workflow_index_update(ix, summary(1, "a", RECORD_ACTIVE, 2)); /* Overtaken. */
    workflow_index_add(ix, summary(1, "a", RECORD_ACTIVE, 2));
    CHECK_INT(count_of(ix, RECORD_COMPLETED), 1);
    workflow_index_remove(ix, "00000000-0000-4000-8000-000000000001");
    workflow_index_update(ix, summary(1, "a", RECORD_ACTIVE, 4)); /* Deleted meanwhile. */
    CHECK_INT(workflow_index_counts(ix).all, 0);
    UNLOCK(WF_START, &lock);
    workflow_index_destroy(ix);
}

static void
a_reading_learns_and_forgets(void **state)
{
    struct workflow_index *ix = workflow_index_create();
    struct session_summary **all;
    uint64_t reading, late;
    size_t n;
    (void)state;

    LOCK(WF_START, &lock);
    reading = workflow_index_begin(ix);
    CHECK(!workflow_index_known(ix, reading, "00000000-0000-4000-8000-000000000001", &one));
    workflow_index_found(ix, reading, &one, summary(1, "a", RECORD_ACTIVE, 5));
    workflow_index_found(ix, reading, &one, summary(2, "b", RECORD_ACTIVE, 5));
    workflow_index_add(ix, summary(3, "c", RECORD_ACTIVE, 1)); /* Made while we read. */
    workflow_index_end(ix, reading);
    CHECK_INT(workflow_index_counts(ix).all, 3);

    reading = workflow_index_begin(ix);
    CHECK(workflow_index_known(ix, reading, "00000000-0000-4000-8000-000000000001", &one));
    CHECK(!workflow_index_known(ix, reading, "00000000-0000-4000-8000-000000000001", &other));
    CHECK(!workflow_index_known(ix, reading, "00000000-0000-4000-8000-000000000003", &one));
    /* Restored from a copy: older, but that is what is there now. */
    workflow_index_found(ix, reading, &other, summary(1, "a", RECORD_PAUSED, 2));
    CHECK_INT(count_of(ix, RECORD_PAUSED), 1);
    /* Changed after the reading began, which comes with what was there before. */
    workflow_index_update(ix, summary(1, "a", RECORD_FAILED, 3));
    workflow_index_found(ix, reading, &one, summary(1, "a", RECORD_PAUSED, 2));
    CHECK_INT(count_of(ix, RECORD_FAILED), 1);
    late = workflow_index_begin(ix); /* A second reading overlaps, and sees all. */
    workflow_index_found(ix, late, &one, summary(2, "b", RECORD_ACTIVE, 5));
    workflow_index_found(ix, late, &one, summary(3, "c", RECORD_ACTIVE, 1));
    workflow_index_end(ix, reading); /* The first did not see 2 and 3, but they were seen since. */
    CHECK_INT(workflow_index_counts(ix).all, 3);
    workflow_index_end(ix, late); /* Did not see 1, which is as old as the first reading. */
    CHECK_INT(workflow_index_counts(ix).all, 2);
    all = workflow_index_all(ix, &n);
    CHECK_INT(n, 2);
    UNLOCK(WF_START, &lock);
    workflow_index_destroy(ix);
    for (size_t i = 0; i < n; i++) { /* They outlive the index. */
        CHECK_STR(all[i]->pack, "pack");
        session_summary_unref(all[i]);
    }
    free(all);
    session_summary_unref(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_unfinished),
        cmocka_unit_test(late_news_do_not_count),
        cmocka_unit_test(a_reading_learns_and_forgets),
    };
    int failed;

    lock_init(&lock, RANK_WF_START);
    failed = CHECK_RUN(tests);
    lock_fini(&lock);
    return failed;
}

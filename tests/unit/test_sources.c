/* From files to what is told: which lists, and which URIs, each once. */
#include "tests/check.h"

#include "state/base/mem.h"
#include "state/sources.h"
#include "state/uri.h"
#include "tests/tree.h"

#include <semaphore.h>
#include <stdlib.h>
#include <unistd.h>

/* Hears all lists, and each URI that begins with "tandem:" or "skill:". */
struct hearer {
    struct listener listener; /* First. */
    char *words[4000];        /* "PROMPTS", or a URI; under CHANGES. */
    size_t count;
    sem_t last; /* Posted when LAST is heard: no more will come of what was before. */
};
#define LAST "tandem://standard/zz-last.md"

static struct tree *tree;
static struct keeper *keeper;
static struct changes *changes;
static struct sources *sources;
static struct hearer hearer;
static unsigned edits;

static enum err
begin(struct listener *l, struct fault *f)
{
    (void)l, (void)f;
    return E_OK;
}

static enum told
tell(struct listener *l, enum change change, const char *name)
{
    static const char *const lists[] = {"TOOLS", "PROMPTS", "RESOURCES"};
    struct hearer *h = (struct hearer *)l;

    if (name && strcmp(name, LAST) == 0) {
        sem_post(&h->last);
    } else if (h->count < sizeof h->words / sizeof h->words[0]) {
        h->words[h->count++] = xstrdup(name ? name : lists[change]);
        if (name && strcmp(name, URI_STANDARD) == 0) {
            sem_post(&h->last); /* All of a kind at once is told last too. */
        }
    }
    return TOLD;
}

static void
over(struct listener *l)
{
    (void)l;
}

static const struct listener_class class = {begin, tell, over};

static bool
is_it(const struct listener *l, const void *arg)
{
    return l == arg;
}

static int
set_up(void **state)
{
    static const struct skill_source folders[] = {{SKILL_PROJECT, "d/skills"},
                                                  {SKILL_STANDARDS, "d/standards"},
                                                  {SKILL_PACK, "d/workflows"},
                                                  {SKILL_PACK, "old/workflows"}};
    struct fault f = FAULT_INIT;

    (void)state;
    tree = tree_create();
    tree_write(tree, "d/standards/zz-last.md", "");
    tree_mkdir(tree, "d/skills");
    tree_mkdir(tree, "d/workflows");
    if (keeper_start(&keeper, &f) != E_OK) {
        return -1;
    }
    changes = changes_create();
    files_settle(); /* What was just written is not to be taken for what comes. */
    sources = sources_start(
        &(struct sources_options){
            .keeper = keeper, .changes = changes, .workspace = tree_dir(tree), .folders = 100},
        folders, 4);
    sources_counters(sources); /* Once it is told, all has been looked at. */
    hearer = (struct hearer){.listener = {.class = &class, .kinds = 7}};
    sem_init(&hearer.last, 0, 0);
    listener_want(&hearer.listener, SLICE("tandem://pack/"), NULL);
    listener_want(&hearer.listener, SLICE("tandem://standard/"), NULL);
    listener_want(&hearer.listener, SLICE("tandem://session/"), NULL);
    listener_want(&hearer.listener, SLICE("skill://"), NULL);
    return changes_listen(changes, &hearer.listener, &f) == E_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    sources_stop(sources);
    sources_stop(NULL);
    changes_take(changes, is_it, &hearer.listener);
    changes_destroy(changes);
    keeper_stop(keeper);
    listener_fini(&hearer.listener);
    tree_destroy(tree);
    return 0;
}

struct deed {
    void (*run)(const char *arg);
    const char *arg;
};

static void
do_deed(void *arg)
{
    const struct deed *deed = arg;

    deed->run(deed->arg);
}

static void
do_nothing(void *arg)
{
    (void)arg;
}

static void
touch_last(const char *unused)
{
    char *text = xasprintf("%u", edits++);

    (void)unused;
    tree_write(tree, "d/standards/zz-last.md", text);
    free(text);
}

static int
compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Does it as one burst on the keeper's thread, and checks all that was told of it, sorted. */
static void
expect(void (*run)(const char *arg), const char *arg, const char *want)
{
    struct deed deed = {run, arg}, end = {touch_last, NULL};
    struct buf text = BUF_INIT;

    keeper_call(keeper, do_deed, &deed);
    keeper_call(keeper, do_deed, &end);
    while (sem_wait(&hearer.last) != 0) {
    }
    keeper_call(keeper, do_nothing, NULL); /* Behind what other trees tell of the burst. */
    changes_take(changes, is_it, &hearer.listener);
    if (hearer.count) {
        qsort(hearer.words, hearer.count, sizeof *hearer.words, compare);
    }
    for (size_t i = 0; i < hearer.count; i++) {
        /* Of the file that marks the end. */
        if (strncmp(hearer.words[i], "skill://standards/standards/", 28) != 0) {
            buf_addf(&text, "%s ", hearer.words[i]);
        }
        free(hearer.words[i]);
    }
    hearer.count = 0;
    if (strcmp(text.data ? text.data : "", want) != 0) {
        fail_msg("told   %s\nwanted %s", text.data ? text.data : "", want);
    }
    buf_fini(&text);
    CHECK_INT(changes_listen(changes, &hearer.listener, NULL), E_OK);
}

static void
write_it(const char *path)
{
    tree_write(tree, path, "text");
}

static void
remove_it(const char *path)
{
    tree_remove(tree, path);
}

static void
write_pack(const char *folder)
{
    static const char *const files[] = {"metadata.json", "phases/0/phase.md", "phases/0/task.md"};

    for (size_t i = 0; i < 3; i++) {
        char *path = xasprintf("%s/%s", folder, files[i]);
        tree_write(tree, path, "{}");
        free(path);
    }
}

#define PACK_SKILL "skill://packs/bug-fix-v1/"

static void
packs_change_both_lists(void **state)
{
    (void)state;
    expect(write_pack, "d/workflows/bug_fix_v1",
           "PROMPTS RESOURCES " PACK_SKILL "SKILL.md " PACK_SKILL "metadata.json " PACK_SKILL
           "phases/0/phase.md " PACK_SKILL "phases/0/task.md tandem://pack/bug_fix_v1 ");
    expect(write_it, "d/workflows/bug_fix_v1/phases/0/task.md",
           PACK_SKILL "SKILL.md " PACK_SKILL "phases/0/task.md tandem://pack/bug_fix_v1 ");
    expect(write_it, "d/workflows/bug_fix_v1/metadata.json",
           "PROMPTS RESOURCES " PACK_SKILL "SKILL.md " PACK_SKILL
           "metadata.json tandem://pack/bug_fix_v1 ");
    expect(write_it, "d/workflows/README.md", "");
    expect(write_it, "old/workflows/b a d/x",
           "PROMPTS RESOURCES skill://packs/b-a-d/SKILL.md "
           "skill://packs/b-a-d/x ");
    expect(remove_it, "d/workflows",
           "PROMPTS RESOURCES " PACK_SKILL "SKILL.md " PACK_SKILL "metadata.json " PACK_SKILL
           "phases/0/phase.md " PACK_SKILL "phases/0/task.md tandem://pack/bug_fix_v1 ");
}

static void
standards_and_skills_change_the_list_of_resources(void **state)
{
    (void)state;
    expect(write_it, "d/standards/on tests/a.md",
           "RESOURCES skill://standards/on-tests-standards/SKILL.md "
           "skill://standards/on-tests-standards/a.md tandem://standard/on%20tests/a.md ");
    expect(write_it, "d/standards/on tests/a.md",
           "skill://standards/on-tests-standards/SKILL.md "
           "skill://standards/on-tests-standards/a.md tandem://standard/on%20tests/a.md ");
    expect(write_it, "d/standards/on tests/data.csv",
           "skill://standards/on-tests-standards/SKILL.md "
           "skill://standards/on-tests-standards/data.csv ");
    expect(remove_it, "d/standards/on tests/a.md",
           "RESOURCES skill://standards/on-tests-standards/SKILL.md "
           "skill://standards/on-tests-standards/a.md tandem://standard/on%20tests/a.md ");
    expect(write_it, "d/skills/mine/SKILL.md", "RESOURCES skill://project/mine/SKILL.md ");
    expect(write_it, "d/skills/mine/more.md",
           "skill://project/mine/SKILL.md skill://project/mine/more.md ");
}

static void
tell_session(const char *id)
{
    sources_tell_session(changes, id, false);
    sources_tell_session(changes, "other", true);
}

static void
sessions_are_told_with_what_is_below_them(void **state)
{
    (void)state;
    changes_take(changes, is_it, &hearer.listener);
    listener_want(&hearer.listener, SLICE("tandem://session/s/phase/1"), NULL);
    CHECK_INT(changes_listen(changes, &hearer.listener, NULL), E_OK);
    expect(tell_session, "s",
           "RESOURCES tandem://session/other tandem://session/s tandem://session/s/phase/1 ");
    CHECK_INT(sources_counters(sources).trees, 4);
}

/* One file by very many names: the quickest to make. */
static void
write_very_many(const char *folder)
{
    int root = dir_fd(tree_dir(tree));

    for (unsigned i = 0; i <= WATCH_CHANGES_MAX; i++) {
        char *path = xasprintf("%s/%u/%u.md", folder, i % 7, i);

        if (i < 7) {
            tree_write(tree, path, "");
        } else if (linkat(root, "d/standards/zz-last.md", root, path, 0) != 0) {
            abort();
        }
        free(path);
    }
}

/* More than is told one by one: then each who wants one of the kind is told of that. */
static void
too_much_is_told_as_a_whole(void **state)
{
    (void)state;
    expect(write_very_many, "d/standards", "RESOURCES skill:// tandem://standard/ ");
}

int
main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(packs_change_both_lists),
        TEST(standards_and_skills_change_the_list_of_resources),
        TEST(sessions_are_told_with_what_is_below_them),
        TEST(too_much_is_told_as_a_whole),
    };
    return CHECK_RUN(tests);
}

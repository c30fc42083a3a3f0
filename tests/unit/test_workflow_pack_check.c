/* test_workflow_pack_check.c -- what "tandem check" tells of a pack. */
#include "tests/check.h"
#include "tests/tree.h"

#include "state/workflow_pack.h"

#define REAL "tests/fixtures/praxis/workflows"

static struct problems problems;

static void
check_dir(struct dir *root, const char *id)
{
    struct dir *dir = NULL;

    problems_fini(&problems);
    problems = (struct problems)PROBLEMS_INIT;
    CHECK(dir_sub(root, id, false, &dir, NULL) == E_OK);
    CHECK(pack_check(dir, id, &problems, NULL) == E_OK);
    dir_unref(dir);
}

static bool
found(enum problem_severity severity, const char *file, unsigned line, unsigned column,
      const char *text)
{
    for (size_t i = 0; i < problems.count; i++) {
        const struct problem *p = &problems.items[i];

        if (p->severity == severity && p->line == line && p->column == column &&
            strcmp(p->file ? p->file : "", file) == 0 && strstr(p->text, text)) {
            return true;
        }
    }
    for (size_t i = 0; i < problems.count; i++) {
        const struct problem *p = &problems.items[i];

        print_message("%s:%u:%u: %s\n", p->file ? p->file : "", p->line, p->column, p->text);
    }
    return false;
}

static void
real_packs_have_no_error(void **state)
{
    static const char *const ids[] = {"spec_creation_v1", "spec_execution_v1",
                                      "standards_creation_v1"};
    struct dir *root = NULL;

    (void)state;
    CHECK(dir_open(REAL, false, &root, NULL) == E_OK);
    for (size_t i = 0; i < 3; i++) {
        check_dir(root, ids[i]);
        for (size_t j = 0; j < problems.count; j++) {
            const struct problem *p = &problems.items[j];

            print_message("%s/%s:%u:%u: %s\n", ids[i], p->file ? p->file : "", p->line, p->column,
                          p->text);
        }
        CHECK_INT(problems.errors, 0);
    }
    dir_unref(root);
}

static void
every_problem_has_its_place(void **state)
{
    struct tree *t = tree_create();

    (void)state;
    tree_copy(t, REAL "/spec_execution_v1", "w");
    tree_write(t, "w/phases/0/gate-definition.yaml", "checkpoint:\n\tstrict: true\n");
    tree_write(t, "w/phases/dynamic/gate-definition.yaml", "evidence_schema: {}\n");
    tree_write(t, "w/phases/dynamic/phase-template.md", "\n{{#if x}}\n");
    tree_remove(t, "w/phases/dynamic/task-template.md");
    tree_remove(t, "w/phases/0/task-3-build-plan.md");
    tree_write(t, "w/phases/0/task-4-extra.md",
               "see [a](nowhere.md), [b](../../core/task-parser.md#x) and\n"
               "\xC3\xA4 [c](../../../other/x.md) [d](https://x.y/z) [e](/etc/passwd) [f](#g)\n"
               "```\n[g](nowhere.md)\n```\n[h](../0) [i]({name}.md) [j](task-1-locate-spec.md)\n");
    tree_write(t, "w/phases/0/task-2-parse-tasks.md", "\xFF");
    tree_write(t, "w/phases/0/phase.md", "```\nnever closed");
    tree_write(t, "w/supporting-docs/workflow-definition.yaml",
               "phases:\n  - number: 1\n    name: x\n    tasks: [{number: 1, name: y}]\n"
               "    validation_gate:\n      evidence_required:\n        a: {type: nonsense}\n");
    check_dir(tree_dir(t), "w");
    CHECK(found(PROBLEM_ERROR, "phases/0/gate-definition.yaml", 2, 1, ""));
    CHECK(problems.errors >= 6);
    CHECK(found(PROBLEM_WARNING, "phases/dynamic/phase-template.md", 2, 0, "never closed"));
    CHECK(found(PROBLEM_ERROR, "phases/dynamic/task-template.md", 0, 0, "has no file"));
    CHECK(found(PROBLEM_WARNING, "metadata.json", 53, 19, "there is no file"));
    CHECK(found(PROBLEM_WARNING, "phases/0/task-4-extra.md", 0, 0, "no entry lists this file"));
    CHECK(found(PROBLEM_WARNING, "phases/0/task-4-extra.md", 1, 9, "nowhere.md leads nowhere"));
    CHECK(found(PROBLEM_ERROR, "phases/0/task-4-extra.md", 2, 7, "leaves the workflow's folder"));
    CHECK(found(PROBLEM_ERROR, "phases/0/task-4-extra.md", 2, 51, "/etc/passwd leaves"));
    CHECK(found(PROBLEM_ERROR, "phases/0/task-2-parse-tasks.md", 0, 0, "not UTF-8"));
    CHECK(found(PROBLEM_WARNING, "phases/0/phase.md", 1, 0, "never closed"));
    CHECK(found(PROBLEM_ERROR, "supporting-docs/workflow-definition.yaml", 7, 19, ""));
    tree_destroy(t);
}

static void
links_to_links_are_errors(void **state)
{
    struct tree *t = tree_create();

    (void)state;
    tree_write(t, "w/metadata.json", "{}");
    tree_write(t, "secret.md", "s");
    tree_symlink(t, "../../../secret.md", "w/phases/0/out.md");
    tree_write(t, "w/phases/0/phase.md", "[a](out.md)");
    check_dir(tree_dir(t), "w");
    CHECK(found(PROBLEM_ERROR, "phases/0/phase.md", 1, 5, "leads nowhere"));
    tree_symlink(t, "../../secret.md", "w/phases/0/gate-definition.yaml");
    check_dir(tree_dir(t), "w");
    CHECK(found(PROBLEM_ERROR, "phases/0/gate-definition.yaml", 0, 0, ""));
    tree_destroy(t);
}

static void
metadata_that_cannot_be_read_is_one_problem(void **state)
{
    struct tree *t = tree_create();

    (void)state;
    tree_write(t, "bad name/metadata.json", "{\n ]");
    check_dir(tree_dir(t), "bad name");
    CHECK_INT(problems.count, 1);
    CHECK(found(PROBLEM_ERROR, "metadata.json", 2, 2, "not valid JSON"));
    tree_write(t, "bad name/metadata.json", "{}");
    tree_write(t, "bad name/phases/0/phase.md", "x");
    check_dir(tree_dir(t), "bad name");
    CHECK(found(PROBLEM_ERROR, "", 0, 0, "letters, digits"));
    tree_mkdir(t, "empty");
    check_dir(tree_dir(t), "empty");
    CHECK(found(PROBLEM_ERROR, "metadata.json", 0, 0, "has no metadata.json"));
    tree_destroy(t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_packs_have_no_error),
        cmocka_unit_test(every_problem_has_its_place),
        cmocka_unit_test(links_to_links_are_errors),
        cmocka_unit_test(metadata_that_cannot_be_read_is_one_problem),
    };
    int failed = CHECK_RUN(tests);

    problems_fini(&problems);
    return failed;
}

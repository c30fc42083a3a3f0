/* test_skills.c -- what is a skill, what its manifest says, and what only looks like one. */
#include "tests/check.h"

#include "state/skills.h"
#include "tests/fakes.h"
#include "tests/hostile.h"
#include "tests/threads.h"
#include "tests/tree.h"

#include <stdio.h>
#include <unistd.h>

#define PACK                                                                                   \
    "{\"name\":\"Demo [one]\",\"version\":\"1\",\"description\":\"Shows\\nhow.\",\"phases\":[" \
    "{\"phase_number\":0,\"phase_name\":\"First\",\"purpose\":\"To begin\","                   \
    "\"tasks\":[{\"task_number\":1,\"name\":\"Do (it)\",\"file\":\"task-1-do.md\"}]}]}"

static const struct skill_source sources[] = {
    {SKILL_PROJECT, ".tandem/skills"},
    {SKILL_STANDARDS, ".tandem/standards"},
    {SKILL_PACK, ".tandem/workflows"},
    {SKILL_PACK, ".praxis-os/workflows"},
};

struct world {
    struct tree *t;
    struct fake_clock clock;
    struct skills *s;
};

static void
open_world(struct world *w)
{
    w->t = tree_create();
    fake_clock_init(&w->clock); /* Long ago: every file is young, and none is kept. */
    w->s = skills_create(tree_dir(w->t), sources, 4, &w->clock.clock);
}

static void
close_world(struct world *w)
{
    skills_destroy(w->s);
    tree_destroy(w->t);
}

static struct skill *
load(struct world *w, const char *path)
{
    struct skill *skill = NULL;
    struct fault f = FAULT_INIT;
    enum err err = skills_load(w->s, slice_of(path), &skill, &f);

    if (err) {
        print_message("%s: %s\n", path, f.text);
    }
    CHECK_INT(err, E_OK);
    return skill;
}

static enum err
refusal(struct world *w, const char *path, struct fault *f)
{
    struct skill *skill = NULL;
    enum err err = skills_load(w->s, slice_of(path), &skill, f);

    CHECK(!skill);
    return err;
}

static enum err
read_path(struct world *w, const char *path, struct buf *out)
{
    buf_reset(out);
    return skills_read(w->s, slice_of(path), out, NULL);
}

static const char *
front(const struct skill *skill, const char *key)
{
    return json_string_value(json_object_get(skill->frontmatter, key));
}

static const struct skill_file *
file(const struct skill *skill, const char *path)
{
    for (size_t i = 0; i < skill->count; i++) {
        if (strcmp(skill->files[i].path, path) == 0) {
            return &skill->files[i];
        }
    }
    return NULL;
}

static void
nothing_is_no_skills(void **unused)
{
    struct world w;
    struct skill_paths paths;
    struct fault f = FAULT_INIT;

    (void)unused;
    open_world(&w);
    CHECK_INT(skills_find(w.s, &paths, NULL), E_OK);
    CHECK_INT(paths.count, 0);
    skill_paths_fini(&paths);
    CHECK_INT(refusal(&w, "packs/demo", &f), E_NOT_FOUND);
    tree_mkdir(w.t, ".tandem/standards");
    CHECK_INT(skills_find(w.s, &paths, NULL), E_OK);
    CHECK_INT(paths.count, 1);
    CHECK_STR(paths.paths[0], "standards/standards");
    skill_paths_fini(&paths);
    CHECK_INT(refusal(&w, "standards/standards", &f), E_NOT_FOUND);
    close_world(&w);
}

static void
a_pack_is_a_skill(void **unused)
{
    struct world w;
    struct skill *skill;
    struct buf text = BUF_INIT;

    (void)unused;
    open_world(&w);
    tree_write(w.t, ".tandem/workflows/Demo_One/metadata.json", PACK);
    tree_write(w.t, ".tandem/workflows/Demo_One/phases/0/phase.md",
               "Text\n```\n# No\n```\n# The \t phase\n");
    tree_write(w.t, ".tandem/workflows/Demo_One/phases/0/task-1-do.md", "# Do\n");
    tree_write(w.t, ".tandem/workflows/Demo_One/phases/0/gate-definition.yaml", "secret: rules\n");
    tree_write(w.t, ".tandem/workflows/Demo_One/.hidden", "no");
    tree_symlink(w.t, "metadata.json", ".tandem/workflows/Demo_One/link.json");
    skill = load(&w, "packs/demo-one");
    CHECK_STR(skill->path, "packs/demo-one");
    CHECK_STR(front(skill, "name"), "demo-one");
    CHECK(strstr(front(skill, "description"), "Shows how. (") == front(skill, "description"));
    CHECK_INT(skill->count, 4);
    CHECK_STR(skill->files[0].path, "SKILL.md");
    CHECK_STR(skill->files[1].path, "metadata.json");
    CHECK_STR(skill->files[2].path, "phases/0/phase.md");
    CHECK_STR(skill->files[2].title, "The phase");
    CHECK_STR(skill->files[3].path, "phases/0/task-1-do.md");
    CHECK_INT(skill->files[3].size, 5);
    CHECK_STR(skill->files[3].digest,
              "5383cbac49afb127bfc403145788ab8ce67ee81dcde40fb97c8c3611f0f15480");
    CHECK_INT(skill->files[0].size, skill->text_len);
    CHECK(strstr(skill->text, "# Demo [one]\n"));
    CHECK(strstr(skill->text, "\"workflow_type\":\"Demo_One\""));
    CHECK(strstr(skill->text,
                 "## Phase 0: First\n\nTo begin\n\n- Task 1: [Do (it)](phases/0/task-1-do.md)"));
    CHECK_INT(read_path(&w, "packs/demo-one/SKILL.md", &text), E_OK);
    CHECK_STR(text.data, skill->text);
    CHECK_INT(read_path(&w, "packs/demo-one/phases/0/task-1-do.md", &text), E_OK);
    CHECK_STR(text.data, "# Do\n");
    CHECK_INT(read_path(&w, "packs/demo-one/phases/0/gate-definition.yaml", &text), E_NOT_FOUND);
    buf_fini(&text);
    skill_free(skill);
    close_world(&w);
}

static void
a_folder_of_standards_is_a_skill(void **unused)
{
    struct world w;
    struct skill *skill;
    struct buf text = BUF_INIT;
    struct skill_paths paths;

    (void)unused;
    open_world(&w);
    tree_write(w.t, ".tandem/standards/a.md", "# Alpha\n");
    tree_write(w.t, ".tandem/standards/AI safety/b c.md", "# Beta\n");
    tree_write(w.t, ".tandem/standards/AI safety/deep/d.md", "no heading\n");
    tree_write_bytes(w.t, ".tandem/standards/AI safety/pixel.png", SLICE("\x89PNG\xFF"));
    CHECK_INT(skills_find(w.s, &paths, NULL), E_OK);
    CHECK_INT(paths.count, 2);
    CHECK_STR(paths.paths[0], "standards/ai-safety-standards");
    CHECK_STR(paths.paths[1], "standards/standards");
    skill_paths_fini(&paths);
    skill = load(&w, "standards/ai-safety-standards");
    CHECK_INT(skill->count, 4);
    CHECK(strstr(front(skill, "description"), "standards on AI safety"));
    CHECK(strstr(front(skill, "description"), ": Beta; deep/d.md."));
    CHECK(strstr(skill->text, "- [Beta](b%20c.md)\n- [deep/d.md](deep/d.md)\n"));
    CHECK(file(skill, "pixel.png"));
    skill_free(skill);
    CHECK_INT(read_path(&w, "standards/ai-safety-standards/pixel.png", &text), E_OK);
    CHECK_INT(text.len, 5);
    skill = load(&w, "standards/standards");
    CHECK_INT(skill->count, 2);
    CHECK_STR(skill->files[1].path, "a.md");
    skill_free(skill);
    CHECK_INT(read_path(&w, "standards/standards/a.md", &text), E_OK);
    CHECK_INT(read_path(&w, "standards/standards/AI safety/b c.md", &text), E_NOT_FOUND);
    buf_fini(&text);
    close_world(&w);
}

static void
a_skill_of_its_own_says_what_it_is(void **unused)
{
    struct world w;
    struct skill *skill;

    (void)unused;
    open_world(&w);
    tree_write(w.t, ".tandem/skills/my-skill/SKILL.md",
               "---\nname: my-skill\ndescription: Does it\nmetadata:\n  version: 1\n  on: "
               "yes\n---\n# X\n");
    tree_write(w.t, ".tandem/skills/my-skill/scripts/run.sh", "echo\n");
    tree_write(w.t, ".tandem/skills/none/README.md", "# No skill\n");
    /* A pack and a standard may bring theirs, too. */
    tree_write(w.t, ".tandem/workflows/demo/metadata.json", PACK);
    tree_write(
        w.t, ".tandem/workflows/demo/SKILL.md",
        "\xEF\xBB\xBF---\r\nname: \"demo\"\r\ndescription: >\r\n  Two\r\n  lines\r\n---\r\n");
    skill = load(&w, "project/my-skill");
    CHECK(!skill->text);
    CHECK_STR(front(skill, "description"), "Does it");
    CHECK_INT(json_integer_value(
                  json_object_get(json_object_get(skill->frontmatter, "metadata"), "version")),
              1);
    CHECK_INT(skill->count, 2);
    skill_free(skill);
    skill = load(&w, "packs/demo");
    CHECK(!skill->text);
    CHECK_STR(front(skill, "description"), "Two lines\n");
    skill_free(skill);
    CHECK_INT(refusal(&w, "project/none", NULL), E_NOT_FOUND);
    close_world(&w);
}

static void
a_broken_skill_is_none(void **unused)
{
    static const struct {
        const char *text;
        unsigned line;
    } cases[] = {
        {"", 1},
        {"# No front matter\n", 1},
        {"---\nname: x\ndescription: never ends\n", 1},
        {"---\nname: x\n---\n", 1},
        {"---\nname: x\ndescription: ''\n---\n", 1},
        {"---\nname: x\ndescription: [a]\n---\n", 1},
        {"---\ndescription: d\nname: other\n---\n", 3},
        {"---\nname: x\ndescription: d\nname: x\n---\n", 4},
        {"---\nname: x\ndescription: d\nsize: .inf\n---\n", 4},
        {"---\n- name\n---\n", 1},
        {" ---\nname: x\ndescription: d\n---\n", 1},
        {"---\nname: x\ndescription: caf\xE9\n---\n", 0},
    };
    struct world w;

    (void)unused;
    open_world(&w);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fault f = FAULT_INIT;

        tree_write(w.t, ".tandem/skills/x/SKILL.md", cases[i].text);
        CHECK_INT(refusal(&w, "project/x", &f), E_REFUSED);
        CHECK_INT(f.line, cases[i].line);
    }
    tree_write(w.t, ".tandem/workflows/bad/metadata.json", "{");
    CHECK_INT(refusal(&w, "packs/bad", NULL), E_REFUSED);
    close_world(&w);
}

static void
a_check_tells_what_is_wrong(void **unused)
{
    struct tree *t = tree_create();
    struct problems problems = PROBLEMS_INIT;

    (void)unused;
    skill_check(tree_dir(t), SKILL_PROJECT, "mine", &problems);
    CHECK_INT(problems.count, 0); /* It has none. */
    tree_write(t, "SKILL.md", "---\nname: mine-standards\ndescription: d\n---\n");
    skill_check(tree_dir(t), SKILL_STANDARDS, "Mine", &problems);
    CHECK_INT(problems.count, 0);
    skill_check(tree_dir(t), SKILL_PROJECT, "mine", &problems);
    CHECK_INT(problems.count, 1);
    CHECK_STR(problems.items[0].file, "SKILL.md");
    CHECK_INT(problems.items[0].line, 2);
    skill_check(tree_dir(t), SKILL_PROJECT, "___", &problems);
    CHECK_INT(problems.count, 2);
    CHECK_INT(problems.errors, 2);
    problems_fini(&problems);
    tree_destroy(t);
}

static void
what_is_named_badly_is_not_found(void **unused)
{
    static const char *const paths[] = {
        "",
        "/",
        "packs",
        "packs/",
        "packs//demo",
        "packs/demo/",
        "packs/demo/SKILL.md/x",
        "packs/demo/../demo/metadata.json",
        "packs/demo/./metadata.json",
        "packs/../packs/demo/metadata.json",
        "packs/demo/phases",
        "packs/demo/.hidden",
        "packs/demo/link.json",
        "packs/demo/out/secret.md",
        "packs/demo/back\\slash",
        "packs/demo/bad\xFF",
        "packs/demo/new\nline",
        "packs/Demo/metadata.json",
        "packs/linked/metadata.json",
        "workflows/demo/metadata.json",
        "project/out/SKILL.md",
    };
    struct world w;
    struct buf text = BUF_INIT;
    char *deep;

    (void)unused;
    open_world(&w);
    tree_write(w.t, ".tandem/workflows/demo/metadata.json", PACK);
    tree_write(w.t, ".tandem/workflows/demo/phases/0/phase.md", "# P\n");
    tree_write(w.t, ".tandem/workflows/demo/.hidden", "no");
    tree_write(w.t, ".tandem/workflows/demo/back\\slash", "no");
    tree_write(w.t, ".tandem/workflows/demo/bad\xFF", "no");
    tree_write(w.t, ".tandem/workflows/demo/new\nline", "no");
    tree_write(w.t, "out/secret.md", "secret");
    tree_write(w.t, "out/SKILL.md", "---\nname: out\ndescription: d\n---\n");
    tree_symlink(w.t, "metadata.json", ".tandem/workflows/demo/link.json");
    tree_symlink(w.t, "../../../out", ".tandem/workflows/demo/out");
    tree_symlink(w.t, "demo", ".tandem/workflows/linked");
    tree_mkdir(w.t, ".tandem/skills");
    tree_symlink(w.t, "../../out", ".tandem/skills/out");
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        CHECK_INT(read_path(&w, paths[i], &text), E_NOT_FOUND);
        CHECK_INT(text.len, 0);
    }
    deep = xasprintf("packs/demo/%02000d", 0);
    CHECK_INT(read_path(&w, deep, &text), E_NOT_FOUND);
    free(deep);
    {
        struct skill *skill = load(&w, "packs/demo");

        CHECK_INT(skill->count, 3); /* None of those is in the manifest. */
        skill_free(skill);
    }
    buf_fini(&text);
    close_world(&w);
}

struct race {
    struct world *world;
    _Atomic unsigned wrong;
};

/* Every traversal of the corpus, after each part of a path, to a file that is there. */
static void
no_path_leaves_the_skill(void **unused)
{
    static const char *const heads[] = {"", "packs/", "packs/demo/", "packs/demo/phases/0/",
                                        "packs/demo/phases/0/phase.md"};
    struct world w;
    struct buf lines = hostile_read("path/fuzzdb-traversals-8-deep.txt"), text = BUF_INIT;
    char *save = NULL;
    size_t count = 0;

    (void)unused;
    open_world(&w);
    tree_write(w.t, ".tandem/workflows/demo/metadata.json", PACK);
    tree_write(w.t, ".tandem/workflows/demo/phases/0/phase.md", "# P\n");
    tree_write(w.t, "secret.md", "secret");
    tree_write(w.t, ".tandem/secret.md", "secret");
    tree_write(w.t, ".tandem/workflows/secret.md", "secret");
    buf_addc(&lines, '\0');
    for (char *line = strtok_r(lines.data, "\r\n", &save); line;
         line = strtok_r(NULL, "\r\n", &save)) {
        char *file = strstr(line, "{FILE}");

        for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
            char *path = xasprintf("%s%.*s%s", heads[i], (int)(file ? file - line : 999), line,
                                   file ? "secret.md" : "");

            CHECK_INT(read_path(&w, path, &text), E_NOT_FOUND);
            CHECK_INT(text.len, 0);
            free(path);
        }
        count++;
    }
    CHECK(count > 500);
    buf_fini(&text);
    buf_fini(&lines);
    close_world(&w);
}

/* A file that is swapped for a link again and again is read as it was, or not at all. */
static void
swap(void *arg, unsigned number)
{
    struct race *race = arg;
    struct buf text = BUF_INIT;

    for (unsigned i = 0; i < 400; i++) {
        if (number == 0) {
            tree_remove(race->world->t, ".tandem/standards/t/a.md");
            if (i % 2) {
                tree_symlink(race->world->t, "../../../secret.md", ".tandem/standards/t/a.md");
            } else {
                tree_write(race->world->t, ".tandem/standards/t/a.md", "# A\n");
            }
            continue;
        }
        buf_reset(&text);
        if (skills_read(race->world->s, SLICE("standards/t-standards/a.md"), &text, NULL) == E_OK &&
            !slice_is(buf_slice(&text), "# A\n") && text.len) {
            atomic_fetch_add(&race->wrong, 1);
        }
    }
    buf_fini(&text);
}

static void
a_swapped_link_is_not_followed(void **unused)
{
    struct world w;
    struct race race = {.world = &w};

    (void)unused;
    open_world(&w);
    tree_write(w.t, "secret.md", "secret");
    tree_write(w.t, ".tandem/standards/t/a.md", "# A\n");
    tree_write(w.t, ".tandem/standards/t/b.md", "# B\n");
    threads_run(3, swap, &race);
    CHECK_INT(race.wrong, 0);
    close_world(&w);
}

static void
what_is_too_large_is_none(void **unused)
{
    struct world w;
    struct skill *skill;
    struct fault f = FAULT_INIT;
    char *big = malloc(SKILL_READ_MAX + 1);

    (void)unused;
    open_world(&w);
    tree_write(w.t, ".tandem/skills/many/SKILL.md", "---\nname: many\ndescription: d\n---\n");
    for (unsigned i = 1; i <= SKILL_FILES_MAX; i++) {
        char path[64];

        snprintf(path, sizeof path, ".tandem/skills/many/%u", i);
        if (i == SKILL_FILES_MAX) {
            skill = load(&w, "project/many"); /* As many as there may be. */
            CHECK_INT(skill->count, SKILL_FILES_MAX);
            skill_free(skill);
        }
        tree_write(w.t, path, "");
    }
    CHECK_INT(refusal(&w, "project/many", &f), E_TOO_LARGE);
    memset(big, 'x', SKILL_READ_MAX + 1);
    tree_write(w.t, ".tandem/skills/big/SKILL.md", "---\nname: big\ndescription: d\n---\n");
    for (unsigned i = 0; i < 3; i++) {
        char path[64];

        snprintf(path, sizeof path, ".tandem/skills/big/%u", i);
        tree_write_bytes(w.t, path, (struct slice){big, SKILL_READ_MAX});
    }
    skill = load(&w, "project/big");
    skill_free(skill);
    tree_write_bytes(w.t, ".tandem/skills/big/3", (struct slice){big, SKILL_READ_MAX});
    CHECK_INT(refusal(&w, "project/big", &f), E_TOO_LARGE); /* In all. */
    tree_remove(w.t, ".tandem/skills/big/3");
    tree_remove(w.t, ".tandem/skills/big/2");
    tree_write_bytes(w.t, ".tandem/skills/big/2", (struct slice){big, SKILL_READ_MAX + 1});
    CHECK_INT(refusal(&w, "project/big", &f), E_TOO_LARGE); /* One. */
    free(big);
    close_world(&w);
}

static void
names_follow_the_rules(void **unused)
{
    static const char *const folders[][2] = {
        {"a", "a-standards"},
        {"A_b--C", "a-b-c-standards"},
        {"_x_", "x-standards"},
        {"caf\xC3\xA9 1", "caf-1-standards"},
        {"...", NULL},
        {"___", NULL},
        {"1234567890123456789012345678901234567890123456789012345", NULL},
        {"123456789012345678901234567890123456789012345678901234",
         "123456789012345678901234567890123456789012345678901234-standards"},
        {"123456789012345678901234567890123456789012345678901_",
         "123456789012345678901234567890123456789012345678901-standards"},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        struct world w;
        struct skill_paths paths;
        char path[128], want[128];

        open_world(&w);
        snprintf(path, sizeof path, ".tandem/standards/%s/x.md", folders[i][0]);
        tree_write(w.t, path, "# X\n");
        CHECK_INT(skills_find(w.s, &paths, NULL), E_OK);
        CHECK_INT(paths.count, folders[i][1] ? 2 : 1);
        if (folders[i][1]) {
            snprintf(want, sizeof want, "standards/%s", folders[i][1]);
            CHECK(strcmp(paths.paths[0], want) == 0 || strcmp(paths.paths[1], want) == 0);
            CHECK(strlen(folders[i][1]) <= SKILL_NAME_MAX);
        }
        skill_paths_fini(&paths);
        close_world(&w);
    }
}

static void
the_first_of_two_counts(void **unused)
{
    struct world w;
    struct skill *skill;
    struct skill_paths paths;

    (void)unused;
    open_world(&w);
    tree_write(w.t, ".praxis-os/workflows/demo/metadata.json", PACK);
    tree_write(w.t, ".praxis-os/workflows/other/phases/0/phase.md", "");
    tree_write(w.t, ".praxis-os/workflows/demo/theirs.md", "");
    tree_write(w.t, ".praxis-os/workflows/other/metadata.json", PACK);
    tree_write(w.t, ".tandem/workflows/demo/metadata.json", PACK);
    tree_write(w.t, ".tandem/workflows/demo/phases/0/phase.md", "");
    tree_write(w.t, ".tandem/workflows/demo/ours.md", "");
    CHECK_INT(skills_find(w.s, &paths, NULL), E_OK);
    CHECK_INT(paths.count, 2);
    skill_paths_fini(&paths);
    skill = load(&w, "packs/demo");
    CHECK(file(skill, "ours.md"));
    CHECK(!file(skill, "theirs.md"));
    skill_free(skill);
    skill_free(load(&w, "packs/other"));
    close_world(&w);
}

static void
a_change_is_seen_and_the_rest_is_kept(void **unused)
{
    struct world w;
    struct skill *skill, *again;
    struct slots_counters c;

    (void)unused;
    open_world(&w);
    tree_write(w.t, ".tandem/standards/t/a.md", "# Alpha\n");
    tree_write(w.t, ".tandem/standards/t/b.md", "# Beta\n");
    skill = load(&w, "standards/t-standards");
    skill_free(load(&w, "standards/t-standards"));
    c = skills_counters(w.s);
    CHECK_INT(c.misses, 4); /* The files are young: read each time. */
    CHECK_INT(c.hits, 0);
    /* An hour later. */
    atomic_store(&w.clock.wall_ns, clock_wall(clock_real()) + 3600ll * 1000000000);
    skill_free(load(&w, "standards/t-standards"));
    skill_free(load(&w, "standards/t-standards"));
    c = skills_counters(w.s);
    CHECK_INT(c.misses, 6);
    CHECK_INT(c.hits, 2);
    tree_write(w.t, ".tandem/standards/t/a.md", "# Gamma\n");
    again = load(&w, "standards/t-standards");
    c = skills_counters(w.s);
    CHECK_INT(c.misses, 7);
    CHECK_INT(c.hits, 3);
    CHECK(strcmp(skill->files[0].digest, again->files[0].digest) != 0); /* SKILL.md names it. */
    CHECK(strcmp(skill->files[1].digest, again->files[1].digest) != 0);
    CHECK_STR(skill->files[2].digest, again->files[2].digest);
    CHECK(strstr(again->text, "Gamma"));
    skill_free(skill);
    skill_free(again);
    close_world(&w);
}

static void
load_some(void *arg, unsigned number)
{
    struct race *race = arg;

    for (unsigned i = 0; i < 5; i++) {
        struct skill *skill = NULL;

        if (skills_load(race->world->s, SLICE("standards/t-standards"), &skill, NULL) != E_OK ||
            skill->count != 21) {
            atomic_fetch_add(&race->wrong, 1);
        }
        skill_free(skill);
    }
    (void)number;
}

static void
many_threads_read_each_file_once(void **unused)
{
    struct world w;
    struct race race = {.world = &w};
    struct slots_counters c;

    (void)unused;
    open_world(&w);
    atomic_store(&w.clock.wall_ns, clock_wall(clock_real()) + 3600ll * 1000000000);
    for (unsigned i = 0; i < 20; i++) {
        char path[64];

        snprintf(path, sizeof path, ".tandem/standards/t/%u.md", i);
        tree_write(w.t, path, "# A\n");
    }
    threads_run(16, load_some, &race);
    c = skills_counters(w.s);
    CHECK_INT(race.wrong, 0);
    CHECK_INT(c.misses, 20);
    CHECK_INT(c.hits + c.double_loads, 16 * 5 * 20 - 20);
    close_world(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_no_skills),
        cmocka_unit_test(a_pack_is_a_skill),
        cmocka_unit_test(a_folder_of_standards_is_a_skill),
        cmocka_unit_test(a_skill_of_its_own_says_what_it_is),
        cmocka_unit_test(a_broken_skill_is_none),
        cmocka_unit_test(a_check_tells_what_is_wrong),
        cmocka_unit_test(what_is_named_badly_is_not_found),
        cmocka_unit_test(no_path_leaves_the_skill),
        cmocka_unit_test(a_swapped_link_is_not_followed),
        cmocka_unit_test(what_is_too_large_is_none),
        cmocka_unit_test(names_follow_the_rules),
        cmocka_unit_test(the_first_of_two_counts),
        cmocka_unit_test(a_change_is_seen_and_the_rest_is_kept),
        cmocka_unit_test(many_threads_read_each_file_once),
    };

    return CHECK_RUN(tests);
}

/* test_project_info.c -- what git says, and what is said when git says nothing.  R17. */
#include "tests/check.h"

#include "state/project_info.h"
#include "state/base/mem.h"
#include "tests/fakes.h"
#include "tests/threads.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct fake_project project;
static struct fake_clock fake;
static char *path_before;

/* Puts a script named git first in PATH. */
static void
fake_git(const char *script)
{
    char *bin = xasprintf("%s/bin", project.path), *file = xasprintf("%s/git", bin);
    char *path = xasprintf("%s:%s", bin, path_before);
    FILE *f;

    mkdir(bin, 0700);
    f = fopen(file, "w");
    fprintf(f, "#!/bin/sh\n%s\n", script);
    fclose(f);
    chmod(file, 0700);
    setenv("PATH", path, 1);
    free(path);
    free(bin);
    free(file);
}

static int
set_up(void **unused)
{
    (void)unused;
    fake_clock_init(&fake);
    fake_project_init(&project, &fake.clock);
    path_before = xstrdup(getenv("PATH"));
    return 0;
}

static int
tear_down(void **unused)
{
    (void)unused;
    setenv("PATH", path_before, 1);
    free(path_before);
    fake_project_fini(&project);
    return 0;
}

static void
expect(const char *member, const char *want)
{
    struct project_info *info = project_info_create(project.path, &fake.clock, NULL);
    json_t *git = project_info_git(info);
    const char *got = json_string_value(json_object_get(git, member));

    if (want ? !got || strcmp(got, want) != 0 : got != NULL) {
        fail_msg("%s is %s, not %s", member, got ? got : "null", want ? want : "null");
    }
    json_decref(git);
    project_info_destroy(info);
}

static void
run(const char *command)
{
    char *line = xasprintf("cd '%s' && { %s; } >/dev/null 2>&1", project.path, command);
    int status = system(line);

    free(line);
    CHECK_INT(status, 0);
}

static void
a_repository_tells_branch_commit_and_state(void **unused)
{
    (void)unused;
    expect("status", NULL); /* None yet. */
    run("git init -q -b trunk . && git config user.email t@example.org && git config user.name t");
    expect("branch", "trunk");
    expect("commit", NULL);
    expect("remote", NULL);
    run("echo x >f && git add f && git commit -q -m one");
    expect("status", "clean");
    run("echo new >g");
    expect("status", "dirty");
    run("git add g && git commit -q -m two");
    expect("status", "clean");
    run("git remote add origin https://user:secret@example.org/team/the-thing.git");
    expect("remote", "https://example.org/team/the-thing.git");
    run("git remote set-url origin https://user:s@cr@t@example.org/team/the-thing.git");
    expect("remote", "https://example.org/team/the-thing.git");
    run("git checkout -q --detach");
    expect("branch", NULL);
    run("echo y >>f");
    expect("status", "dirty");
}

static void
the_name_comes_from_the_remote_or_the_folder(void **unused)
{
    struct project_info *info = project_info_create(project.path, &fake.clock, NULL);
    json_t *git = project_info_git(info);
    char *name = project_info_name(info, git);

    (void)unused;
    CHECK_STR(name, strrchr(project.path, '/') + 1);
    free(name);
    json_decref(git);
    run("git init -q . && git remote add origin git@example.org:team/the-thing.git");
    fake_clock_pass(&fake, 6000000000);
    git = project_info_git(info);
    name = project_info_name(info, git);
    CHECK_STR(name, "the-thing");
    free(name);
    json_decref(git);
    project_info_destroy(info);
}

static void
no_git_and_a_failing_git_give_null(void **unused)
{
    (void)unused;
    fake_git("exit 3");
    expect("status", NULL);
    setenv("PATH", "/nonexistent", 1);
    expect("status", NULL);
}

static void
a_git_that_fails_half_way_gives_what_is_known(void **unused)
{
    (void)unused;
    fake_git("case \"$*\" in *rev-parse*) echo .git;; *status*) exit 1;; *) printf "
             "'local\\0remote.origin.url\\nu:p.git\\0';; esac");
    expect("status", "unknown");
    expect("remote", "u:p.git");
    expect("branch", NULL);
}

/* A repository that came from elsewhere may name programs for git to run. */
static void
a_repository_runs_nothing(void **unused)
{
    char *ran = xasprintf("%s/ran", project.path);
    char *config = xasprintf("git config filter.x.clean 'touch %s; cat' && "
                             "git config filter.x.process 'touch %s' && "
                             "git config filter.x=y.clean 'touch %s; cat' && "
                             "git config filter.x.required true && "
                             "git config core.fsmonitor 'touch %s; true'",
                             ran, ran, ran, ran);

    (void)unused;
    run("git init -q . && git config user.email t@example.org && git config user.name t");
    run("echo 'f filter=x' >.gitattributes && echo 'g filter=x=y' >>.gitattributes");
    run("echo one >f && echo one >g && git add . && git commit -q -m one");
    run(config);
    run("echo two >f && echo two >g"); /* As long as before, so that git must read them. */
    CHECK(access(ran, F_OK) != 0);
    expect("status", "dirty");
    CHECK(access(ran, F_OK) != 0);
    run("git status --porcelain || :"); /* Without our care it would have. */
    CHECK(access(ran, F_OK) == 0);
    free(config);
    free(ran);
}

/* More filters than we care for: then the work tree is not looked at. */
static void
too_many_filters_are_too_many(void **unused)
{
    (void)unused;
    run("git init -q -b trunk . && for i in $(seq 33); do git config filter.f$i.clean cat; done");
    expect("status", "unknown");
    expect("branch", NULL);
    run("git config --unset filter.f1.clean");
    expect("branch", "trunk");
}

static void
a_flood_of_output_is_cut(void **unused)
{
    (void)unused;
    fake_git(
        "case \"$*\" in *rev-parse*) echo .git;; *status*) yes '? junk' | head -c 3000000;; esac");
    expect("status", "dirty");
}

/* Waits until the git that fake_git() made has begun, and gives it up. */
static void
give_up(void *arg, unsigned number)
{
    char *begun = xasprintf("%s/begun", project.path);

    if (number == 0) {
        json_decref(project_info_git(arg)); /* Ends only because of the other. */
    } else {
        while (access(begun, F_OK) != 0) {
            sched_yield();
        }
        project_info_give_up(arg);
    }
    free(begun);
}

static void
a_git_that_hangs_can_be_given_up(void **unused)
{
    struct project_info *info = project_info_create(project.path, &fake.clock, NULL);
    char *command =
        xasprintf("case \"$*\" in *rev-parse*) echo .git;; *config*) : >'%s/begun'; exec tail -f "
                  "/dev/null;; *) touch '%s/asked';; esac",
                  project.path, project.path);
    char *asked = xasprintf("%s/asked", project.path);
    json_t *git;

    (void)unused;
    fake_git(command);
    threads_run(2, give_up, info);
    CHECK(access(asked, F_OK) != 0); /* After one that hung no other is asked. */
    fake_clock_pass(&fake, 6000000000);
    git = project_info_git(info);
    CHECK(json_is_null(git));
    json_decref(git);
    project_info_destroy(info);
    free(asked);
    free(command);
}

/* One looks; while it does, what a look tells would have become old, and another asks. */
static void
ask_late(void *arg, unsigned number)
{
    char *begun = xasprintf("%s/begun", project.path);

    if (number) {
        while (access(begun, F_OK) != 0) {
            sched_yield();
        }
        fake_clock_pass(&fake, 6000000000);
        run("touch go");
    }
    json_decref(project_info_git(arg));
    free(begun);
}

static void
nobody_looks_beside_one_who_looks(void **unused)
{
    struct project_info *info = project_info_create(project.path, &fake.clock, NULL);
    char *command =
        xasprintf("case \"$*\" in *rev-parse*) echo .git;; *config*) echo x >>'%s/begun'; "
                  "until [ -e '%s/go' ]; do :; done;; esac",
                  project.path, project.path);
    char *begun = xasprintf("%s/begun", project.path);
    struct stat st;

    (void)unused;
    fake_git(command);
    threads_run(2, ask_late, info);
    CHECK_INT(stat(begun, &st), 0);
    CHECK_INT(st.st_size, 2); /* One line: one look. */
    project_info_destroy(info);
    free(begun);
    free(command);
}

static _Atomic unsigned wrong;

static void
ask(void *arg, unsigned number)
{
    json_t *git = project_info_git(arg);

    (void)number;
    if (strcmp(json_string_value(json_object_get(git, "status")), "clean") != 0) {
        atomic_fetch_add(&wrong, 1);
    }
    json_object_set_new(git, "status",
                        json_string("mine")); /* It is a copy: others must not see this. */
    json_decref(git);
}

static void
many_askers_share_one_look(void **unused)
{
    (void)unused;
    run("git init -q . && echo .tandem >.gitignore && echo bin >>.gitignore && echo count "
        ">>.gitignore && git add . && git -c user.email=t@example.org -c user.name=t commit -q -m "
        "one");
    for (const unsigned *count = race_sizes; *count; count++) {
        struct project_info *info = project_info_create(project.path, &fake.clock, NULL);
        struct slots_counters c;

        wrong = 0;
        threads_run(*count, ask, info);
        c = project_info_counters(info);
        CHECK_INT(wrong, 0);
        CHECK_INT(c.misses, 1);
        CHECK_INT(c.hits + c.double_loads, *count - 1);
        project_info_destroy(info);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_repository_tells_branch_commit_and_state, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_name_comes_from_the_remote_or_the_folder, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(no_git_and_a_failing_git_give_null, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_git_that_fails_half_way_gives_what_is_known, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_repository_runs_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_many_filters_are_too_many, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_flood_of_output_is_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_git_that_hangs_can_be_given_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_looks_beside_one_who_looks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_askers_share_one_look, set_up, tear_down),
    };
    return CHECK_RUN(tests);
}

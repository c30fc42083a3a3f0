/* test_sandbox_serve.c -- a server that is shut in does what it did: it tells what git says, though
 * it can start no program, reads its settings anew from a folder elsewhere, and removes its socket.
 * That what is forbidden fails is test_sandbox.c's. */
#include "tests/check.h"
#include "tests/harness_server.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[HARNESS_ROOT], elsewhere[HARNESS_ROOT];
static struct server server;

/* Runs a shell's line in 'folder', with the other one as $1. */
static void
run(const char *folder, const char *line)
{
    char *command = xasprintf("set -- '%s'; cd '%s' && { %s; }", folder == root ? elsewhere : root,
                              folder, line);

    CHECK_INT(system(command), 0);
    free(command);
}

static void
write_file(const char *folder, const char *name, const char *text)
{
    char *path = xasprintf("%s/%s", folder, name);
    FILE *file = fopen(path, "we");

    CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0);
    free(path);
}

static int
set_up(void **state)
{
    (void)state;
    harness_project(root, (const char *const[]){NULL});
    harness_project(elsewhere, (const char *const[]){NULL});
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    harness_remove(root);
    harness_remove(elsewhere);
    return 0;
}

/* What get_server_info says; new. */
static json_t *
ask_info(void)
{
    json_t *answer, *text, *info;

    CHECK(server_send(&server, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":"
                               "{\"name\":\"get_server_info\",\"arguments\":{},\"_meta\":{"
                               "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
                               "\"io.modelcontextprotocol/clientCapabilities\":{}}}}"));
    answer = server_read(&server, now_ns() + PATIENCE);
    text = json_object_get(
        json_array_get(json_object_get(json_object_get(answer, "result"), "content"), 0), "text");
    CHECK(text);
    info = json_loads(json_string_value(text), 0, NULL);
    json_decref(answer);
    CHECK(info);
    return info;
}

/* What of the sandbox holds; the test ends as skipped where the kernel has none. */
static void
check_holds(const char *want)
{
    json_t *info = ask_info();
    const char *holds =
        json_string_value(json_object_get(json_object_get(info, "server"), "sandbox"));

    CHECK(holds);
    if (strcmp(want, "none") != 0 && strcmp(holds, want) != 0) {
        printf("NOT TESTED: of the sandbox this kernel can do: %s\n", holds);
        json_decref(info);
        CHECK_INT(server_end(&server), 0);
        skip();
    }
    CHECK_STR(holds, want);
    json_decref(info);
}

/* How many of the server's threads have 'line' in their status; all of them in '*count'. */
static unsigned
count_threads(const char *line, unsigned *count)
{
    char path[320], text[8192];
    struct dirent *entry;
    unsigned found = 0;
    DIR *tasks;

    *count = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)server.pid);
    tasks = opendir(path);
    CHECK(tasks);
    while ((entry = readdir(tasks)) != NULL) {
        FILE *file;
        size_t n;

        snprintf(path, sizeof path, "/proc/%d/task/%s/status", (int)server.pid, entry->d_name);
        file = *entry->d_name == '.' ? NULL : fopen(path, "re");
        if (file) {
            n = fread(text, 1, sizeof text - 1, file);
            text[n] = '\0';
            fclose(file);
            ++*count;
            found += strstr(text, line) != NULL;
        }
    }
    closedir(tasks);
    return found;
}

static void
every_thread_is_shut_in(void **state)
{
    unsigned count;

    (void)state;
    server_start(&server, root, NULL);
    check_holds("files and system calls");
    CHECK(count_threads("\nSeccomp:\t2\n", &count) == count && count > 2);
    CHECK(count_threads("\nNoNewPrivs:\t1\n", &count) == count && count > 2);
    CHECK_INT(server_end(&server), 0);
}

static void
none_is_if_it_is_off(void **state)
{
    static const char *const args[] = {"--sandbox", "off", NULL};
    unsigned count;

    (void)state;
    server_start(&server, root, &(struct server_options){.args = args});
    check_holds("none");
    CHECK(count_threads("\nSeccomp:\t0\n", &count) == count && count > 2);
    CHECK_INT(server_end(&server), 0);
}

/* The project is a second work tree: its repository is somewhere else. */
static void
git_is_asked_all_the_same(void **state)
{
    static const char *const args[] = {"--sandbox", "on", NULL};
    char *tree = xasprintf("%s/tree", root);
    json_t *info, *git;

    (void)state;
    run(elsewhere, "git init -q -b trunk && git -c user.name=a -c user.email=a@example.org commit "
                   "-q --allow-empty -m first && git worktree add -q -b side \"$1/tree\" && mkdir "
                   "\"$1/tree/.tandem\"");
    server_start(&server, tree, &(struct server_options){.args = args});
    check_holds("files and system calls");
    info = ask_info();
    git = json_object_get(json_object_get(info, "project"), "git");
    CHECK_STR(json_string_value(json_object_get(git, "branch")), "side");
    CHECK(json_string_length(json_object_get(git, "commit")) == 40);
    json_decref(info);
    CHECK_INT(server_end(&server), 0);
    free(tree);
}

/* A configuration file elsewhere is replaced as editors do it. */
static void
settings_elsewhere_are_read_anew(void **state)
{
    char *path = xasprintf("%s/mine.json", elsewhere), *log;
    const char *const args[] = {"--config", path, NULL};
    int64_t deadline = now_ns() + PATIENCE;
    bool read_anew = false;

    (void)state;
    write_file(elsewhere, "mine.json", "{\"drain\":\"3s\"}");
    server_start(&server, root, &(struct server_options){.args = args});
    write_file(elsewhere, "new.json", "{\"drain\":\"4s\"}");
    run(elsewhere, "mv new.json mine.json");
    log = xasprintf("grep -q 'settings read anew' '%s/server.log'", root);
    CHECK_INT(kill(server.pid, SIGHUP), 0);
    while (!read_anew && now_ns() < deadline) {
        read_anew = system(log) == 0;
    }
    CHECK(read_anew);
    CHECK_INT(server_end(&server), 0);
    free(log);
    free(path);
}

static void
its_socket_is_made_and_removed(void **state)
{
    char *path = xasprintf("%s/socket", elsewhere), *listen = xasprintf("unix:%s", path);
    const char *const args[] = {"--listen", listen, "--transport", "dual", NULL};
    struct stat st;

    (void)state;
    server_spawn(&server, root, &(struct server_options){.args = args});
    check_holds("files and system calls");
    CHECK(stat(path, &st) == 0 && S_ISSOCK(st.st_mode));
    CHECK_INT(server_end(&server), 0);
    CHECK(stat(path, &st) != 0);
    free(listen);
    free(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_thread_is_shut_in, set_up, tear_down),
        cmocka_unit_test_setup_teardown(none_is_if_it_is_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(git_is_asked_all_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(settings_elsewhere_are_read_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(its_socket_is_made_and_removed, set_up, tear_down),
    };

    return CHECK_RUN(tests);
}

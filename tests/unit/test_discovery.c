/* test_discovery.c -- the lock, the token, server.json: written whole, read with suspicion, removed
 * by its writer only. */
#include "server/discovery.h"

#include "tests/check.h"

#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char path[64];
static struct dir *data;

static int
make_folder(void **unused)
{
    (void)unused;
    strcpy(path, "/tmp/tandem-discovery-XXXXXX");
    return mkdtemp(path) && dir_open(path, false, &data, NULL) == E_OK ? 0 : -1;
}

static int
remove_folder(void **unused)
{
    char command[100];

    (void)unused;
    dir_unref(data);
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    return system(command);
}

static mode_t
mode_of(const char *name)
{
    char full[128];
    struct stat st;

    snprintf(full, sizeof full, "%s/%s", path, name);
    CHECK_INT(lstat(full, &st), 0);
    return st.st_mode & 07777;
}

static struct discovery
sample(void)
{
    struct discovery d = {
        .transport = strdup("dual"),
        .host = strdup("127.0.0.1"),
        .port = 4242,
        .path = strdup("/mcp"),
        .url = strdup("http://127.0.0.1:4242/mcp"),
        .project_name = strdup("demo"),
        .project_root = strdup("/somewhere/demo"),
        .managed_by = strdup("terminal (pts/3)"),
        .token = strdup("sesame"),
    };
    CHECK_INT(discovery_of_this_process(&d, NULL), E_OK);
    return d;
}

static void
what_is_written_is_read(void **unused)
{
    struct discovery d = sample(), r;
    struct buf b = BUF_INIT;
    json_t *json;

    (void)unused;
    CHECK_INT(discovery_write(data, &d, NULL), E_OK);
    CHECK_INT(mode_of("server.json"), 0600);
    CHECK_INT(discovery_read(data, &r, NULL), E_OK);
    CHECK_STR(r.transport, "dual");
    CHECK_STR(r.host, "127.0.0.1");
    CHECK_INT(r.port, 4242);
    CHECK_STR(r.path, "/mcp");
    CHECK_STR(r.url, d.url);
    CHECK_INT(r.pid, getpid());
    CHECK(r.start_ticks != 0 && r.start_ticks == d.start_ticks);
    CHECK_STR(r.started_at, d.started_at);
    CHECK_STR(r.instance, d.instance);
    CHECK_INT(strlen(r.instance), 32);
    CHECK_STR(r.project_name, "demo");
    CHECK_STR(r.project_root, "/somewhere/demo");
    CHECK_STR(r.managed_by, "terminal (pts/3)");
    CHECK_STR(r.token, "sesame");
    CHECK(!r.socket);
    discovery_fini(&r);

    CHECK_INT(dir_read(data, "server.json", 65536, &b, NULL, NULL), E_OK);
    json = json_loadb(b.data, b.len, 0, NULL);
    CHECK_STR(json_string_value(json_object_get(json, "ws_url")), "ws://127.0.0.1:4242/mcp");
    CHECK(json_is_string(json_object_get(json, "version")));
    json_decref(json);
    buf_fini(&b);
    discovery_fini(&d);
}

static void
a_stdio_server_has_no_url(void **unused)
{
    struct discovery d = {.transport = strdup("stdio")}, r;

    (void)unused;
    CHECK_INT(discovery_of_this_process(&d, NULL), E_OK);
    CHECK_INT(discovery_write(data, &d, NULL), E_OK);
    CHECK_INT(discovery_read(data, &r, NULL), E_OK);
    CHECK(!r.url && !r.host && !r.token && r.port == 0);
    discovery_fini(&r);
    discovery_fini(&d);
}

static void
put(const char *text)
{
    CHECK_INT(dir_write(data, "server.json", slice_of(text), NULL), E_OK);
}

static void
no_server_in_every_way(void **unused)
{
    static const struct {
        const char *text, *reason;
    } cases[] = {
        {"", "not a JSON object"},
        {"{\"transport\": \"dual\", \"url\": \"htt", "not a JSON object"},
        {"[]", "not a JSON object"},
        {"null", "not a JSON object"},
        {"\"x\"", "not a JSON object"},
        {"{}", "names no process"},
        {"{\"pid\": \"1\"}", "names no process"},
        {"{\"pid\": 0, \"transport\": \"dual\", \"url\": \"u\"}", "names no process"},
        {"{\"pid\": -1, \"transport\": \"dual\", \"url\": \"u\"}", "names no process"},
        {"{\"pid\": 4294967297, \"transport\": \"dual\", \"url\": \"u\"}", "names no process"},
        {"{\"pid\": 1, \"url\": \"u\"}", "names no transport"},
        {"{\"pid\": 1, \"transport\": 7, \"url\": \"u\"}", "names no transport"},
        {"{\"pid\": 1, \"transport\": \"dual\"}", "names no url"},
        {"{\"pid\": 1, \"transport\": \"http\", \"url\": null}", "names no url"},
        {"{\"pid\": 1, \"pid\": 1, \"transport\": \"http\", \"url\": \"u\"}", "not a JSON object"},
        {"{\"pid\": 2147483647, \"transport\": \"http\", \"url\": \"u\"}", "has ended"},
    };
    struct discovery d;
    struct fault f = FAULT_INIT;

    (void)unused;
    CHECK_INT(discovery_read(data, &d, &f), E_NOT_FOUND);
    CHECK_STR(f.text, "there is no server.json");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put(cases[i].text);
        CHECK_INT(discovery_read(data, &d, &f), E_NOT_FOUND);
        CHECK(strstr(f.text, cases[i].reason));
        CHECK(!d.url && !d.transport);
    }
}

static void
files_that_are_no_files(void **unused)
{
    struct discovery d;
    struct fault f = FAULT_INIT;
    char full[128];

    (void)unused;
    snprintf(full, sizeof full, "%s/server.json", path);
    CHECK_INT(symlink("/etc/passwd", full), 0);
    CHECK_INT(discovery_read(data, &d, &f), E_NOT_FOUND);
    unlink(full);
    CHECK_INT(mkfifo(full, 0600), 0);
    CHECK_INT(discovery_read(data, &d, &f), E_NOT_FOUND);
    unlink(full);
    CHECK_INT(mkdir(full, 0700), 0);
    CHECK_INT(discovery_read(data, &d, &f), E_NOT_FOUND);
}

static void
a_process_that_ended_is_no_server(void **unused)
{
    struct discovery d = sample(), r;
    struct fault f = FAULT_INIT;
    int hold[2];
    pid_t child;

    (void)unused;
    CHECK_INT(pipe(hold), 0);
    child = fork();
    if (child == 0) {
        char c;
        close(hold[1]);
        _exit(read(hold[0], &c, 1) == 0 ? 0 : 1);
    }
    close(hold[0]);
    d.pid = child;
    CHECK(process_start_ticks(child, &d.start_ticks));
    CHECK_INT(discovery_write(data, &d, NULL), E_OK);
    CHECK_INT(discovery_read(data, &r, &f), E_OK);
    discovery_fini(&r);
    close(hold[1]);
    /* Ended, but not yet collected: it serves nobody. */
    CHECK_INT(waitid(P_PID, (id_t)child, &(siginfo_t){0}, WEXITED | WNOWAIT), 0);
    CHECK_INT(discovery_read(data, &r, &f), E_NOT_FOUND);
    CHECK(strstr(f.text, "has ended"));
    CHECK_INT(waitpid(child, NULL, 0), child);
    CHECK_INT(discovery_read(data, &r, &f), E_NOT_FOUND);
    discovery_fini(&d);
}

static void
a_reused_pid_is_told_by_its_start(void **unused)
{
    struct discovery d = sample(), r;
    struct fault f = FAULT_INIT;

    (void)unused;
    d.start_ticks--; /* The pid is alive, but not since then. */
    CHECK_INT(discovery_write(data, &d, NULL), E_OK);
    CHECK_INT(discovery_read(data, &r, &f), E_NOT_FOUND);
    CHECK(strstr(f.text, "started later"));
    d.start_ticks = 0; /* Not told: the pid alone counts. */
    CHECK_INT(discovery_write(data, &d, NULL), E_OK);
    CHECK_INT(discovery_read(data, &r, &f), E_OK);
    discovery_fini(&r);
    discovery_fini(&d);
}

static void
only_its_writer_removes_it(void **unused)
{
    struct discovery ours = sample(), other = sample();

    (void)unused;
    CHECK(!discovery_remove(data, &ours)); /* Nothing there. */
    CHECK_INT(discovery_write(data, &other, NULL), E_OK);
    CHECK(!discovery_remove(data, &ours)); /* Same process, other instance. */
    CHECK(dir_is_file(data, "server.json"));
    CHECK(discovery_remove(data, &other));
    CHECK(!dir_is_file(data, "server.json"));
    other.pid = 1;
    CHECK_INT(discovery_write(data, &other, NULL), E_OK);
    other.pid = getpid();
    CHECK(!discovery_remove(data, &other));
    put("garbage");
    CHECK(!discovery_remove(data, &ours));
    CHECK(dir_is_file(data, "server.json"));
    discovery_fini(&ours);
    discovery_fini(&other);
}

static void
the_lock_excludes(void **unused)
{
    int one, two;
    struct fault f = FAULT_INIT;

    (void)unused;
    CHECK_INT(discovery_lock(data, &one, &f), E_OK);
    CHECK_INT(mode_of("server.lock"), 0600);
    CHECK_INT(discovery_lock(data, &two, &f), E_CONFLICT);
    CHECK_INT(two, -1);
    close(one);
    CHECK_INT(discovery_lock(data, &two, &f), E_OK);
    close(two);
}

static void
the_lock_goes_with_its_process(void **unused)
{
    int ready[2], fd, status;
    pid_t child;
    char c;

    (void)unused;
    CHECK_INT(pipe(ready), 0);
    child = fork();
    if (child == 0) {
        close(ready[0]);
        if (discovery_lock(data, &fd, NULL) || write(ready[1], "x", 1) != 1) {
            _exit(1);
        }
        pause();
    }
    close(ready[1]);
    CHECK_INT(read(ready[0], &c, 1), 1);
    close(ready[0]);
    CHECK_INT(discovery_lock(data, &fd, NULL), E_CONFLICT);
    kill(child, SIGKILL);
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_INT(discovery_lock(data, &fd, NULL), E_OK);
    close(fd);
}

static void
the_token_is_made_once(void **unused)
{
    char one[TOKEN_SIZE], two[TOKEN_SIZE];
    struct fault f = FAULT_INIT;

    (void)unused;
    CHECK_INT(discovery_token(data, one, &f), E_OK);
    CHECK_INT(strlen(one), 43);
    CHECK_INT(mode_of("token"), 0600);
    CHECK_INT(discovery_token(data, two, &f), E_OK);
    CHECK_STR(one, two);
    CHECK_INT(dir_remove(data, "token", &f), E_OK);
    CHECK_INT(discovery_token(data, two, &f), E_OK);
    CHECK(strcmp(one, two) != 0);
}

static void
a_token_file_is_read_with_suspicion(void **unused)
{
    static const char *const bad[] = {"", "short", "0123456789012345678901234567890123456789012x\n",
                                      "012345678901234567890123456789012345678901+\n",
                                      "0123456789 12345678901234567890123456789012\n"};
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNO-_\r\n";
    char token[TOKEN_SIZE], full[128];
    struct fault f = FAULT_INIT;

    (void)unused;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_INT(dir_write(data, "token", slice_of(bad[i]), NULL), E_OK);
        CHECK_INT(discovery_token(data, token, &f), E_REFUSED);
        CHECK(strstr(f.remedy, "delete it"));
    }
    CHECK_INT(dir_write(data, "token", slice_of(good), NULL), E_OK);
    CHECK_INT(discovery_token(data, token, &f), E_OK);
    CHECK_INT(strncmp(token, good, 43), 0);
    snprintf(full, sizeof full, "%s/token", path);
    CHECK_INT(chmod(full, 0640), 0);
    CHECK_INT(discovery_token(data, token, &f), E_REFUSED);
    CHECK(strstr(f.text, "read by others") && !strstr(f.text, "abc"));
}

struct token_race {
    pthread_barrier_t barrier;
    char tokens[10][TOKEN_SIZE];
    _Atomic unsigned next, failed;
};

static void *
take_token(void *arg)
{
    struct token_race *r = arg;
    unsigned mine = atomic_fetch_add(&r->next, 1);

    pthread_barrier_wait(&r->barrier);
    if (discovery_token(data, r->tokens[mine], NULL)) {
        atomic_fetch_add(&r->failed, 1);
    }
    return NULL;
}

static void
ten_at_once_get_one_token(void **unused)
{
    struct token_race r = {.next = 0};
    pthread_t threads[10];

    (void)unused;
    pthread_barrier_init(&r.barrier, NULL, 10);
    for (int i = 0; i < 10; i++) {
        pthread_create(&threads[i], NULL, take_token, &r);
    }
    for (int i = 0; i < 10; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&r.barrier);
    CHECK_INT(r.failed, 0);
    for (int i = 1; i < 10; i++) {
        CHECK_STR(r.tokens[i], r.tokens[0]);
    }
}

static _Atomic bool stop_reading;
static _Atomic unsigned partial, reads;

static void *
read_on(void *unused)
{
    (void)unused;
    while (!atomic_load(&stop_reading)) {
        struct discovery r;
        if (discovery_read(data, &r, NULL)) {
            atomic_fetch_add(&partial, 1);
        } else if (!r.token || strcmp(r.token, "sesame") != 0) {
            atomic_fetch_add(&partial, 1);
        }
        atomic_fetch_add(&reads, 1);
        discovery_fini(&r);
    }
    return NULL;
}

static void
a_reader_never_sees_half_a_file(void **unused)
{
    struct discovery d = sample();
    pthread_t readers[3];
    unsigned writes = 0;

    (void)unused;
    CHECK_INT(discovery_write(data, &d, NULL), E_OK);
    for (int i = 0; i < 3; i++) {
        pthread_create(&readers[i], NULL, read_on, NULL);
    }
    while (writes < 100 || atomic_load(&reads) < 300) {
        CHECK_INT(discovery_write(data, &d, NULL), E_OK);
        writes++;
    }
    atomic_store(&stop_reading, true);
    for (int i = 0; i < 3; i++) {
        pthread_join(readers[i], NULL);
    }
    CHECK_INT(partial, 0);
    discovery_fini(&d);
}

static void
a_folder_that_cannot_be_written(void **unused)
{
    struct discovery d = sample();
    struct fault f = FAULT_INIT;
    struct dir *proc;
    char token[TOKEN_SIZE];
    int fd;

    (void)unused;
    CHECK_INT(dir_open("/proc", false, &proc, NULL), E_OK); /* Takes no file, even of root. */
    CHECK_INT(discovery_write(proc, &d, &f), E_IO);
    CHECK_INT(discovery_lock(proc, &fd, &f), E_IO);
    CHECK_INT(discovery_token(proc, token, &f), E_IO);
    dir_unref(proc);
    free(d.project_root);
    d.project_root = strdup("/not/\xff/utf8");
    CHECK_INT(discovery_write(data, &d, &f), E_IO);
    CHECK(strstr(f.text, "UTF-8"));
    discovery_fini(&d);
}

int
main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(what_is_written_is_read),
        TEST(a_stdio_server_has_no_url),
        TEST(no_server_in_every_way),
        TEST(files_that_are_no_files),
        TEST(a_process_that_ended_is_no_server),
        TEST(a_reused_pid_is_told_by_its_start),
        TEST(only_its_writer_removes_it),
        TEST(the_lock_excludes),
        TEST(the_lock_goes_with_its_process),
        TEST(the_token_is_made_once),
        TEST(a_token_file_is_read_with_suspicion),
        TEST(ten_at_once_get_one_token),
        TEST(a_reader_never_sees_half_a_file),
        TEST(a_folder_that_cannot_be_written),
    };
    json_object_seed(0);
    return CHECK_RUN(tests);
}

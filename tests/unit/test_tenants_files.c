/* test_tenants_files.c -- tenants as files of the project: what is read, what is refused, and
 * changes by those who hold the version that there is. */
#include "tests/check.h"

#include "state/base/json_put.h"
#include "state/tenant_config.h"
#include "state/tenants.h"
#include "tests/fakes.h"
#include "tests/threads.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define S INT64_C(1000000000)
#define NEVER INT64_MAX

static struct fake_project project;

static int
open_project(void **unused)
{
    (void)unused;
    fake_project_init(&project, NULL);
    return 0;
}

static int
close_project(void **unused)
{
    (void)unused;
    fake_project_fini(&project);
    return 0;
}

static struct tenants *
files_new(void)
{
    static char variables[][32] = {"TENANT_SECRET=s3cret", "HOME=/root"};
    static char *const environment[] = {variables[0], variables[1], NULL};

    return tenants_create(&(struct tenants_options){.clock = clock_real(),
                                                    .data = project.data,
                                                    .default_id = "default",
                                                    .env_allow = "TENANT_*",
                                                    .environment = environment,
                                                    .cache_max = 100,
                                                    .ttl_ns = 300 * S,
                                                    .negative_ttl_ns = 5 * S});
}

static void
write_file(const char *id, const char *text)
{
    struct dir *folder = NULL;
    char name[80];

    snprintf(name, sizeof name, "%s.json", id);
    CHECK_INT(dir_sub(project.data, "tenants", true, &folder, NULL), E_OK);
    CHECK_INT(dir_write(folder, name, slice_of(text), NULL), E_OK);
    dir_unref(folder);
}

#define CLIENT(ID) \
    "\"client\":{\"id\":\"" ID "\",\"name\":\"N\",\"short_name\":\"S\",\"timezone\":\"UTC\"}"

static const char *
text_at(const struct tenant *tenant, const char *section, const char *key)
{
    return json_string_value(json_object_get(tenant_section(tenant, section), key));
}

static void
files_are_read_with_their_variables(void **unused)
{
    struct tenants *t = files_new();
    struct tenant_pin pin;
    struct fault f = FAULT_INIT;

    (void)unused;
    write_file("acme",
               "{" CLIENT("acme") ",\"llm\":{\"api_key\":\"${TENANT_SECRET}\",\"x\":\"${HOME}"
                                  "\",\"y\":[\"${TENANT_NO:-none}\"]}}");
    CHECK_INT(tenants_get(t, "acme", NEVER, &pin, NULL), E_OK);
    CHECK_STR(text_at(pin.tenant, "llm", "api_key"), "s3cret");
    CHECK_STR(text_at(pin.tenant, "llm", "x"), "${HOME}");
    CHECK_STR(text_at(pin.tenant, "client", "currency"), "USD");
    CHECK_STR(text_at(pin.tenant, "_meta", "source"), "file");
    CHECK_STR(text_at(pin.tenant, "_meta", "status"), "active");
    CHECK_STR(text_at(pin.tenant, "_meta", "version"), tenant_version(pin.tenant));
    CHECK_INT(strlen(tenant_version(pin.tenant)), 16);
    CHECK_INT(tenant_admits(pin.tenant, &f), E_OK);
    tenants_unpin(t, &pin);

    write_file("acme",
               "{" CLIENT("acme") ",\"_meta\":{\"status\":\"suspended\",\"version\":\"x\"}}");
    CHECK_INT(tenants_get(t, "acme", NEVER, &pin, NULL), E_OK);
    CHECK_INT(tenant_admits(pin.tenant, &f), E_TENANT);
    CHECK_STR(f.reason, "suspended");
    tenants_unpin(t, &pin);

    CHECK_INT(tenants_get(t, "default", NEVER, &pin, NULL), E_OK);
    CHECK_STR(text_at(pin.tenant, "_meta", "source"), "default");
    CHECK_STR(tenant_version(pin.tenant), TENANT_VERSION_NONE);
    tenants_unpin(t, &pin);
    write_file("default", "{" CLIENT("default") "}");
    CHECK_INT(tenants_get(t, "default", NEVER, &pin, NULL), E_OK);
    CHECK_STR(text_at(pin.tenant, "_meta", "source"), "file");
    tenants_unpin(t, &pin);
    tenants_destroy(t);
}

static void
hostile_files_are_refused(void **unused)
{
    struct tenants *t = files_new();
    struct tenant_pin pin;
    struct fault f;
    struct buf deep = BUF_INIT, huge = BUF_INIT, many = BUF_INIT;
    static const char *const bad[] = {
        "",
        "[]",
        "7",
        "{",
        "{\"client\":7}",
        "{" CLIENT("other") "}",
        "{" CLIENT("acme") "",
        "{" CLIENT("acme") "," CLIENT("acme") "}",
        "{" CLIENT("acme") ",\"x\":\"\xff\"}",
        "{" CLIENT("acme") ",\"x\":\"\\u0000\"}",
        "{" CLIENT("acme") "} x",
        "{" CLIENT("acme") ",\"agents\":{\"a\":{\"prompt_file\":\"../../etc/passwd\"}}}",
        "{" CLIENT("acme") ",\"quota\":[]}",
    };
    int fd;

    (void)unused;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        write_file("acme", bad[i]);
        f = (struct fault)FAULT_INIT;
        CHECK_INT(tenants_get(t, "acme", NEVER, &pin, &f), E_REFUSED);
        CHECK(strstr(f.text, "tenants/acme.json"));
        CHECK(!strstr(f.text, project.path));
    }
    buf_adds(&deep, "{" CLIENT("acme") ",\"x\":");
    for (int i = 0; i < 100000; i++) {
        buf_addc(&deep, '[');
    }
    write_file("acme", deep.data);
    CHECK_INT(tenants_get(t, "acme", NEVER, &pin, &f), E_REFUSED);
    buf_adds(&many, "{" CLIENT("acme") ",\"x\":[0");
    for (int i = 0; i < 20000; i++) {
        buf_adds(&many, ",0");
    }
    buf_adds(&many, "]}");
    write_file("acme", many.data);
    CHECK_INT(tenants_get(t, "acme", NEVER, &pin, &f), E_REFUSED);
    buf_adds(&huge, "{" CLIENT("acme") ",\"x\":\"");
    while (huge.len < 300 * 1024) {
        buf_adds(&huge, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    }
    buf_adds(&huge, "\"}");
    write_file("acme", huge.data);
    CHECK_INT(tenants_get(t, "acme", NEVER, &pin, &f), E_REFUSED);
    buf_fini(&deep);
    buf_fini(&huge);
    buf_fini(&many);

    /* Nothing but a regular file of the folder itself. */
    fd = openat(dir_fd(project.data), "outside.json", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && write(fd, "{" CLIENT("link") "}", strlen("{" CLIENT("link") "}")) > 0);
    close(fd);
    CHECK_INT(symlinkat("../outside.json", dir_fd(project.data), "tenants/link.json"), 0);
    CHECK_INT(mkdirat(dir_fd(project.data), "tenants/folder.json", 0700), 0);
    CHECK_INT(mkfifoat(dir_fd(project.data), "tenants/fifo.json", 0600), 0);
    CHECK_INT(tenants_get(t, "link", NEVER, &pin, &f), E_IO);
    CHECK_INT(tenants_get(t, "folder", NEVER, &pin, &f), E_IO);
    CHECK_INT(tenants_get(t, "fifo", NEVER, &pin, &f), E_IO);
    CHECK_INT(tenants_get(t, "gone", NEVER, &pin, &f), E_NO_TENANT);
    tenants_destroy(t);
}

/* ---- Changes ---- */

static enum err
change(struct tenants *t, const char *id, const char *config, bool merge, const char *if_version,
       char version[TENANT_VERSION_SIZE])
{
    json_t *tree = json_loads(config, 0, NULL);
    struct fault f = FAULT_INIT;
    enum err err =
        tenants_change(t, &(struct tenant_change){id, tree, merge, if_version}, version, &f);

    CHECK(tree != NULL);
    CHECK(!err || f.text[0]);
    json_decref(tree);
    return err;
}

static void
read_back(const char *id, struct buf *text)
{
    char name[80];

    snprintf(name, sizeof name, "tenants/%s.json", id);
    buf_reset(text);
    CHECK_INT(dir_read(project.data, name, 1 << 20, text, NULL, NULL), E_OK);
}

static void
changes_are_checked_merged_and_seen_at_once(void **unused)
{
    struct tenants *t = files_new();
    char first[TENANT_VERSION_SIZE], second[TENANT_VERSION_SIZE];
    struct tenant_pin pin;
    struct buf text = BUF_INIT;

    (void)unused;
    CHECK_INT(change(t, "new", "{\"branding\":{}}", true, NULL, first), E_REFUSED);
    CHECK_INT(tenants_get(t, "new", NEVER, &pin, NULL), E_NO_TENANT);
    CHECK_INT(change(t, "new",
                     "{\"client\":{\"name\":\"N\",\"short_name\":\"S\",\"timezone\":\"UTC\"},"
                     "\"llm\":{\"api_key\":\"${TENANT_SECRET}\",\"tier\":\"a\"}}",
                     true, "none", first),
              E_OK);
    CHECK_INT(tenants_get(t, "new", NEVER, &pin, NULL), E_OK);
    CHECK_STR(text_at(pin.tenant, "llm", "api_key"), "s3cret");
    CHECK_STR(tenant_version(pin.tenant), first);
    tenants_unpin(t, &pin);

    CHECK_INT(change(t, "new", "{\"llm\":{\"tier\":\"b\"}}", true, "0123", second), E_CONFLICT);
    CHECK_INT(
        change(t, "new",
               "{\"llm\":{\"tier\":null,\"api_key\":\"***\",\"password\":\"***\"},\"own\":[1]}",
               true, first, second),
        E_OK);
    CHECK(strcmp(first, second) != 0);
    CHECK_INT(tenants_get(t, "new", NEVER, &pin, NULL), E_OK);
    CHECK_STR(tenant_version(pin.tenant), second);
    CHECK(!text_at(pin.tenant, "llm", "tier") && !text_at(pin.tenant, "llm", "password"));
    CHECK_STR(text_at(pin.tenant, "llm", "api_key"), "s3cret");
    tenants_unpin(t, &pin);
    read_back("new", &text);
    CHECK(strstr(text.data, "${TENANT_SECRET}") && !strstr(text.data, "s3cret"));
    CHECK(!strstr(text.data, "***"));

    CHECK_INT(change(t, "new",
                     "{" CLIENT("new") ",\"llm\":{\"api_key\":\"***\"},\"_meta\":{"
                                       "\"status\":\"suspended\",\"loaded_at\":\"x\"}}",
                     false, NULL, first),
              E_OK);
    read_back("new", &text);
    CHECK(strstr(text.data, "${TENANT_SECRET}") && !strstr(text.data, "own"));
    CHECK(strstr(text.data, "suspended") && !strstr(text.data, "loaded_at"));
    CHECK_INT(change(t, "new", "{" CLIENT("other") "}", false, NULL, first), E_REFUSED);

    write_file(
        "vars",
        "{" CLIENT("vars") ",\"a\":[{\"url\":\"x/${TENANT_SECRET}\"}],\"b\":\"${TENANT_SECRET}\"}");
    CHECK_INT(change(t, "vars",
                     "{" CLIENT("vars") ",\"a\":[{\"url\":\"x/s3cret\"},1],\"b\":"
                                        "\"other\"}",
                     false, NULL, first),
              E_OK);
    read_back("vars", &text); /* What was read comes back with its variables. */
    CHECK(strstr(text.data, "\"x/${TENANT_SECRET}\"") && strstr(text.data, "\"other\""));
    CHECK(!strstr(text.data, "s3cret"));
    write_file("broken", "{{{");
    CHECK_INT(change(t, "broken", "{\"branding\":{}}", true, NULL, first), E_REFUSED);
    CHECK_INT(change(t, "broken", "{" CLIENT("broken") "}", false, NULL, first), E_OK);
    CHECK_INT(change(t, "default", "{\"branding\":{\"color\":\"red\"}}", true, "none", first),
              E_OK);
    CHECK_INT(tenants_get(t, "default", NEVER, &pin, NULL), E_OK);
    CHECK_STR(text_at(pin.tenant, "branding", "color"), "red");
    tenants_unpin(t, &pin);
    buf_fini(&text);
    tenants_destroy(t);
}

struct writers {
    struct tenants *tenants;
    _Atomic unsigned ok, conflicts, wrong;
    char version[TENANT_VERSION_SIZE];
};

static void
write_one(void *arg, unsigned number)
{
    struct writers *w = arg;
    char version[TENANT_VERSION_SIZE];
    json_t *patch = json_pack("{s:{s:i}}", "own", "number", (int)number);
    enum err err = tenants_change(
        w->tenants, &(struct tenant_change){"acme", patch, true, w->version}, version, NULL);

    w->ok += err == E_OK;
    w->conflicts += err == E_CONFLICT;
    w->wrong += err != E_OK && err != E_CONFLICT;
    json_decref(patch);
}

static void
of_many_writers_of_one_version_one_wins(void **unused)
{
    struct writers w = {.tenants = files_new()};

    (void)unused;
    CHECK_INT(change(w.tenants, "acme", "{" CLIENT("acme") "}", true, NULL, w.version), E_OK);
    threads_run(20, write_one, &w);
    CHECK_INT(w.ok, 1);
    CHECK_INT(w.conflicts, 19);
    CHECK_INT(w.wrong, 0);
    tenants_destroy(w.tenants);
}

static void
expect_list(struct tenants *t, bool active, const char *want)
{
    json_t *ids = NULL;
    struct buf text = BUF_INIT;

    CHECK_INT(tenants_list(t, active, &ids, NULL), E_OK);
    json_write(&text, ids);
    CHECK_STR(text.data, want);
    json_decref(ids);
    buf_fini(&text);
}

static void
lists_are_sorted_and_hold_ids_only(void **unused)
{
    struct tenants *t = files_new();
    struct tenant_pin pin;

    (void)unused;
    expect_list(t, true, "[\"default\"]");
    write_file("a", "{" CLIENT("a") "}");
    write_file("a-b", "{" CLIENT("a-b") ",\"_meta\":{\"status\":\"suspended\"}}");
    write_file("zed", "{" CLIENT("zed") "}");
    write_file("broken", "{");
    write_file("UPPER", "{}");
    CHECK_INT(mkdirat(dir_fd(project.data), "tenants/folder.json", 0700), 0);
    expect_list(t, true, "[\"a\",\"default\",\"zed\"]");
    expect_list(t, false, "[\"a\",\"a-b\",\"broken\",\"default\",\"zed\"]");
    CHECK_INT(tenants_get(t, "a-b", NEVER, &pin, NULL), E_OK);
    tenants_unpin(t, &pin);
    write_file("default", "{" CLIENT("default") "}");
    expect_list(t, true, "[\"a\",\"default\",\"zed\"]");
    tenants_destroy(t);
}

int
main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, open_project, close_project)
    const struct CMUnitTest tests[] = {
        TEST(files_are_read_with_their_variables),
        TEST(hostile_files_are_refused),
        TEST(changes_are_checked_merged_and_seen_at_once),
        TEST(of_many_writers_of_one_version_one_wins),
        TEST(lists_are_sorted_and_hold_ids_only),
    };
    return CHECK_RUN(tests);
}

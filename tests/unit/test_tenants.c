/* test_tenants.c -- the table of tenants: one load for all who wait, nobody gets another's, nothing
 * is freed early, nothing wrong is kept for long. */
#include "tests/check.h"

#include "state/base/json_put.h"
#include "state/bus.h"
#include "state/tenant_config.h"
#include "state/tenant_mask.h"
#include "state/tenants.h"
#include "tests/fakes.h"
#include "tests/threads.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define S INT64_C(1000000000)
#define NEVER INT64_MAX

/* Tenants out of nothing: a source that counts, and waits where a test wants it to. */
struct world {
    struct fake_clock clock;
    struct tenants *tenants;
    struct tenant_source source;
    _Atomic unsigned reads, wrong, arrived;
    unsigned awaited;       /* A read waits until so many threads have arrived. */
    _Atomic uint64_t inode; /* Of every file. */
    _Atomic bool fail;      /* Reads do. */
    bool hold;              /* A read waits to be let go. */
    sem_t reading, go;
    struct bus *bus;
    const char *watched; /* Tenants whose events are looked at, each ended by NUL, and NUL. */
    _Atomic(struct tenant *) first;
};

static enum err
look(void *arg, const char *id, struct file_identity *identity, struct fault *f)
{
    struct world *w = arg;

    if (strncmp(id, "none", 4) == 0) {
        return fault_set(f, E_NOT_FOUND, "no file");
    }
    *identity = (struct file_identity){.inode = w->inode, .size = 1};
    return E_OK;
}

static enum err
read_text(void *arg, const char *id, struct buf *text, struct file_identity *identity,
          struct fault *f)
{
    struct world *w = arg;
    enum err err = look(arg, id, identity, f);

    w->reads++;
    while (w->arrived < w->awaited) {
        sched_yield();
    }
    if (w->hold) {
        sem_post(&w->reading);
        while (sem_wait(&w->go) != 0) {
        }
    }
    if (w->fail) {
        return fault_set(f, E_IO, "the disk is on fire");
    }
    buf_addf(
        text,
        "{\"client\":{\"id\":\"%s\",\"name\":\"%s\",\"short_name\":\"x\",\"timezone\":\"UTC\"},"
        "\"number\":%u}",
        id, id, (unsigned)w->reads);
    return err;
}

/* "loaded a;evicted b;": what was told, each to its tenant alone. */
static void
expect_told(struct world *w, const char *want)
{
    struct bus_event *events[100];
    struct buf text = BUF_INIT;
    size_t count;

    buf_adds(&text, "");
    for (const char *id = w->watched; *id; id += strlen(id) + 1) {
        count = bus_recent(w->bus, &(struct bus_query){.tenant = id}, events, 100);
        for (size_t i = 0; i < count; i++) {
            CHECK_STR(events[i]->tenant, id);
            buf_addf(&text, "%.*s %s;", (int)events[i]->topic.len - 7, events[i]->topic.data + 7,
                     id);
            bus_event_unref(events[i]);
        }
    }
    CHECK_STR(text.data ? text.data : "", want);
    buf_fini(&text);
}

static void
open_world(struct world *w, size_t max)
{
    struct bus_options options = BUS_OPTIONS_INIT;

    memset(w, 0, sizeof *w);
    fake_clock_init(&w->clock);
    options.clock = &w->clock.clock;
    w->source = (struct tenant_source){look, read_text, w};
    w->inode = 1;
    sem_init(&w->reading, 0, 0);
    sem_init(&w->go, 0, 0);
    w->bus = bus_create(&options);
    w->watched = "acme\0beta\0";
    w->tenants = tenants_create(&(struct tenants_options){.clock = &w->clock.clock,
                                                          .default_id = "default",
                                                          .env_allow = "TENANT_*",
                                                          .cache_max = max,
                                                          .ttl_ns = 300 * S,
                                                          .negative_ttl_ns = 5 * S,
                                                          .source = &w->source,
                                                          .bus = w->bus});
}

static void
close_world(struct world *w)
{
    CHECK_INT(w->wrong, 0);
    tenants_destroy(w->tenants);
    sem_destroy(&w->reading);
    sem_destroy(&w->go);
    bus_destroy(w->bus);
}

static struct tenant_pin
must_get(struct world *w, const char *id)
{
    struct tenant_pin pin;
    struct fault f = FAULT_INIT;

    if (tenants_get(w->tenants, id, NEVER, &pin, &f) != E_OK) {
        fail_msg("%s: %s", id, f.text);
    }
    CHECK_STR(tenant_id(pin.tenant), id);
    CHECK_STR(json_string_value(json_object_get(tenant_section(pin.tenant, "client"), "id")), id);
    return pin;
}

static void
expect_error(struct world *w, const char *id, enum err want)
{
    struct tenant_pin pin;
    struct fault f = FAULT_INIT;

    CHECK_INT(tenants_get(w->tenants, id, NEVER, &pin, &f), want);
    CHECK_INT(f.code, want);
    CHECK(f.text[0] && !pin.tenant);
}

static int64_t
number_of(const struct tenant *tenant)
{
    return json_integer_value(tenant_section(tenant, "number"));
}

/* ---- One object for one id ---- */

static void
tenant_same_object_same_id(void **unused)
{
    struct world w;
    struct tenant_pin a, b;

    (void)unused;
    open_world(&w, 100);
    a = must_get(&w, "acme");
    b = must_get(&w, "acme");
    CHECK(a.tenant == b.tenant);
    tenants_unpin(w.tenants, &a);
    tenants_unpin(w.tenants, &b);
    tenants_unpin(w.tenants, &b);
    a = must_get(&w, "acme");
    CHECK_INT(w.reads, 1);
    CHECK_INT(tenants_counters(w.tenants).cache.hits, 2);
    expect_told(&w, "loaded acme;");
    tenants_unpin(w.tenants, &a);
    close_world(&w);
}

static void
first_access(void *arg, unsigned number)
{
    struct world *w = arg;
    struct tenant_pin pin;
    struct tenant *nobody = NULL;

    (void)number;
    w->arrived++;
    if (tenants_get(w->tenants, "acme", NEVER, &pin, NULL) != E_OK) {
        w->wrong++;
        return;
    }
    if (!atomic_compare_exchange_strong(&w->first, &nobody, pin.tenant) && nobody != pin.tenant) {
        w->wrong++;
    }
    w->wrong += number_of(pin.tenant) != 1;
    tenants_unpin(w->tenants, &pin);
}

static void
tenant_first_access_20_threads(void **unused)
{
    (void)unused;
    for (unsigned round = 0; round < scaled(100); round++) {
        struct world w;
        struct slots_counters c;

        open_world(&w, 100);
        w.awaited = 20;
        threads_run(20, first_access, &w);
        c = tenants_counters(w.tenants).cache;
        CHECK_INT(w.reads, 1);
        CHECK_INT(c.misses, 1);
        CHECK_INT(c.hits + c.double_loads, 19);
        expect_told(&w, "loaded acme;");
        close_world(&w);
    }
}

static void
tenant_different_keys_independent(void **unused)
{
    struct world w;
    struct tenant_pin a, b;

    (void)unused;
    open_world(&w, 100);
    a = must_get(&w, "acme");
    b = must_get(&w, "beta");
    CHECK(a.tenant != b.tenant);
    CHECK_INT(w.reads, 2);
    CHECK_INT(tenants_forget(w.tenants, "acme"), 1);
    tenants_unpin(w.tenants, &b);
    b = must_get(&w, "beta");
    CHECK_INT(w.reads, 2);
    tenants_unpin(w.tenants, &a);
    tenants_unpin(w.tenants, &b);
    close_world(&w);
}

/* ---- Bounds ---- */

static void
tenant_lru_100_then_101st_evicts_oldest(void **unused)
{
    struct world w;
    char id[16];
    struct tenant_pin pin;

    (void)unused;
    open_world(&w, 100);
    for (int i = 0; i < 100; i++) {
        snprintf(id, sizeof id, "t%d", i);
        pin = must_get(&w, id);
        tenants_unpin(w.tenants, &pin);
    }
    pin = must_get(&w, "t0"); /* Now t1 is the oldest. */
    tenants_unpin(w.tenants, &pin);
    bus_reset(w.bus);
    w.watched = "t1\0t100\0";
    pin = must_get(&w, "t100");
    tenants_unpin(w.tenants, &pin);
    expect_told(&w, "evicted t1;loaded t100;");
    CHECK_INT(tenants_counters(w.tenants).cache.size, 100);
    CHECK_INT(tenants_counters(w.tenants).cache.evictions, 1);
    CHECK_INT(w.reads, 101);
    pin = must_get(&w, "t0");
    tenants_unpin(w.tenants, &pin);
    CHECK_INT(w.reads, 101);
    pin = must_get(&w, "t1");
    tenants_unpin(w.tenants, &pin);
    CHECK_INT(w.reads, 102);
    close_world(&w);
}

static void
tenant_evicted_slot_survives_while_referenced(void **unused)
{
    struct world w;
    struct tenant_pin old, other, again;

    (void)unused;
    open_world(&w, 1);
    old = must_get(&w, "acme");
    other = must_get(&w, "beta"); /* Its place is taken, though it is in use. */
    expect_told(&w, "loaded acme;evicted acme;loaded beta;");
    CHECK_STR(tenant_id(old.tenant), "acme");
    CHECK_INT(number_of(old.tenant), 1);
    again = must_get(&w, "acme");
    CHECK(again.tenant != old.tenant);
    CHECK_INT(number_of(again.tenant), 3);
    CHECK_INT(number_of(old.tenant), 1);
    tenants_unpin(w.tenants, &old);
    tenants_unpin(w.tenants, &other);
    tenants_unpin(w.tenants, &again);
    close_world(&w);
}

static void *
load_one(void *arg)
{
    struct world *w = arg;
    struct tenant_pin pin;

    if (tenants_get(w->tenants, "acme", NEVER, &pin, NULL) != E_OK) {
        w->wrong++;
        return NULL;
    }
    w->wrong += number_of(pin.tenant) != (int64_t)w->awaited;
    tenants_unpin(w->tenants, &pin);
    return NULL;
}

static void
a_full_table_of_loads_is_not_ready(void **unused)
{
    struct world w;
    pthread_t thread;
    struct tenant_pin pin;

    (void)unused;
    open_world(&w, 1);
    w.hold = true;
    pthread_create(&thread, NULL, load_one, &w);
    sem_wait(&w.reading);
    expect_error(&w, "beta", E_NOT_READY);
    CHECK_INT(tenants_get(w.tenants, "acme", 1, &pin, NULL), E_TIMEOUT);
    w.arrived = w.awaited = 1;
    sem_post(&w.go);
    pthread_join(thread, NULL);
    CHECK_INT(w.reads, 1);
    close_world(&w);
}

static void
who_is_not_there_takes_no_place(void **unused)
{
    struct world w;
    char id[16];
    struct tenant_pin pin;

    (void)unused;
    open_world(&w, 2);
    pin = must_get(&w, "acme");
    for (int i = 0; i < 1000; i++) {
        snprintf(id, sizeof id, "none%d", i);
        expect_error(&w, id, E_NO_TENANT);
    }
    CHECK_INT(w.reads, 1);
    CHECK_INT(tenants_counters(w.tenants).cache.size, 1);
    CHECK_INT(tenants_counters(w.tenants).cache.evictions, 0);
    tenants_unpin(w.tenants, &pin);
    close_world(&w);
}

/* ---- What is kept, and for how long ---- */

static void
tenant_load_failure_not_sticky(void **unused)
{
    struct world w;
    struct tenant_pin pin;

    (void)unused;
    open_world(&w, 100);
    w.fail = true;
    expect_error(&w, "acme", E_IO);
    w.fail = false;
    expect_error(&w, "acme", E_IO); /* A storm of callers reads it once, */
    CHECK_INT(w.reads, 1);
    fake_clock_pass(&w.clock, 5 * S); /* for five seconds. */
    pin = must_get(&w, "acme");
    CHECK_INT(w.reads, 2);
    tenants_unpin(w.tenants, &pin);

    w.fail = true;
    w.inode = 2; /* A change to the worse, */
    expect_error(&w, "acme", E_IO);
    w.fail = false;
    w.inode = 3; /* and at once to the better. */
    pin = must_get(&w, "acme");
    CHECK_INT(w.reads, 4);
    CHECK_INT(tenants_counters(w.tenants).cache.load_failures, 2);
    expect_told(&w, "load_failed acme;loaded acme;invalidated acme;load_failed acme;"
                    "loaded acme;");
    tenants_unpin(w.tenants, &pin);
    close_world(&w);
}

static void
it_is_read_anew_when_its_file_changes_or_it_is_old(void **unused)
{
    struct world w;
    struct tenant_pin old, pin;

    (void)unused;
    open_world(&w, 100);
    old = must_get(&w, "acme");
    w.inode = 2;
    pin = must_get(&w, "acme");
    CHECK(pin.tenant != old.tenant);
    CHECK_INT(w.reads, 2);
    tenants_unpin(w.tenants, &pin);
    fake_clock_pass(&w.clock, 300 * S - 1);
    pin = must_get(&w, "acme");
    CHECK_INT(w.reads, 2);
    tenants_unpin(w.tenants, &pin);
    fake_clock_pass(&w.clock, 1);
    pin = must_get(&w, "acme");
    CHECK_INT(w.reads, 3);
    CHECK_INT(number_of(old.tenant), 1);
    tenants_unpin(w.tenants, &pin);
    tenants_unpin(w.tenants, &old);
    close_world(&w);
}

static void
a_look_that_does_not_wait(void **unused)
{
    struct world w;
    struct tenant_pin pin;

    (void)unused;
    open_world(&w, 100);
    CHECK(!tenants_peek(w.tenants, "acme", false, &pin));
    pin = must_get(&w, "acme");
    tenants_unpin(w.tenants, &pin);
    CHECK(tenants_peek(w.tenants, "acme", false, &pin));
    tenants_unpin(w.tenants, &pin);
    fake_clock_pass(&w.clock, S);
    CHECK(!tenants_peek(w.tenants, "acme", false, &pin));
    pin = must_get(&w, "acme");
    tenants_unpin(w.tenants, &pin);
    CHECK(tenants_peek(w.tenants, "acme", false, &pin));
    tenants_unpin(w.tenants, &pin);
    w.fail = true;
    expect_error(&w, "beta", E_IO);
    CHECK(!tenants_peek(w.tenants, "beta", true, &pin));
    CHECK_INT(w.reads, 2);
    close_world(&w);
}

/* ---- Races ---- */

static void
tenant_invalidate_during_load(void **unused)
{
    struct world w;
    pthread_t thread;
    struct tenant_pin pin;

    (void)unused;
    open_world(&w, 100);
    w.hold = true;
    w.awaited = w.arrived = 2; /* The second read is what the caller gets. */
    pthread_create(&thread, NULL, load_one, &w);
    sem_wait(&w.reading);
    CHECK_INT(tenants_forget(w.tenants, "acme"), 1);
    sem_post(&w.go);
    sem_wait(&w.reading); /* What was read is thrown away, and read once more. */
    sem_post(&w.go);
    pthread_join(thread, NULL);
    CHECK_INT(w.reads, 2);
    w.hold = false;
    pin = must_get(&w, "acme");
    CHECK_INT(number_of(pin.tenant), 2);
    tenants_unpin(w.tenants, &pin);

    tenants_forget(w.tenants, NULL); /* And once is enough: the third is not kept. */
    w.hold = true;
    w.awaited = w.arrived = 4;
    pthread_create(&thread, NULL, load_one, &w);
    for (int i = 0; i < 2; i++) {
        sem_wait(&w.reading);
        tenants_forget(w.tenants, NULL);
        sem_post(&w.go);
    }
    pthread_join(thread, NULL);
    CHECK_INT(w.reads, 4);
    w.hold = false;
    pin = must_get(&w, "acme");
    CHECK_INT(w.reads, 5);
    tenants_unpin(w.tenants, &pin);
    close_world(&w);
}

#define IDS 150

static void
cross_talk(void *arg, unsigned number)
{
    struct world *w = arg;
    struct tenant_pin pin;
    char id[16];

    for (unsigned i = 0; i < scaled(200); i++) {
        snprintf(id, sizeof id, "t%u", (number * 7 + i * 13) % IDS);
        if (tenants_get(w->tenants, id, NEVER, &pin, NULL) != E_OK) {
            w->wrong++;
            continue;
        }
        w->wrong +=
            strcmp(tenant_id(pin.tenant), id) != 0 ||
            strcmp(json_string_value(json_object_get(tenant_section(pin.tenant, "client"), "name")),
                   id) != 0;
        if ((number + i) % 50 == 0) {
            tenants_forget(w->tenants, id);
        }
        tenants_unpin(w->tenants, &pin);
    }
}

static void
tenant_100_threads_150_ids_no_cross_talk(void **unused)
{
    struct world w;
    struct slots_counters c;

    (void)unused;
    open_world(&w, 100);
    threads_run(100, cross_talk, &w);
    c = tenants_counters(w.tenants).cache;
    CHECK(c.size <= 100);
    CHECK_INT(c.misses + c.hits + c.double_loads, 100 * scaled(200));
    close_world(&w);
}

/* ---- Parts ---- */

struct part {
    char of[TENANT_ID_SIZE];
};
static _Atomic unsigned parts_made, parts_live;
static _Atomic bool parts_fail;

static enum err
part_make(const struct tenant *tenant, void *arg, struct part **part, struct fault *f)
{
    struct world *w = arg;

    parts_made++;
    while (w->arrived < w->awaited) {
        sched_yield();
    }
    if (parts_fail) {
        return fault_set(f, E_NOT_READY, "not now");
    }
    *part = xcalloc(1, sizeof **part);
    snprintf((*part)->of, sizeof(*part)->of, "%s", tenant_id(tenant));
    parts_live++;
    return E_OK;
}

static void
part_free(struct part *part)
{
    parts_live--;
    free(part);
}

TENANT_PART(thing, struct part, part_make, part_free)

static void
use_part(void *arg, unsigned number)
{
    struct world *w = arg;
    struct tenant_pin pin;
    struct part *part;

    (void)number;
    w->arrived++;
    if (tenants_get(w->tenants, "acme", NEVER, &pin, NULL) != E_OK ||
        tenant_thing(pin.tenant, w, NEVER, &part, NULL) != E_OK) {
        w->wrong++;
        return;
    }
    w->wrong += strcmp(part->of, "acme") != 0;
    tenants_unpin(w->tenants, &pin);
}

static void
parts_live_and_die_with_their_settings(void **unused)
{
    struct world w;
    struct tenant_pin old, fresh;
    struct part *a, *b;

    (void)unused;
    parts_made = parts_live = 0;
    open_world(&w, 100);
    w.awaited = 20;
    threads_run(20, use_part, &w);
    CHECK_INT(parts_made, 1);
    old = must_get(&w, "acme");
    CHECK_INT(tenant_thing(old.tenant, &w, NEVER, &a, NULL), E_OK);
    CHECK_INT(parts_made, 1);
    w.inode = 2;
    fresh = must_get(&w, "acme");
    CHECK_INT(tenant_thing(fresh.tenant, &w, NEVER, &b, NULL), E_OK);
    CHECK(a != b);
    CHECK_STR(a->of, "acme"); /* It is there as long as whose it is. */
    CHECK_INT(parts_live, 2);
    tenants_unpin(w.tenants, &old);
    CHECK_INT(parts_live, 1);
    tenants_unpin(w.tenants, &fresh);

    fresh = must_get(&w, "beta");
    parts_fail = true;
    CHECK_INT(tenant_thing(fresh.tenant, &w, NEVER, &b, NULL), E_NOT_READY);
    parts_fail = false;
    CHECK_INT(tenant_thing(fresh.tenant, &w, NEVER, &b, NULL), E_OK);
    tenants_unpin(w.tenants, &fresh);
    close_world(&w);
    CHECK_INT(parts_live, 0);
}

/* ---- Files ---- */

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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tenant_same_object_same_id),
        cmocka_unit_test(tenant_first_access_20_threads),
        cmocka_unit_test(tenant_different_keys_independent),
        cmocka_unit_test(tenant_lru_100_then_101st_evicts_oldest),
        cmocka_unit_test(tenant_evicted_slot_survives_while_referenced),
        cmocka_unit_test(a_full_table_of_loads_is_not_ready),
        cmocka_unit_test(who_is_not_there_takes_no_place),
        cmocka_unit_test(tenant_load_failure_not_sticky),
        cmocka_unit_test(it_is_read_anew_when_its_file_changes_or_it_is_old),
        cmocka_unit_test(a_look_that_does_not_wait),
        cmocka_unit_test(tenant_invalidate_during_load),
        cmocka_unit_test(tenant_100_threads_150_ids_no_cross_talk),
        cmocka_unit_test(parts_live_and_die_with_their_settings),
        cmocka_unit_test_setup_teardown(files_are_read_with_their_variables, open_project,
                                        close_project),
        cmocka_unit_test_setup_teardown(hostile_files_are_refused, open_project, close_project),
        cmocka_unit_test_setup_teardown(changes_are_checked_merged_and_seen_at_once, open_project,
                                        close_project),
        cmocka_unit_test_setup_teardown(of_many_writers_of_one_version_one_wins, open_project,
                                        close_project),
        cmocka_unit_test_setup_teardown(lists_are_sorted_and_hold_ids_only, open_project,
                                        close_project),
    };
    return CHECK_RUN(tests);
}

/* test_suspension.c -- whose streams end when a tenant is served no more, and whose do not.  What
 * clients see of it is in tests/transport/test_tenants.c. */
#include "tests/check.h"

#include "handlers/dispatch_private.h"
#include "handlers/suspension.h"
#include "state/bus.h"
#include "state/bus_reader.h"
#include "state/state.h"
#include "tests/fakes.h"

#include <stdio.h>

struct rig {
    struct fake_clock clock;
    struct fake_project project;
    struct pool *pool;
    struct dispatcher *d;
};

static void
rig_init(struct rig *r)
{
    static const struct dispatch_limits limits = {
        .json = JSON_LIMITS_INIT, .calls = 8, .calls_per_session = 8, .call_ns = INT64_C(1) << 40};

    fake_clock_init(&r->clock);
    fake_project_init(&r->project, &r->clock.clock);
    r->pool = pool_create(1, 1, 8);
    r->d = dispatcher_create(r->project.state, r->pool, &limits);
    fake_project_tenant(&r->project, "acme");
    fake_project_tenant(&r->project, "beta");
}

static void
rig_fini(struct rig *r)
{
    dispatch_drain(r->d);
    pool_destroy(r->pool);
    dispatcher_destroy(r->d);
    fake_project_fini(&r->project);
}

static void
ignore(void *arg)
{
    (void)arg;
}

static struct bus_reader *
read_as(struct rig *r, const char *tenant, enum err want)
{
    struct envelope env = {.transport = TRANSPORT_HTTP, .client_id = slice_of(tenant)};
    struct bus_reader_options options = {.wake = ignore};
    struct bus_reader_start start;
    struct bus_reader *reader;
    struct fault f = FAULT_INIT;

    CHECK_INT(dispatch_read_events(r->d, &env, &options, &reader, &start, &f), want);
    return reader;
}

/* Reads all there is.  True if the last is that the reader is over, for its tenant's sake. */
static bool
is_over(struct bus_reader *reader)
{
    struct bus_item item = {.kind = BUS_ITEM_EVENT};

    while (item.kind != BUS_ITEM_OVER && bus_reader_take(reader, &item, 1, NULL) > 0) {
        bus_event_unref(item.event);
    }
    CHECK(item.kind != BUS_ITEM_OVER || item.over == BUS_OVER_TENANT);
    return item.kind == BUS_ITEM_OVER;
}

static void
set_status(struct rig *r, const char *id, const char *status)
{
    struct dir *folder = NULL;
    char name[80], text[300];

    snprintf(name, sizeof name, "%s.json", id);
    snprintf(text, sizeof text,
             "{\"client\":{\"id\":\"%s\",\"name\":\"N\",\"short_name\":\"S\",\"timezone\":\"UTC\"},"
             "\"_meta\":{\"status\":\"%s\"}}",
             id, status);
    CHECK(dir_sub(r->project.data, "tenants", true, &folder, NULL) == E_OK);
    CHECK(dir_write(folder, name, slice_of(text), NULL) == E_OK);
    dir_unref(folder);
}

static void
only_who_is_suspended_is_cut(void **state)
{
    struct rig r;
    struct bus_reader *acme, *beta, *nobody;

    (void)state;
    rig_init(&r);
    CHECK(!suspension_tick(r.d)); /* Nobody reads. */
    acme = read_as(&r, "acme", E_OK);
    beta = read_as(&r, "beta", E_OK);
    nobody = read_as(&r, "default", E_OK);
    CHECK(suspension_tick(r.d));
    CHECK(!is_over(acme) && !is_over(beta) && !is_over(nobody));
    set_status(&r, "acme", "suspended");
    bus_publish(state_bus(r.project.state),
                &(struct bus_draft){.topic = "a.b", .tenant = "acme"}); /* Dropped with it. */
    CHECK(suspension_tick(r.d));
    CHECK(is_over(acme));
    CHECK(!is_over(beta) && !is_over(nobody));
    CHECK(read_as(&r, "acme", E_TENANT) == NULL);
    bus_publish(state_bus(r.project.state), &(struct bus_draft){.topic = "a.b"});
    CHECK(bus_reader_stats(acme).waiting == 0 && !is_over(acme)); /* Once, and nothing after it. */
    bus_reader_close(acme);

    set_status(&r, "acme", "active");
    CHECK(suspension_tick(r.d));
    fake_clock_pass(&r.clock, INT64_C(10000000000));
    acme = read_as(&r, "acme", E_OK); /* It may come back. */
    bus_reader_close(acme);
    bus_reader_close(beta);
    bus_reader_close(nobody);
    CHECK(!suspension_tick(r.d));
    rig_fini(&r);
}

static void
one_that_is_gone_is_cut(void **state)
{
    struct rig r;
    struct bus_reader *acme;
    struct dir *folder = NULL;

    (void)state;
    rig_init(&r);
    acme = read_as(&r, "acme", E_OK);
    CHECK(suspension_tick(r.d));
    CHECK(!is_over(acme));
    CHECK(dir_sub(r.project.data, "tenants", true, &folder, NULL) == E_OK);
    CHECK(dir_remove(folder, "acme.json", NULL) == E_OK);
    dir_unref(folder);
    CHECK(suspension_tick(r.d));
    CHECK(is_over(acme));
    bus_reader_close(acme);
    rig_fini(&r);
}

/* A file that nobody can read is somebody's mistake, and no suspension. */
static void
one_that_cannot_be_read_is_not_cut(void **state)
{
    struct rig r;
    struct bus_reader *acme;
    struct dir *folder = NULL;

    (void)state;
    rig_init(&r);
    acme = read_as(&r, "acme", E_OK);
    CHECK(dir_sub(r.project.data, "tenants", true, &folder, NULL) == E_OK);
    CHECK(dir_write(folder, "acme.json", SLICE("{"), NULL) == E_OK);
    dir_unref(folder);
    CHECK(suspension_tick(r.d));
    CHECK(!is_over(acme));
    bus_reader_close(acme);
    rig_fini(&r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_who_is_suspended_is_cut),
        cmocka_unit_test(one_that_is_gone_is_cut),
        cmocka_unit_test(one_that_cannot_be_read_is_not_cut),
    };
    return CHECK_RUN(tests);
}

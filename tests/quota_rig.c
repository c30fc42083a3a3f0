/* quota_rig.c -- makes what a tracker needs, and asks it. */
#include "tests/quota_rig.h"

#include "state/bus.h"
#include "state/quota_journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOLD_MAX 4096u

static void
must(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "quota_rig: %s\n", what);
        abort();
    }
}

static void
set(struct settings *s, const char *key, const char *value)
{
    struct fault f = FAULT_INIT;
    int setting = setting_find(slice_of(key));

    must(setting >= 0, key);
    must(settings_set(s, (enum setting)setting, value, ORIGIN_FILE, &f) == E_OK, f.text);
}

static struct quota *
start(struct quota_rig *rig)
{
    struct quota_options options = {
        .clock = &rig->clock.clock, .settings = rig->settings, .bus = rig->bus};
    struct quota *quota;

    if (rig->shared) {
        options.store = fake_store_open(&rig->database);
    } else {
        must(quota_journal_open(tree_dir(rig->tree), clock_wall(&rig->clock.clock), &options.store,
                                NULL) == E_OK,
             "no journal");
    }
    must(quota_create(&options, &quota, NULL) == E_OK, "no tracker");
    return quota;
}

void
quota_rig_init(struct quota_rig *rig, const char *services, bool shared)
{
    struct bus_options bus = BUS_OPTIONS_INIT;

    memset(rig, 0, sizeof *rig);
    fake_clock_init(&rig->clock);
    bus.clock = &rig->clock.clock;
    bus.history = TOLD_MAX;
    rig->bus = bus_create(&bus);
    rig->tree = tree_create();
    rig->shared = shared;
    fake_database_init(&rig->database);
    rig->settings = settings_create();
    set(rig->settings, "quota.services", services ? services : RIG_SERVICES);
    set(rig->settings, "quota.sync_interval", "1h"); /* What is due would hide what is not. */
    rig->quota = start(rig);
}

void
quota_rig_fini(struct quota_rig *rig)
{
    quota_destroy(rig->quota);
    bus_destroy(rig->bus);
    settings_unref(rig->settings);
    fake_database_fini(&rig->database);
    tree_destroy(rig->tree);
}

void
quota_rig_restart(struct quota_rig *rig)
{
    quota_destroy(rig->quota);
    rig->quota = start(rig);
}

void
quota_rig_crash(struct quota_rig *rig)
{
    struct tree *left = rig->tree;
    struct quota *crashed = rig->quota;

    rig->tree = tree_create();
    if (dir_is_folder(tree_dir(left), "quota")) {
        char path[64];
        snprintf(path, sizeof path, "/proc/self/fd/%d/quota", dir_fd(tree_dir(left)));
        tree_copy(rig->tree, path, "quota");
    }
    rig->quota = start(rig);
    quota_destroy(crashed);
    tree_destroy(left);
}

struct quota *
quota_rig_second(struct quota_rig *rig)
{
    must(rig->shared, "a journal is one process'");
    return start(rig);
}

void
quota_rig_set(struct quota_rig *rig, const char *key, const char *value)
{
    struct settings *next = settings_create();

    for (int i = 0; i < SETTING_COUNT; i++) {
        if (rig->settings->origins[i] != ORIGIN_DEFAULT) {
            struct buf text = BUF_INIT;
            settings_show(rig->settings, (enum setting)i, &text);
            set(next, setting_row((enum setting)i)->key, text.data ? text.data : "");
            buf_fini(&text);
        }
    }
    set(next, key, value);
    next->version = rig->settings->version + 1;
    settings_unref(rig->settings);
    rig->settings = next;
    quota_follow(rig->quota, next);
}

static struct quota_ask
ask(const char *service, uint64_t n, bool high)
{
    return (struct quota_ask){.tenant = "default", .service = service, .count = n, .high = high};
}

struct quota_view
rig_check(struct quota_rig *rig, const char *service, bool high)
{
    struct quota_ask a = ask(service, 1, high);
    struct quota_view view;

    must(quota_check(rig->quota, &a, &view, NULL) == E_OK, "check");
    return view;
}

uint64_t
rig_used(struct quota_rig *rig, const char *service)
{
    return rig_check(rig, service, false).used;
}

enum err
rig_acquire(struct quota_rig *rig, const char *service, uint64_t n, bool high)
{
    struct quota_ask a = ask(service, n, high);
    struct quota_view view;
    enum err err = quota_acquire(rig->quota, &a, &view, NULL);

    must(err == E_OK || err == E_OVER_QUOTA, "acquire");
    return err;
}

void
rig_record(struct quota_rig *rig, const char *service, uint64_t n)
{
    struct quota_ask a = ask(service, n, false);
    struct quota_view view;

    must(quota_record(rig->quota, &a, &view, NULL) == E_OK, "record");
}

unsigned
rig_told(struct quota_rig *rig, const char *topic)
{
    struct bus_event **events = xcalloc(TOLD_MAX, sizeof *events);
    struct bus_query query = {.patterns = NULL};
    size_t count = bus_recent(rig->bus, &query, events, TOLD_MAX);
    unsigned told = 0;

    for (size_t i = 0; i < count; i++) {
        told += slice_is(events[i]->topic, topic);
        bus_event_unref(events[i]);
    }
    free(events);
    return told;
}

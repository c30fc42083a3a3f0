/* test_workflow_store_disk.c -- live sessions on a disk that is full, gone or damaged, and that
 * another process writes to as well: old or new state, whole. */
#include "tests/check.h"

#include "tests/workflow_rig.h"

#include "state/base/json_put.h"
#include "state/session_file.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static void
another_process_wins_or_loses_whole(void **state)
{
    struct store_rig rig;
    struct workflow_store *other;
    struct store_rig second;
    struct fault f = FAULT_INIT;
    char id[RECORD_ID_SIZE];
    enum record_state at;
    bool resumed;
    (void)state;

    store_rig_init(&rig);
    CHECK_INT(store_rig_start(&rig, "pack", "a", false, id, &resumed, &f), E_OK);
    CHECK_INT(workflow_store_create(&rig.options, &other, &f), E_OK);
    second = rig;
    second.store = other;
    rig.no_content = second.no_content = true; /* 'second' counts apart. */
    CHECK_INT(store_rig_complete(&second, id, 0, true, 2, &f), E_OK);
    CHECK_INT(store_rig_complete(&rig, id, 0, true, 1, &f), E_CONFLICT);
    CHECK(strstr(f.text, "another process"));
    CHECK_INT(workflow_store_counters(rig.store).conflicts, 1);
    CHECK_INT(store_rig_completed(&rig, id, &at), 1); /* Reloaded: the truth. */
    CHECK_INT(store_rig_complete(&rig, id, 0, true, 1, &f), E_STATE);
    CHECK_INT(store_rig_complete(&rig, id, 1, true, 1, &f), E_OK);
    CHECK_INT(workflow_store_delete(other, id, &f), E_OK);
    CHECK_INT(store_rig_complete(&rig, id, 2, true, 1, &f), E_NOT_FOUND);
    workflow_store_destroy(other);
    store_rig_fini(&rig);
}

static void
a_save_that_fails_changes_nothing(void **state)
{
    struct store_rig rig;
    struct fault f = FAULT_INIT;
    char id[RECORD_ID_SIZE], lock[64];
    enum record_state at;
    bool resumed;
    int fd;
    struct flock flock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    (void)state;

    store_rig_init(&rig);
    rig.options.lock_ns = 10000000;
    store_rig_restart(&rig);
    CHECK_INT(store_rig_start(&rig, "pack", "a", false, id, &resumed, &f), E_OK);
    snprintf(lock, sizeof lock, "%s.lock", id);
    fd = dir_open_at(rig.dir, lock, O_RDWR | O_CREAT, 0600);
    CHECK(fcntl(fd, F_OFD_SETLK, &flock) == 0);
    CHECK_INT(store_rig_complete(&rig, id, 0, true, 1, &f), E_TIMEOUT);
    CHECK_INT(workflow_store_delete(rig.store, id, &f), E_TIMEOUT);
    CHECK_INT(store_rig_completed(&rig, id, &at), 0);
    close(fd);
    CHECK_INT(store_rig_complete(&rig, id, 0, true, 1, &f), E_OK);
    CHECK_INT(store_rig_completed(&rig, id, &at), 1);
    store_rig_fini(&rig);
}

/* From here on no file can grow, as on a disk that is full. */
static void
fill_the_disk(bool full)
{
    struct rlimit limit;

    signal(SIGXFSZ, full ? SIG_IGN : SIG_DFL);
    CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = full ? 16 : limit.rlim_max;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void
what_a_crash_leaves_is_removed_at_the_start(void **state)
{
    static const char left[] = ".0a1b2c3d-0000-4000-8000-00000000000f.json.0123456789abcdef.tmp";
    struct store_rig rig;
    (void)state;

    store_rig_init(&rig);
    close(dir_open_at(rig.dir, left, O_WRONLY | O_CREAT, 0600));
    CHECK(dir_is_file(rig.dir, left));
    store_rig_restart(&rig);
    CHECK(!dir_is_file(rig.dir, left));
    store_rig_fini(&rig);
}

/* Whatever needs a descriptor fails as that; nothing is removed, and nothing is lost. */
static void
without_descriptors_nothing_is_cleaned_up(void **state)
{
    struct rlimit before, none;
    struct store_rig rig, other;
    struct fault f = FAULT_INIT;
    char id[RECORD_ID_SIZE];
    size_t cleaned;
    unsigned swept;
    bool resumed;
    enum err changed;
    enum record_state at;
    (void)state;

    store_rig_init(&rig);
    CHECK_INT(store_rig_start(&rig, "pack", "a", false, id, &resumed, &f), E_OK);
    store_rig_open(&other, rig.path); /* It has read nothing yet. */
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
    cleaned = workflow_store_clean(other.store);
    swept = session_file_sweep(rig.dir);
    changed = store_rig_complete(&rig, id, 0, true, 1, &f);
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &before), 0);
    CHECK_INT(cleaned, 0);
    CHECK_INT(swept, 0);
    CHECK_INT(changed, E_IO);
    CHECK(f.text[0]);
    CHECK_INT(store_rig_completed(&rig, id, &at), 0);
    CHECK_INT(store_rig_complete(&rig, id, 0, true, 1, &f), E_OK);
    CHECK_INT(store_rig_completed(&other, id, &at), 1);
    store_rig_fini(&other);
    store_rig_fini(&rig);
}

static void
a_full_disk_loses_nothing(void **state)
{
    struct store_rig rig;
    struct dir_list files;
    struct fault f = FAULT_INIT;
    char id[RECORD_ID_SIZE], other[RECORD_ID_SIZE];
    enum err changed, started;
    enum record_state at;
    bool resumed;
    (void)state;

    store_rig_init(&rig);
    CHECK_INT(store_rig_start(&rig, "pack", "a", false, id, &resumed, &f), E_OK);
    fill_the_disk(true);
    changed = store_rig_complete(&rig, id, 0, true, 1, &f);
    started = store_rig_start(&rig, "pack", "b", false, other, &resumed, NULL);
    fill_the_disk(false);
    CHECK_INT(changed, E_IO);
    CHECK_INT(started, E_IO);
    CHECK_INT(store_rig_completed(&rig, id, &at), 0);
    CHECK_INT(dir_list(rig.dir, ".", 10, &files, NULL), E_OK);
    CHECK_INT(files.count, 1);
    dir_list_fini(&files);
    CHECK_INT(dir_sweep(rig.dir), 0);
    CHECK_INT(store_rig_complete(&rig, id, 0, true, 1, &f), E_OK);
    CHECK_INT(store_rig_start(&rig, "pack", "b", false, other, &resumed, &f), E_OK);
    CHECK(!resumed);
    CHECK_INT(workflow_store_counters(rig.store).on_disk.all, 2);
    store_rig_fini(&rig);
}

static void
a_folder_that_has_gone(void **state)
{
    struct store_rig rig;
    struct session_summary **list;
    struct fault f = FAULT_INIT;
    char id[RECORD_ID_SIZE];
    size_t count, unreadable;
    bool resumed;
    (void)state;

    store_rig_init(&rig);
    CHECK(rmdir(rig.path) == 0);
    CHECK(store_rig_start(&rig, "pack", "a", false, id, &resumed, &f) != E_OK);
    CHECK(f.text[0]);
    CHECK_INT(workflow_store_clean(rig.store), 0);
    if (workflow_store_list(rig.store, -1, &list, &count, &unreadable, &f) == E_OK) {
        CHECK_INT(count, 0);
        free(list);
    }
    store_rig_fini(&rig);
}

static void
a_damaged_file_is_set_aside(void **state)
{
    struct store_rig rig;
    struct session_view view;
    struct session_summary **list;
    struct fault f = FAULT_INIT;
    char id[RECORD_ID_SIZE], again[RECORD_ID_SIZE], name[64];
    size_t count, unreadable;
    bool resumed;
    (void)state;

    store_rig_init(&rig);
    CHECK_INT(store_rig_start(&rig, "pack", "a", false, id, &resumed, &f), E_OK);
    workflow_store_forget(rig.store, id);
    store_rig_file(id, name);
    CHECK_INT(dir_write(rig.dir, name, SLICE("{\"session_id\": 1"), &f), E_OK);
    CHECK_INT(workflow_store_list(rig.store, -1, &list, &count, &unreadable, &f), E_OK);
    CHECK_INT(count, 0);
    CHECK_INT(unreadable, 1);
    free(list);
    CHECK(dir_is_file(rig.dir, name)); /* Listing leaves it. */
    CHECK_INT(workflow_store_get(rig.store, id, &view, &f), E_IO);
    CHECK(strstr(f.text, "set aside as") && f.remedy[0]);
    CHECK(!dir_is_file(rig.dir, name));
    CHECK_INT(workflow_store_get(rig.store, id, &view, &f), E_NOT_FOUND);
    CHECK_INT(workflow_store_counters(rig.store).set_aside, 1);
    CHECK_INT(store_rig_start(&rig, "pack", "a", false, again, &resumed, &f), E_OK);
    CHECK(!resumed && strcmp(id, again) != 0);

    /* A start whose session turns out damaged says so once, then makes another. */
    workflow_store_forget(rig.store, again);
    store_rig_file(again, name);
    CHECK_INT(dir_write(rig.dir, name, SLICE("[]"), &f), E_OK);
    CHECK_INT(store_rig_start(&rig, "pack", "a", false, id, &resumed, &f), E_IO);
    CHECK_INT(store_rig_start(&rig, "pack", "a", false, id, &resumed, &f), E_OK);
    CHECK(!resumed);
    store_rig_fini(&rig);
}

static void
old_files_are_resumed_and_rewritten(void **state)
{
    static const char name[] = "10000000-0000-4000-8000-000000000006.json";
    struct store_rig rig;
    struct buf text = BUF_INIT;
    struct fault f = FAULT_INIT;
    struct dir *dir;
    char id[RECORD_ID_SIZE];
    json_t *raw;
    bool resumed;
    (void)state;

    store_rig_init(&rig);
    rig.phases = 6;
    CHECK_INT(dir_open("tests/fixtures/sessions", false, &dir, &f), E_OK);
    CHECK_INT(dir_read(dir, name, RECORD_FILE_MAX, &text, NULL, &f), E_OK);
    CHECK_INT(dir_write(rig.dir, name, buf_slice(&text), &f), E_OK);
    CHECK_INT(store_rig_start(&rig, "spec_creation_v1", "search", false, id, &resumed, &f), E_OK);
    CHECK(resumed);
    CHECK_INT(store_rig_complete(&rig, id, 1, true, 0, &f), E_OK);
    CHECK_INT(session_file_read(rig.dir, id, RECORD_FILE_MAX, &raw, NULL, &f), E_OK);
    CHECK_INT(record_revision(raw), 1);
    CHECK(json_object_get(raw, "vendor_extension"));
    CHECK_INT(record_phase_count(raw), 6);
    json_decref(raw);
    dir_unref(dir);
    buf_fini(&text);
    store_rig_fini(&rig);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_process_wins_or_loses_whole),
        cmocka_unit_test(a_save_that_fails_changes_nothing),
        cmocka_unit_test(what_a_crash_leaves_is_removed_at_the_start),
        cmocka_unit_test(without_descriptors_nothing_is_cleaned_up),
        cmocka_unit_test(a_full_disk_loses_nothing),
        cmocka_unit_test(a_folder_that_has_gone),
        cmocka_unit_test(a_damaged_file_is_set_aside),
        cmocka_unit_test(old_files_are_resumed_and_rewritten),
    };
    return CHECK_RUN(tests);
}

/* test_session_file.c -- session files: revisions, locks between descriptors, damage, what crashes
 * leave. */
#include "tests/check.h"

#include "tests/workflow_rig.h"

#include "state/base/json_put.h"
#include "state/session_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char id[] = "0a1b2c3d-0000-4000-8000-00000000000f";

static json_t *
make_record(void)
{
    json_t *structure = json_pack("{s:[i,i]}", "phases", 0, 1);
    struct record_start start = {id, "pack", "target", NULL, structure};
    json_t *record = record_create(&start, FAKE_CLOCK_START);

    json_decref(structure);
    return record;
}

static json_t *
next_of(json_t *record)
{
    json_t *next;

    CHECK(record_note_error(record, "RuntimeError", "x", FAKE_CLOCK_START, &next) == E_OK);
    return next;
}

static void
names(void **state)
{
    char found[RECORD_ID_SIZE];
    (void)state;

    CHECK(session_file_id("0a1b2c3d-0000-4000-8000-00000000000f.json", found));
    CHECK_STR(found, id);
    CHECK(!session_file_id("0a1b2c3d-0000-4000-8000-00000000000f.lock", found));
    CHECK(!session_file_id("0a1b2c3d-0000-4000-8000-00000000000f.json.corrupt-1", found));
    CHECK(!session_file_id("0a1b2c3d-0000-4000-8000-00000000000F.json", found));
    CHECK(!session_file_id("server.json", found));
}

static void
saves_are_compared_with_the_disk(void **state)
{
    struct store_rig rig;
    json_t *record = make_record(), *next = next_of(record), *raw;
    struct fault f = FAULT_INIT;
    struct stat st;
    (void)state;

    store_rig_init(&rig);
    CHECK_INT(session_file_read(rig.dir, id, RECORD_FILE_MAX, &raw, NULL, &f), E_NOT_FOUND);
    CHECK(strstr(f.text, id) && strstr(f.remedy, "list_sessions"));
    CHECK_INT(session_file_save(rig.dir, next, 1, RECORD_FILE_MAX, 0, &f), E_NOT_FOUND);
    CHECK_INT(session_file_save(rig.dir, record, -1, RECORD_FILE_MAX, 0, &f), E_OK);
    CHECK_INT(session_file_save(rig.dir, record, -1, RECORD_FILE_MAX, 0, &f), E_CONFLICT);
    CHECK(fstatat(dir_fd(rig.dir), "0a1b2c3d-0000-4000-8000-00000000000f.json", &st, 0) == 0);
    CHECK_INT(st.st_mode & 07777, 0600);
    CHECK(fstat(dir_fd(rig.dir), &st) == 0);
    CHECK_INT(st.st_mode & 07777, 0700);
    CHECK_INT(session_file_save(rig.dir, next, 1, RECORD_FILE_MAX, 0, &f), E_OK);
    CHECK_INT(session_file_save(rig.dir, next, 1, RECORD_FILE_MAX, 0, &f), E_CONFLICT);
    CHECK(strstr(f.text, "revision 2 on disk, 1 here") && f.remedy[0]);
    CHECK_INT(session_file_read(rig.dir, id, RECORD_FILE_MAX, &raw, NULL, &f), E_OK);
    CHECK(json_equal(raw, next));
    json_decref(raw);
    CHECK(!dir_is_file(rig.dir, "0a1b2c3d-0000-4000-8000-00000000000f.lock"));
    CHECK_INT(session_file_remove(rig.dir, id, 0, &f), E_OK);
    CHECK_INT(session_file_remove(rig.dir, id, 0, &f), E_NOT_FOUND);
    json_decref(next);
    json_decref(record);
    store_rig_fini(&rig);
}

/* Locks the session as another process would; returns the descriptor. */
static int
lock_elsewhere(struct dir *dir)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = dir_open_at(dir, "0a1b2c3d-0000-4000-8000-00000000000f.lock", O_RDWR | O_CREAT, 0600);

    CHECK(fd >= 0 && fcntl(fd, F_OFD_SETLK, &lock) == 0);
    return fd;
}

static void
a_locked_session_times_out(void **state)
{
    struct store_rig rig;
    json_t *record = make_record();
    struct fault f = FAULT_INIT;
    int fd;
    (void)state;

    store_rig_init(&rig);
    fd = lock_elsewhere(rig.dir);
    CHECK_INT(session_file_save(rig.dir, record, -1, RECORD_FILE_MAX, 20000000, &f), E_TIMEOUT);
    CHECK(strstr(f.text, "locked"));
    CHECK_INT(session_file_remove(rig.dir, id, 0, &f), E_TIMEOUT);
    CHECK_INT(session_file_sweep(rig.dir), 0); /* Its holder lives. */
    CHECK(!dir_is_file(rig.dir, "0a1b2c3d-0000-4000-8000-00000000000f.json"));
    close(fd);
    CHECK_INT(session_file_save(rig.dir, record, -1, RECORD_FILE_MAX, 0, &f),
              E_OK); /* A dead one holds nothing. */
    json_decref(record);
    store_rig_fini(&rig);
}

/* Threads that all save the same next revision: one may. */
struct savers {
    struct dir *dir;
    json_t *next;
    _Atomic unsigned saved, conflicts;
};

static void
save_once(void *arg, unsigned i)
{
    struct savers *s = arg;
    enum err err = session_file_save(s->dir, s->next, 1, RECORD_FILE_MAX, 2000000000, NULL);

    (void)i;
    atomic_fetch_add(&s->saved, err == E_OK);
    atomic_fetch_add(&s->conflicts, err == E_CONFLICT);
}

static void
descriptors_exclude_each_other(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct store_rig rig;
        json_t *record = make_record();
        struct savers s = {.next = next_of(record)};

        store_rig_init(&rig);
        s.dir = rig.dir;
        CHECK_INT(session_file_save(rig.dir, record, -1, RECORD_FILE_MAX, 0, NULL), E_OK);
        run_together(10, save_once, &s);
        CHECK_INT(s.saved, 1);
        CHECK_INT(s.conflicts, 9);
        CHECK(!dir_is_file(rig.dir, "0a1b2c3d-0000-4000-8000-00000000000f.lock"));
        json_decref(s.next);
        json_decref(record);
        store_rig_fini(&rig);
    }
}

static void
damage_is_told_and_set_aside(void **state)
{
    struct store_rig rig;
    json_t *record = make_record(), *next = next_of(record), *raw;
    struct fault f = FAULT_INIT;
    char *big = xcalloc(RECORD_FILE_MAX + 1, 1);
    (void)state;

    store_rig_init(&rig);
    CHECK_INT(dir_write(rig.dir, "0a1b2c3d-0000-4000-8000-00000000000f.json", SLICE("{\"a\":"), &f),
              E_OK);
    CHECK_INT(session_file_read(rig.dir, id, RECORD_FILE_MAX, &raw, NULL, &f), E_REFUSED);
    CHECK_INT(session_file_save(rig.dir, next, 1, RECORD_FILE_MAX, 0, &f),
              E_CONFLICT); /* Not written over. */
    CHECK_INT(session_file_set_aside(rig.dir, id, FAKE_CLOCK_START, &f), E_IO);
    CHECK(strstr(f.text, ".json.corrupt-20231114T221320.000Z"));
    CHECK(dir_is_file(rig.dir,
                      "0a1b2c3d-0000-4000-8000-00000000000f.json.corrupt-20231114T221320.000Z"));
    CHECK_INT(session_file_set_aside(rig.dir, id, FAKE_CLOCK_START, &f), E_NOT_FOUND);

    memset(big, ' ', RECORD_FILE_MAX + 1);
    CHECK_INT(dir_write(rig.dir, "0a1b2c3d-0000-4000-8000-00000000000f.json",
                        (struct slice){big, RECORD_FILE_MAX + 1}, &f),
              E_OK);
    CHECK_INT(session_file_read(rig.dir, id, RECORD_FILE_MAX, &raw, NULL, &f), E_TOO_LARGE);
    CHECK(strstr(f.text, "1048576"));
    free(big);
    json_decref(next);
    json_decref(record);
    store_rig_fini(&rig);
}

static void
what_crashes_leave_is_swept(void **state)
{
    static const char *const left[] = {
        ".0a1b2c3d-0000-4000-8000-00000000000f.json.0123456789abcdef.tmp",
        "0a1b2c3d-0000-4000-8000-00000000000f.lock",
        "1a1b2c3d-0000-4000-8000-00000000000f.lock",
    };
    struct store_rig rig;
    int fd;
    (void)state;

    store_rig_init(&rig);
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        fd = dir_open_at(rig.dir, left[i], O_WRONLY | O_CREAT, 0600);
        CHECK(fd >= 0);
        close(fd);
    }
    CHECK_INT(dir_write(rig.dir, "other.lock", SLICE(""), NULL), E_OK);
    fd = lock_elsewhere(rig.dir); /* A writer that lives keeps its own. */
    CHECK_INT(session_file_sweep(rig.dir), 1);
    CHECK(dir_is_file(rig.dir, left[0]));
    close(fd);
    CHECK_INT(session_file_sweep(rig.dir), 2);
    CHECK(!dir_is_file(rig.dir, left[0]) && !dir_is_file(rig.dir, left[1]));
    CHECK(dir_is_file(rig.dir, "other.lock"));
    store_rig_fini(&rig);
}

static void
a_folder_that_cannot_be_written(void **state)
{
    struct store_rig rig;
    json_t *record = make_record();
    struct fault f = FAULT_INIT;
    (void)state;

    store_rig_init(&rig);
    /* A folder in the place of the lock: it can be opened by nobody for writing. */
    CHECK(mkdirat(dir_fd(rig.dir), "0a1b2c3d-0000-4000-8000-00000000000f.lock", 0700) == 0);
    CHECK_INT(session_file_save(rig.dir, record, -1, RECORD_FILE_MAX, 0, &f), E_IO);
    CHECK(strstr(f.text, "cannot be locked"));
    json_decref(record);
    store_rig_fini(&rig);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(saves_are_compared_with_the_disk),
        cmocka_unit_test(a_locked_session_times_out),
        cmocka_unit_test(descriptors_exclude_each_other),
        cmocka_unit_test(damage_is_told_and_set_aside),
        cmocka_unit_test(what_crashes_leave_is_swept),
        cmocka_unit_test(a_folder_that_cannot_be_written),
    };
    return CHECK_RUN(tests);
}

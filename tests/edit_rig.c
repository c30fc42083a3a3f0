/* edit_rig.c -- see edit_rig.h. */
#include "tests/edit_rig.h"

#include "tests/check.h"

#define DEPTH 2u

void
edit_rig_set(const struct edit_rig *rig, const char *before, const char *after, const char *again)
{
    struct buf set = BUF_INIT, twice = BUF_INIT, removed = BUF_INIT;
    struct fault f = FAULT_INIT;
    json_t *value = rig->entry(), *read = NULL;

    CHECK_INT(rig->set(slice_of(before), rig->path, DEPTH, value, &set, &f), E_OK);
    CHECK_STR(set.data, after);
    CHECK_INT(rig->set(buf_slice(&set), rig->path, DEPTH, value, &twice, &f), E_OK);
    CHECK_STR(twice.data, after);
    CHECK_INT(rig->get(buf_slice(&set), rig->path, DEPTH, &read, &f), E_OK);
    CHECK(json_equal(read, value));
    CHECK_INT(rig->remove(buf_slice(&set), rig->path, DEPTH, &removed, &f), E_OK);
    CHECK_STR(removed.data ? removed.data : "", again);
    json_decref(read);
    json_decref(value);
    buf_fini(&removed);
    buf_fini(&twice);
    buf_fini(&set);
}

void
edit_rig_refuse(const struct edit_rig *rig, const struct edit_refusal *rows, size_t count)
{
    json_t *value = rig->entry();

    for (size_t i = 0; i < count; i++) {
        struct buf out = BUF_INIT;
        struct fault f = FAULT_INIT;
        enum err err = rig->set(slice_of(rows[i].file), rig->path, DEPTH, value, &out, &f);

        if (err != rows[i].err || f.line != rows[i].line ||
            (rows[i].column && f.column != rows[i].column)) {
            print_message("%s: %d at %u:%u: %s\n", rows[i].file, err, f.line, f.column, f.text);
            fail();
        }
        CHECK_INT(out.len, 0);
        CHECK_INT(rig->remove(slice_of(rows[i].file), rig->path, DEPTH, &out, NULL), rows[i].err);
        buf_fini(&out);
    }
    json_decref(value);
}

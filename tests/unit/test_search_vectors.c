/* test_search_vectors.c -- vectors as bytes find what they found as numbers, and outlive the server
 * in a file that nothing can break. */
#include "tests/check.h"

#include "state/embed_hashed.h"
#include "state/search_vector_file.h"
#include "tests/tree.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROWS 300u
#define DIMENSION 100u
#define ME "hashed/1"

static struct vectors truth; /* Of all rows. */
static struct search_vectors *set;

static char *
text_of(size_t i)
{
    return xasprintf("passage %zu of part %zu on subject %zu", i, i / 7, i % 13);
}

static int
start(void **state)
{
    struct embedder *e = embed_hashed_create(DIMENSION);
    struct slice texts[ROWS];

    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        texts[i] = slice_of(text_of(i));
    }
    CHECK_INT(embedder_embed(e, texts, ROWS, NULL, &truth, NULL), E_OK);
    CHECK_INT(search_vectors_make(7, DIMENSION, ROWS, &set, NULL), E_OK);
    for (size_t i = 0; i < ROWS; i++) {
        struct vector_row *row = &search_vectors_rows(set)[i];

        *row = (struct vector_row){.chunk = (int64_t)(1000 + i), .phase = (int)(i % 3)};
        memcpy(row->key, texts[i].data, VECTOR_KEY_SIZE);
        memcpy(row->key, &i, sizeof i);
        search_vectors_put(set, i, vectors_at(&truth, i));
        free((char *)(uintptr_t)texts[i].data);
    }
    embedder_unref(e);
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    vectors_fini(&truth);
    search_vectors_unref(set);
    return 0;
}

/* ---- Sets ---- */

static void
bytes_are_as_near_as_numbers(void **state)
{
    struct vector_near near[ROWS];
    double worst = 0;

    (void)state;
    for (size_t i = 0; i < ROWS; i += 10) {
        const float *direction = vectors_at(&truth, i);
        size_t count = search_vectors_find(set, direction, NULL, NULL, near, ROWS);

        CHECK_INT(count, ROWS);
        CHECK_INT(near[0].chunk, 1000 + i);
        for (size_t j = 0; j < count; j++) {
            size_t row = (size_t)near[j].chunk - 1000;
            double exact = vector_dot(direction, vectors_at(&truth, row), DIMENSION);

            worst = fmax(worst, fabs(exact - near[j].cosine));
            CHECK(!j || near[j - 1].cosine >= near[j].cosine);
        }
    }
    CHECK(worst < 0.01);
}

static bool
is_phase_2(const void *arg, const struct vector_row *row)
{
    return row->phase == *(const int *)arg;
}

static void
filters_come_before_places(void **state)
{
    struct vector_near near[10];
    int phase = 2, none = 9;

    (void)state;
    CHECK_INT(search_vectors_find(set, truth.data, is_phase_2, &phase, near, 10), 10);
    for (size_t i = 0; i < 10; i++) {
        CHECK_INT((near[i].chunk - 1000) % 3, 2);
    }
    CHECK_INT(search_vectors_find(set, truth.data, is_phase_2, &none, near, 10), 0);
    CHECK_INT(search_vectors_find(set, truth.data, NULL, NULL, near, 0), 0);
    CHECK_INT(search_vectors_find(set, truth.data, NULL, NULL, near, 1), 1);
    CHECK_INT(near[0].chunk, 1000);
}

static void
what_has_no_vector_is_near_to_nothing(void **state)
{
    float zero[DIMENSION] = {0};
    struct search_vectors *v;
    struct vector_near near[4];

    (void)state;
    CHECK_INT(search_vectors_make(1, 0, 3, &v, NULL), E_OK);
    CHECK_INT(search_vectors_find(v, truth.data, NULL, NULL, near, 4), 0);
    CHECK_INT(search_vectors_shape(v, DIMENSION, NULL), E_OK);
    search_vectors_put(v, 0, vectors_at(&truth, 5));
    search_vectors_put(v, 2, zero);
    search_vectors_put(v, 2, zero);
    CHECK_INT(search_vectors_info(v).there, 2);
    CHECK_INT(search_vectors_find(v, truth.data, NULL, NULL, near, 4), 1);
    CHECK_INT(search_vectors_find(v, zero, NULL, NULL, near, 4), 1);
    CHECK(near[0].cosine == 0);
    search_vectors_unref(v);
    search_vectors_unref(NULL);
}

static void
equals_stand_in_the_order_of_rows(void **state)
{
    struct search_vectors *v;
    struct vector_near near[4];

    (void)state;
    CHECK_INT(search_vectors_make(1, DIMENSION, 20, &v, NULL), E_OK);
    for (size_t i = 0; i < 20; i++) {
        search_vectors_rows(v)[i].chunk = (int64_t)(100 - i);
        search_vectors_put(v, i, vectors_at(&truth, i % 2));
    }
    CHECK_INT(search_vectors_find(v, truth.data, NULL, NULL, near, 4), 4);
    for (size_t i = 0; i < 4; i++) {
        CHECK_INT(near[i].chunk, 100 - 2 * i);
    }
    search_vectors_unref(v);
}

static void
a_copy_is_its_own(void **state)
{
    struct search_vectors *copy, *shared = search_vectors_ref(set);

    (void)state;
    CHECK_INT(search_vectors_copy(set, &copy, NULL), E_OK);
    search_vectors_put(copy, 0, vectors_at(&truth, 1));
    CHECK(memcmp(search_vectors_bytes(copy, 0).numbers, search_vectors_bytes(set, 1).numbers,
                 DIMENSION) == 0);
    CHECK(memcmp(search_vectors_bytes(copy, 0).numbers, search_vectors_bytes(shared, 0).numbers,
                 DIMENSION) != 0);
    CHECK_INT(search_vectors_info(copy).generation, 7);
    search_vectors_unref(copy);
    search_vectors_unref(shared);
}

static void
sets_are_bounded(void **state)
{
    struct search_vectors *v;
    struct fault f = FAULT_INIT;
    signed char numbers[DIMENSION] = {0};

    (void)state;
    CHECK_INT(search_vectors_make(1, 0, SIZE_MAX / 2, &v, &f), E_OVERLOAD);
    CHECK_INT(search_vectors_make(1, 8192, 65537, &v, &f), E_OVERLOAD);
    CHECK(!v && strstr(f.text, "too many"));
    CHECK_INT(search_vectors_make(1, DIMENSION, 1, &v, &f), E_OK);
    CHECK(!search_vectors_put_bytes(v, 0, (struct vector_bytes){NAN, numbers}));
    CHECK(!search_vectors_put_bytes(v, 0, (struct vector_bytes){-1, numbers}));
    CHECK(!search_vectors_put_bytes(v, 0, (struct vector_bytes){INFINITY, numbers}));
    CHECK_INT(search_vectors_info(v).there, 0);
    search_vectors_unref(v);
}

/* ---- The file ---- */

struct taken {
    size_t count, wrong, max;
};

static bool
take(void *arg, const unsigned char key[VECTOR_KEY_SIZE], struct vector_bytes bytes)
{
    struct taken *t = arg;
    size_t row = 0;

    memcpy(&row, key, sizeof row);
    t->wrong += row >= ROWS || memcmp(key, search_vectors_row(set, row)->key, VECTOR_KEY_SIZE) ||
                bytes.scale != search_vectors_bytes(set, row).scale ||
                memcmp(bytes.numbers, search_vectors_bytes(set, row).numbers, DIMENSION) != 0;
    t->count++;
    return t->count < t->max;
}

/* Opens the file, reads all of it, and tells how many records are good. */
static size_t
read_all(struct tree *tree, const char *identity)
{
    struct taken t = {.max = SIZE_MAX};
    struct vector_file *file;

    CHECK_INT(vector_file_open(tree_dir(tree), "v", identity, &file, NULL), E_OK);
    CHECK_INT(vector_file_each(file, take, &t, NULL), E_OK);
    CHECK_INT(t.wrong, 0);
    CHECK(vector_file_dimension(file) == (t.count ? DIMENSION : vector_file_dimension(file)));
    CHECK(!vector_file_dimension(file) || vector_file_records(file) == t.count);
    vector_file_close(file);
    return t.count;
}

static void
add(struct tree *tree, const char *identity, size_t from, size_t to)
{
    size_t rows[ROWS], count = 0;
    struct vector_file *file;

    for (size_t i = from; i < to; i++) {
        rows[count++] = i;
    }
    CHECK_INT(vector_file_open(tree_dir(tree), "v", identity, &file, NULL), E_OK);
    CHECK_INT(vector_file_add(file, set, rows, count, NULL), E_OK);
    vector_file_close(file);
}

static void
vectors_outlive_the_server(void **state)
{
    struct tree *tree = tree_create();
    struct taken t = {.max = 5};
    struct vector_file *file;
    struct stat st;

    (void)state;
    CHECK_INT(read_all(tree, ME), 0);
    add(tree, ME, 0, 10); /* The first time all that there is. */
    CHECK_INT(read_all(tree, ME), ROWS);
    add(tree, ME, 0, 10);
    CHECK_INT(read_all(tree, ME), ROWS + 10);
    CHECK_INT(fstatat(dir_fd(tree_dir(tree)), "v", &st, 0), 0);
    CHECK_INT(st.st_mode & 0777, 0600);
    CHECK_INT(vector_file_open(tree_dir(tree), "v", ME, &file, NULL), E_OK);
    CHECK_INT(vector_file_each(file, take, &t, NULL), E_OK);
    CHECK_INT(t.count, 5);
    CHECK_INT(vector_file_records(file), ROWS + 10);
    CHECK_INT(vector_file_replace(file, set, NULL), E_OK);
    CHECK_INT(vector_file_records(file), ROWS);
    vector_file_close(file);
    CHECK_INT(read_all(tree, ME), ROWS);
    vector_file_close(NULL);
    tree_destroy(tree);
}

static void
those_of_another_model_are_passed_over(void **state)
{
    struct tree *tree = tree_create();

    (void)state;
    add(tree, ME, 0, 1);
    CHECK_INT(read_all(tree, "ollama/other"), 0);
    CHECK_INT(read_all(tree, ME), ROWS); /* Looking takes nothing away. */
    add(tree, "ollama/other", 0, 1);
    CHECK_INT(read_all(tree, ME), 0);
    CHECK_INT(read_all(tree, "ollama/other"), ROWS);
    tree_destroy(tree);
}

/* Every byte of a record is guarded by its check, and each length leaves what is whole. */
static void
what_is_broken_is_cut_off(void **state)
{
    struct tree *tree = tree_create();
    size_t head, record;
    struct stat st;
    int fd;

    (void)state;
    add(tree, ME, 0, 1);
    fd = dir_open_at(tree_dir(tree), "v", O_RDWR, 0);
    CHECK_INT(fstat(fd, &st), 0);
    record = VECTOR_KEY_SIZE + 4 + DIMENSION + 4;
    head = (size_t)st.st_size - ROWS * record;
    for (size_t cut = 1; cut <= record; cut += 41) {
        CHECK_INT(ftruncate(fd, (off_t)(head + 9 * record + cut)), 0);
        CHECK_INT(read_all(tree, ME), cut == record ? 10 : 9);
        add(tree, ME, 20, 30); /* What is added next is whole again. */
        CHECK_INT(read_all(tree, ME), cut == record ? 20 : 19);
    }
    for (size_t at = 0; at < record; at += 17) {
        char byte;

        CHECK_INT(pread(fd, &byte, 1, (off_t)(head + 4 * record + at)), 1);
        byte = (char)(byte ^ 0x40);
        CHECK_INT(pwrite(fd, &byte, 1, (off_t)(head + 4 * record + at)), 1);
        CHECK_INT(read_all(tree, ME), 4);
        add(tree, ME, 4, 8);
        CHECK_INT(read_all(tree, ME), 8);
    }
    for (size_t at = 0; at < head; at += 13) {
        char byte;

        CHECK_INT(pread(fd, &byte, 1, (off_t)at), 1);
        byte = (char)(byte ^ 0x01);
        CHECK_INT(pwrite(fd, &byte, 1, (off_t)at), 1);
        CHECK_INT(read_all(tree, ME), 0);
        byte = (char)(byte ^ 0x01);
        CHECK_INT(pwrite(fd, &byte, 1, (off_t)at), 1);
    }
    CHECK_INT(read_all(tree, ME), 8);
    CHECK_INT(ftruncate(fd, 3), 0);
    CHECK_INT(read_all(tree, ME), 0);
    close(fd);
    tree_destroy(tree);
}

static void
what_is_no_file_is_told(void **state)
{
    struct tree *tree = tree_create();
    struct vector_file *file;
    struct fault f = FAULT_INIT;

    (void)state;
    tree_mkdir(tree, "v");
    CHECK_INT(vector_file_open(tree_dir(tree), "v", ME, &file, &f), E_IO);
    CHECK(!file && f.text[0]);
    tree_remove(tree, "v");
    tree_symlink(tree, "/etc/passwd", "v");
    CHECK_INT(vector_file_open(tree_dir(tree), "v", ME, &file, &f), E_IO);
    tree_remove(tree, "v");
    tree_mkdir(tree, "gone");
    {
        struct dir *gone;

        CHECK_INT(dir_sub(tree_dir(tree), "gone", false, &gone, NULL), E_OK);
        CHECK_INT(vector_file_open(gone, "v", ME, &file, NULL), E_OK);
        tree_remove(tree, "gone");
        CHECK_INT(vector_file_replace(file, set, &f), E_IO);
        vector_file_close(file);
        dir_unref(gone);
    }
    tree_destroy(tree);
}

int
main(void)
{
#define WITH(TEST) cmocka_unit_test_setup_teardown(TEST, start, stop)
    const struct CMUnitTest tests[] = {
        WITH(bytes_are_as_near_as_numbers),
        WITH(filters_come_before_places),
        WITH(what_has_no_vector_is_near_to_nothing),
        WITH(equals_stand_in_the_order_of_rows),
        WITH(a_copy_is_its_own),
        WITH(sets_are_bounded),
        WITH(vectors_outlive_the_server),
        WITH(those_of_another_model_are_passed_over),
        WITH(what_is_broken_is_cut_off),
        WITH(what_is_no_file_is_told),
    };
    return CHECK_RUN(tests);
}

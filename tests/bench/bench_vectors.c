/* bench_vectors.c -- what vectors cost a search: finding the nearest of 20,000 passages, keeping
 * them on disk, and making hashed ones.
 *
 * "make bench-search" runs it after what search costs without them. */
#include "state/base/clock.h"
#include "state/embed_hashed.h"
#include "state/search_vector_file.h"
#include "tests/tree.h"

#include <stdio.h>

#define PASSAGES 20000u
#define DIMENSION 768u
#define QUERIES 51u
#define MIB 1048576.0

static void
give_up(const char *what)
{
    fprintf(stderr, "bench_vectors: %s\n", what);
    exit(1);
}

static double
now_ms(void)
{
    return (double)clock_mono(clock_real()) / 1e6;
}

static int
by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Vectors of made passages, some 300 words each. */
static struct search_vectors *
make_vectors(struct embedder *e)
{
    struct search_vectors *v = NULL;
    double began = now_ms();

    if (search_vectors_make(1, DIMENSION, PASSAGES, &v, NULL) != E_OK) {
        give_up("no memory");
    }
    for (size_t i = 0; i < PASSAGES; i++) {
        struct buf text = BUF_INIT;
        struct vectors one;
        struct slice s;

        for (size_t word = 0; text.len < 1800; word++) {
            buf_addf(&text, "w%zu ", (i * 31 + word * word * 7) % 9000);
        }
        s = buf_slice(&text);
        if (embedder_embed(e, &s, 1, NULL, &one, NULL) != E_OK) {
            give_up("no vector");
        }
        search_vectors_rows(v)[i] = (struct vector_row){.chunk = (int64_t)i, .phase = (int)(i % 9)};
        memcpy(search_vectors_rows(v)[i].key, &i, sizeof i);
        search_vectors_put(v, i, one.data);
        vectors_fini(&one);
        buf_fini(&text);
    }
    printf("hashed vectors of %u numbers: %.0f us a passage of 1800 bytes\n", DIMENSION,
           (now_ms() - began) * 1e3 / PASSAGES);
    return v;
}

static bool
is_phase(const void *arg, const struct vector_row *row)
{
    return row->phase == *(const int *)arg;
}

static void
time_queries(const struct search_vectors *v, struct embedder *e, const int *phase)
{
    struct vector_near near[64];
    double took[QUERIES];

    for (size_t i = 0; i < QUERIES; i++) {
        char *text = xasprintf("what of w%zu and w%zu", i * 17, i * i);
        struct slice s = slice_of(text);
        struct vectors one;
        double began;

        if (embedder_embed(e, &s, 1, NULL, &one, NULL) != E_OK) {
            give_up("no vector");
        }
        began = now_ms();
        if (search_vectors_find(v, one.data, phase ? is_phase : NULL, phase, near, 64) != 64) {
            give_up("too little is near");
        }
        took[i] = now_ms() - began;
        vectors_fini(&one);
        free(text);
    }
    qsort(took, QUERIES, sizeof *took, by_size);
    printf("the 64 nearest of %u passages%s: median %.2f ms, worst %.2f ms\n", PASSAGES,
           phase ? " of one phase" : "", took[QUERIES / 2], took[QUERIES - 1]);
}

static bool
count(void *arg, const unsigned char key[VECTOR_KEY_SIZE], struct vector_bytes bytes)
{
    (void)key, (void)bytes;
    ++*(size_t *)arg;
    return true;
}

static void
time_file(const struct search_vectors *v)
{
    struct tree *tree = tree_create();
    struct vector_file *file = NULL;
    struct file_identity id;
    size_t records = 0;
    double began, written, read;

    if (vector_file_open(tree_dir(tree), "v", "hashed/1", &file, NULL) != E_OK) {
        give_up("no file");
    }
    began = now_ms();
    if (vector_file_replace(file, v, NULL) != E_OK) {
        give_up("the file cannot be written");
    }
    written = now_ms();
    if (vector_file_each(file, count, &records, NULL) != E_OK || records != PASSAGES ||
        dir_identity(tree_dir(tree), "v", &id, NULL) != E_OK) {
        give_up("the file cannot be read");
    }
    read = now_ms();
    printf("on disk %.1f MiB: written in %.0f ms, read in %.0f ms; in memory %.1f MiB\n",
           (double)id.size / MIB, written - began, read - written,
           PASSAGES * (DIMENSION + sizeof(float) + sizeof(struct vector_row)) / MIB);
    vector_file_close(file);
    tree_destroy(tree);
}

int
main(void)
{
    struct embedder *e = embed_hashed_create(DIMENSION);
    struct search_vectors *v = make_vectors(e);
    int phase = 4;

    time_queries(v, e, NULL);
    time_queries(v, e, &phase);
    time_file(v);
    search_vectors_unref(v);
    embedder_unref(e);
    return 0;
}

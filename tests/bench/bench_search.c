/* bench_search.c -- what search costs and how good it is: judged queries, small and large sets.
 *
 * Prints how often a relevant standard comes first and among five, with all means of ranking and
 * without each of them; what a query costs on the real standards, cached and not, and on 20,000
 * files made of their words; how long a build takes, how large the index is, and how soon an edit
 * is found.  "make bench-search" runs it. */
#include "state/search.h"
#include "state/standards.h"
#include "tests/judged.h"

#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#define STANDARDS "tests/fixtures/praxis/standards"
#define QUERIES "tests/fixtures/praxis/queries.tsv"
#define PARAPHRASED "tests/fixtures/search/paraphrased.tsv"
#define ROUNDS 5 /* Times that each query is asked, not from the cache, to be timed. */
#define LARGE 20000u
#define LARGE_WORDS 400u /* Of one made file. */

struct bench {
    struct judged_set judged;
    char **words; /* Of the real standards, in their order. */
    size_t word_count;
    uint64_t random;
};

static void
give_up(const char *what)
{
    fprintf(stderr, "bench_search: %s\n", what);
    exit(1);
}

static double
now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static size_t
pick(struct bench *b, size_t below)
{
    b->random ^= b->random << 13;
    b->random ^= b->random >> 7;
    b->random ^= b->random << 17;
    return (size_t)(b->random % below);
}

static struct search *
start(const struct tree *tree)
{
    struct search *s =
        search_create(&(struct search_options){.standards = {tree_dir(tree), "standards"},
                                               .index = {tree_dir(tree), "index"},
                                               .clock = clock_real(),
                                               .keep = true});
    struct fault f = FAULT_INIT;

    if (search_prepare(s, &f) != E_OK || search_start(s, &f) != E_OK ||
        !search_settle(s, INT64_MAX)) {
        give_up("the index could not be built");
    }
    return s;
}

static void
ask(struct search *s, const char *query, unsigned limit, struct search_answer *answer)
{
    struct search_ask ask = {.query = slice_of(query), .limit = limit, .phase = -1};
    struct fault f = FAULT_INIT;

    if (search_ask(s, &ask, answer, &f) != E_OK) {
        give_up(f.text);
    }
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Asks each judged query and prints the median and the worst time.  Answers are
 * cached by their limit: 'fresh' ones have another limit each time. */
static void
time_queries(const struct bench *b, struct search *s, bool fresh, const char *what)
{
    size_t count = 0, rounds = fresh ? ROUNDS : 1;
    double *took = xcalloc(b->judged.count * rounds, sizeof *took);

    for (size_t i = 0; i < b->judged.count * rounds; i++) {
        struct search_answer answer;
        double begin = now_ms();

        ask(s, b->judged.items[i % b->judged.count].query,
            fresh ? (unsigned)(i / b->judged.count) + 1 : ROUNDS, &answer);
        took[count++] = now_ms() - begin;
        search_release(s, &answer);
    }
    qsort(took, count, sizeof took[0], compare);
    printf("%-34s median %8.3f ms   worst %8.3f ms\n", what, took[count / 2], took[count - 1]);
    free(took);
}

/* ---- How good it is ---- */

/* Sets of queries, each with the index that it is asked of. */
struct quality {
    struct {
        const char *name;
        struct judged_set set;
        const struct tree *tree;
    } sets[4];
    struct search_store *stores[4];
    struct synonyms *synonyms;
};
#define SETS (sizeof((struct quality *)0)->sets / sizeof((struct quality *)0)->sets[0])

static void
show_row(struct quality *q, unsigned without, bool vectors, const char *what)
{
    struct search_ask ask = {.phase = -1, .synonyms = q->synonyms, .without = without};

    printf("  %-38s", what);
    for (size_t i = 0; i < SETS; i++) {
        struct judged_vectors *v = vectors ? judged_embed(q->stores[i]) : NULL;
        struct judged_figures f = judged_ask(&q->sets[i].set, q->stores[i], &ask, v);

        printf("  %4u %4u  %.3f", f.first, f.five, f.mrr);
        judged_vectors_free(v);
    }
    printf("\n");
}

/* Makes the indexes, and what belongs to them; or frees them. */
static void
make_stores(struct quality *q, bool stems)
{
    struct fault f = FAULT_INIT;

    for (size_t i = 0; i < SETS; i++) {
        q->stores[i] = judged_index(q->sets[i].tree, stems);
    }
    if (synonyms_create(SLICE(""), stems, &q->synonyms, &f) != E_OK) {
        give_up(f.text);
    }
}

static void
free_stores(struct quality *q)
{
    for (size_t i = 0; i < SETS; i++) {
        search_store_unref(q->stores[i]);
    }
    synonyms_destroy(q->synonyms);
}

static void
show_quality(const struct tree *whole)
{
    struct tree *cut = tree_create();
    struct quality q = {.sets = {{.name = "judged", .tree = whole},
                                 {.name = "misspelled", .tree = whole},
                                 {.name = "paraphrased", .tree = whole},
                                 {.name = "authors'", .tree = cut}}};

    tree_copy(cut, STANDARDS, "standards");
    judged_read(&q.sets[0].set, QUERIES);
    judged_misspell(&q.sets[1].set, &q.sets[0].set);
    judged_read(&q.sets[2].set, PARAPHRASED);
    judged_take(&q.sets[3].set, cut);
    printf("a relevant file first, among five, mean reciprocal rank, by queries\n  %-38s", "");
    for (size_t i = 0; i < SETS; i++) {
        printf("  %11s %4zu", q.sets[i].name, q.sets[i].set.count);
    }
    printf("\n");
    make_stores(&q, true);
    show_row(&q, 0, false, "all means");
#define ROW(NAME, WHAT) show_row(&q, RANK_##NAME, false, "without " WHAT);
    RANK_MEANS(ROW)
#undef ROW
    show_row(&q, 0, true, "with letters' vectors fused by rank");
    free_stores(&q);
    make_stores(&q, false);
    show_row(&q, 0, false, "without stemming");
    show_row(&q, ~0u, false, "without any of them: plain BM25");
    free_stores(&q);
    for (size_t i = 0; i < SETS; i++) {
        judged_fini(&q.sets[i].set);
    }
    tree_destroy(cut);
}

static void
report_index(struct search *s, double took_ms)
{
    struct search_status status;
    struct rusage usage;

    search_status(s, &status);
    getrusage(RUSAGE_SELF, &usage);
    printf("built in %.0f ms: %llu files, %llu passages, %.1f MiB on disk; process at most %ld "
           "MiB\n",
           took_ms, (unsigned long long)status.index.files,
           (unsigned long long)status.index.passages, (double)status.index.bytes / 1048576,
           usage.ru_maxrss / 1024);
}

/* Writes a new file and waits until it is found. */
static void
time_edit(const struct tree *tree, struct search *s)
{
    struct search_answer answer;
    double begin = now_ms();

    tree_write(tree, "standards/edited.md", "# Edited\n\nA quokka.\n");
    search_stir(s);
    search_settle(s, INT64_MAX);
    ask(s, "quokka", 5, &answer);
    if (answer.hits->count != 1) {
        give_up("the edit was not found");
    }
    search_release(s, &answer);
    printf("%-34s        %8.1f ms\n", "an edit is found after", now_ms() - begin);
}

static void
load_words(struct bench *b, const struct tree *tree)
{
    const struct dir_place at = {tree_dir(tree), "standards"};
    struct document_list list;
    size_t room = 0;

    if (standards_find(&at, &list, NULL) != E_OK) {
        give_up(STANDARDS " cannot be read");
    }
    for (size_t i = 0; i < list.count; i++) {
        struct buf text = BUF_INIT;
        char *rest, *word;

        standards_read(&at, slice_of(list.paths[i]), &text, NULL);
        rest = text.data;
        while (rest && (word = strsep(&rest, " \n"))) {
            if (b->word_count == room) {
                room = room ? 2 * room : 1024;
                b->words = xrealloc(b->words, room * sizeof *b->words);
            }
            b->words[b->word_count++] = xstrdup(word);
        }
        buf_fini(&text);
    }
    document_list_fini(&list);
}

/* One file of runs of real words, under headings. */
static void
write_made(struct bench *b, const struct tree *tree, unsigned number)
{
    struct buf text = BUF_INIT;
    char path[64];

    for (unsigned i = 0; i < LARGE_WORDS; i += 8) {
        size_t at = pick(b, b->word_count - 8);

        buf_adds(&text, i % 80 == 0 ? "\n\n## " : i % 80 == 8 ? "\n\n" : "");
        for (size_t j = at; j < at + 8; j++) {
            buf_addf(&text, "%s ", b->words[j]);
        }
    }
    snprintf(path, sizeof path, "standards/%03u/%05u.md", number / 100, number);
    tree_write(tree, path, text.data);
    buf_fini(&text);
}

static void
run_large(struct bench *b)
{
    struct tree *tree = tree_create();
    struct search *s;
    double begin;

    for (unsigned i = 0; i < LARGE; i++) {
        write_made(b, tree, i);
    }
    begin = now_ms();
    s = start(tree);
    report_index(s, now_ms() - begin);
    time_queries(b, s, true, "a query, 20,000 files");
    time_edit(tree, s);
    search_destroy(s);
    tree_destroy(tree);
}

int
main(void)
{
    static struct bench b = {.random = 88172645463325252u};
    struct tree *tree = tree_create();
    struct search *s;
    double begin;

    judged_read(&b.judged, QUERIES);
    tree_copy(tree, STANDARDS, "standards");
    load_words(&b, tree);
    begin = now_ms();
    s = start(tree);
    report_index(s, now_ms() - begin);
    time_queries(&b, s, true, "a query, the real standards");
    time_queries(&b, s, false, "the same, cached");
    time_edit(tree, s);
    search_destroy(s);
    tree_remove(tree, "standards/edited.md");
    show_quality(tree);
    tree_destroy(tree);
    run_large(&b);
    for (size_t i = 0; i < b.word_count; i++) {
        free(b.words[i]);
    }
    free(b.words);
    judged_fini(&b.judged);
    return 0;
}

/* bench_search.c -- what search costs and how good it is: judged queries, small and large sets.
 *
 * Prints how often a relevant standard comes first and among five, what a query costs on the real
 * standards, cached and not, and on 20,000 files made of their words; how long a build takes, how
 * large the index is, and how soon an edit is found.  "make bench-search" runs it. */
#include "state/search.h"
#include "state/standards.h"
#include "tests/tree.h"

#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#define STANDARDS "tests/fixtures/praxis/standards"
#define QUERIES "tests/fixtures/praxis/queries.tsv"
#define QUERIES_MAX 64
#define LARGE 20000u
#define LARGE_WORDS 400u /* Of one made file. */

struct judged {
    char line[1024];
    char *query, *relevant;
};

struct bench {
    struct judged queries[QUERIES_MAX];
    size_t count;
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

static void
read_queries(struct bench *b)
{
    FILE *file = fopen(QUERIES, "r");

    if (!file) {
        give_up(QUERIES " cannot be read");
    }
    while (b->count < QUERIES_MAX && fgets(b->queries[b->count].line, 1024, file)) {
        struct judged *j = &b->queries[b->count++];
        char *rest = j->line;

        j->query = strsep(&rest, "\t");
        j->relevant = strsep(&rest, "\n");
    }
    fclose(file);
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

    if (search_start(s, &f) != E_OK || !search_settle(s, INT64_MAX)) {
        give_up("the index could not be built");
    }
    return s;
}

static void
ask(struct search *s, const char *query, struct search_answer *answer)
{
    struct search_ask ask = {.query = slice_of(query), .limit = 5, .phase = -1};
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

/* Asks each judged query once and prints the median and the worst time. */
static void
time_queries(const struct bench *b, struct search *s, const char *what)
{
    double took[QUERIES_MAX];

    for (size_t i = 0; i < b->count; i++) {
        struct search_answer answer;
        double begin = now_ms();

        ask(s, b->queries[i].query, &answer);
        took[i] = now_ms() - begin;
        search_release(s, &answer);
    }
    qsort(took, b->count, sizeof took[0], compare);
    printf("%-34s median %8.3f ms   worst %8.3f ms\n", what, took[b->count / 2],
           took[b->count - 1]);
}

/* The place of the first relevant document among the documents found, from 1; 0: none of five. */
static unsigned
place_of(struct search *s, const struct judged *j)
{
    struct search_answer answer;
    unsigned place = 0;

    ask(s, j->query, &answer);
    for (unsigned i = 0; i < answer.hits->count && !place; i++) {
        char *list = xstrdup(j->relevant), *rest = list, *one;

        while ((one = strsep(&rest, ","))) {
            place = strcmp(one, answer.hits->items[i].path) == 0 ? i + 1 : place;
        }
        free(list);
    }
    search_release(s, &answer);
    return place;
}

static void
judge(const struct bench *b, struct search *s)
{
    unsigned first = 0, five = 0;
    double reciprocal = 0;

    for (size_t i = 0; i < b->count; i++) {
        unsigned place = place_of(s, &b->queries[i]);

        first += place == 1;
        five += place > 0;
        reciprocal += place ? 1.0 / place : 0;
    }
    printf("judged queries: a relevant file first for %u of %zu, among five for %u; MRR %.3f\n",
           first, b->count, five, reciprocal / (double)b->count);
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
    ask(s, "quokka", &answer);
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
    time_queries(b, s, "a query, 20,000 files");
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

    read_queries(&b);
    tree_copy(tree, STANDARDS, "standards");
    load_words(&b, tree);
    begin = now_ms();
    s = start(tree);
    report_index(s, now_ms() - begin);
    time_queries(&b, s, "a query, the real standards");
    time_queries(&b, s, "the same, cached");
    judge(&b, s);
    time_edit(tree, s);
    search_destroy(s);
    tree_destroy(tree);
    run_large(&b);
    for (size_t i = 0; i < b.word_count; i++) {
        free(b.words[i]);
    }
    free(b.words);
    return 0;
}

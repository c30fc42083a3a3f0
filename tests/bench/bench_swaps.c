/* bench_swaps.c -- what a swap of the index costs those who search meanwhile, how soon an edit is
 * found, and how soon a server ends that is building.
 *
 * Twenty threads search the real standards, fifty times a second each, during a thousand swaps, and
 * then for as long while nothing changes.  Of each query it is known how long it took, what of that
 * it computed, how long it stood in line for a processor, and for how long it was blocked: by a
 * lock, a load of another thread, or the disk.  Only the last can be the swap's doing.  An edit is
 * timed from outside, by a client of a real server.  "make bench-swaps" runs it. */
#include "state/search.h"
#include "state/standards.h"
#include "tests/harness_http.h"
#include "tests/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define STANDARDS "tests/fixtures/praxis/standards"
#define SEARCHERS 20
#define SWAPS 1000
#define PAUSES 18 /* A millisecond and a bit each, between two queries of a thread. */
#define EDITS 50
#define MANY 5000

static const char *const queries[] = {
    "how to retry a request safely", "what belongs into a code review", "naming of tests",
    "race conditions and locks",     "when to write a comment",         "rollback of a deployment",
};
#define QUERIES (sizeof queries / sizeof queries[0])

/* Where the time of a query went; nanoseconds. */
struct spent {
    int64_t whole, computing, in_line, blocked;
};

struct searcher {
    struct bench *bench;
    pthread_t thread;
    unsigned number;
    struct samples times;
    struct spent slowest, most_blocked;
};

struct bench {
    struct tree *tree;
    struct search *search;
    int64_t swaps_took_ns;
    _Atomic bool over;
    struct searcher searchers[SEARCHERS];
};

static void
ask(struct search *search, const char *query, unsigned *found)
{
    struct search_ask question = {.query = slice_of(query), .limit = 5, .phase = -1};
    struct search_answer answer;
    struct fault f = FAULT_INIT;

    if (search_ask(search, &question, &answer, &f) != E_OK) {
        harness_give_up(f.text);
    }
    *found = (unsigned)answer.hits->count;
    search_release(search, &answer);
}

/* The thread's time on a processor and in line for one, as the kernel counts them. */
static void
read_times(int fd, int64_t *computing, int64_t *in_line)
{
    char text[128];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    if (sscanf(text, "%" SCNd64 " %" SCNd64, computing, in_line) != 2) {
        harness_give_up("/proc/thread-self/schedstat");
    }
}

static void
search_once(struct searcher *s, int fd, unsigned round)
{
    struct spent before, now;
    char query[128];
    unsigned found;

    /* Another one each time: answers that are kept cost nothing. */
    snprintf(query, sizeof query, "%s %u.%u", queries[round % QUERIES], s->number, round);
    read_times(fd, &before.computing, &before.in_line);
    before.whole = now_ns();
    ask(s->bench->search, query, &found);
    now.whole = now_ns() - before.whole;
    read_times(fd, &now.computing, &now.in_line);
    now.computing -= before.computing;
    now.in_line -= before.in_line;
    now.blocked = now.whole - now.computing - now.in_line;
    samples_add(&s->times, now.whole);
    s->slowest = now.whole > s->slowest.whole ? now : s->slowest;
    s->most_blocked = now.blocked > s->most_blocked.blocked ? now : s->most_blocked;
}

static void *
search_on(void *arg)
{
    struct searcher *s = arg;
    int fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);

    for (unsigned round = 0; !atomic_load(&s->bench->over); round++) {
        search_once(s, fd, round);
        for (unsigned i = 0; i < PAUSES; i++) {
            look_again_soon();
        }
    }
    close(fd);
    return NULL;
}

static void
print_spent(const char *what, const struct spent *s)
{
    printf("    %-13s %8.3f ms: computed %.3f, in line for a processor %.3f, blocked %.3f\n", what,
           (double)s->whole / 1e6, (double)s->computing / 1e6, (double)s->in_line / 1e6,
           (double)s->blocked / 1e6);
}

/* Lets all search while 'act' does its work, and prints what it was like. */
static void
search_during(struct bench *b, void (*act)(struct bench *b), const char *what)
{
    struct spent slowest = {.whole = 0}, blocked = {.whole = 0};
    struct samples all = {.ns = NULL};

    atomic_store(&b->over, false);
    for (unsigned i = 0; i < SEARCHERS; i++) {
        b->searchers[i] = (struct searcher){.bench = b, .number = i};
        if (pthread_create(&b->searchers[i].thread, NULL, search_on, &b->searchers[i])) {
            harness_give_up("a thread");
        }
    }
    act(b);
    atomic_store(&b->over, true);
    for (unsigned i = 0; i < SEARCHERS; i++) {
        struct searcher *s = &b->searchers[i];

        pthread_join(s->thread, NULL);
        slowest = s->slowest.whole > slowest.whole ? s->slowest : slowest;
        blocked = s->most_blocked.blocked > blocked.blocked ? s->most_blocked : blocked;
        samples_merge(&all, &s->times);
        samples_fini(&s->times);
    }
    printf("%s: %zu queries of %d threads, median %.3f ms, 99.9 %% under %.3f ms\n", what,
           all.count, SEARCHERS, (double)samples_percentile(&all, 50) / 1e6,
           (double)samples_percentile(&all, 99.9) / 1e6);
    print_spent("the slowest", &slowest);
    print_spent("most blocked", &blocked);
    samples_fini(&all);
}

static void
do_nothing(struct bench *b)
{
    int64_t until = now_ns() + b->swaps_took_ns;

    while (now_ns() < until) {
        look_again_soon();
    }
}

static void
swap_on(struct bench *b)
{
    int64_t began = now_ns();
    char text[128];

    for (unsigned i = 0; i < SWAPS; i++) {
        snprintf(text, sizeof text, "# Edited\n\nquokka%u\n", i);
        tree_write(b->tree, "standards/edited.md", text);
        search_stir(b->search);
        search_settle(b->search, INT64_MAX);
    }
    b->swaps_took_ns = now_ns() - began;
}

static void
start(struct bench *b)
{
    struct fault f = FAULT_INIT;

    b->search = search_create(&(struct search_options){
        .standards = {tree_dir(b->tree), "standards"},
        .index = {tree_dir(b->tree), "index"},
        .clock = clock_real(),
        .keep = true,
    });
    if (search_prepare(b->search, &f) != E_OK || search_start(b->search, &f) != E_OK) {
        harness_give_up(f.text);
    }
}

static void
time_swaps(void)
{
    struct bench *b = xcalloc(1, sizeof *b);

    b->tree = tree_create();
    tree_copy(b->tree, STANDARDS, "standards");
    start(b);
    search_settle(b->search, INT64_MAX);
    search_during(b, swap_on, "1000 swaps");
    search_during(b, do_nothing, "no swaps  ");
    search_destroy(b->search);
    tree_destroy(b->tree);
    free(b);
}

/* Ends a search in the middle of a build. */
static void
time_end(void)
{
    struct bench b = {.tree = tree_create()};
    struct dir_list list = {.count = 0};
    char path[64];
    int64_t began;

    for (unsigned i = 0; i < MANY; i++) {
        snprintf(path, sizeof path, "standards/%02u/%04u.md", i / 100, i);
        tree_write(b.tree, path,
                   "# One of many\n\nIt has a word or two.\n\n## More\n\nAnd more.\n");
    }
    start(&b);
    while (dir_list(tree_dir(b.tree), "index", 10, &list, NULL) != E_OK) {
        look_again_soon(); /* Until it is at it. */
    }
    dir_list_fini(&list);
    look_again_soon();
    began = now_ns();
    search_destroy(b.search);
    printf("ended while it builds an index of %d files: after %.1f ms\n", MANY,
           (double)(now_ns() - began) / 1e6);
    tree_destroy(b.tree);
}

/* Whether a search by HTTP finds 'word'. */
static bool
finds(struct mcp_peer *peer, const char *word)
{
    char *arguments = xasprintf("{\"query\":\"%s\"}", word);
    struct mcp_outcome o = mcp_call(peer, "search_standards", arguments);
    bool found = json_array_size(json_object_get(o.result, "results")) > 0;

    outcome_fini(&o);
    free(arguments);
    return found;
}

static void
write_file(const char *root, const char *name, const char *text)
{
    char *path = xasprintf("%s/.tandem/standards/%s", root, name);
    FILE *file = fopen(path, "w");

    if (!file || fputs(text, file) < 0 || fclose(file)) {
        harness_give_up(path);
    }
    free(path);
}

/* Puts the real standards into the project, all in one folder. */
static void
copy_standards(const char *root)
{
    struct dir_place at = {.path = STANDARDS};
    char *folder = xasprintf("%s/.tandem/standards", root);
    struct document_list list;

    if (dir_open(".", false, &at.base, NULL) || standards_find(&at, &list, NULL) ||
        (mkdir(folder, 0700) && errno != EEXIST)) {
        harness_give_up(STANDARDS);
    }
    for (size_t i = 0; i < list.count; i++) {
        struct buf text = BUF_INIT;
        char *name = xasprintf("%zu.md", i);

        standards_read(&at, slice_of(list.paths[i]), &text, NULL);
        write_file(root, name, text.data);
        buf_fini(&text);
        free(name);
    }
    document_list_fini(&list);
    dir_unref(at.base);
    free(folder);
}

/* From the moment when an editor has saved until a client is told. */
static void
time_edits(void)
{
    static const char *const no_packs[] = {NULL};
    static const char *const args[] = {"--limits-call-rate", "0", NULL};
    struct findings findings = FINDINGS_INIT;
    struct samples samples = {.ns = NULL};
    char root[HARNESS_ROOT], word[32], text[64];
    struct mcp_peer peer;
    struct server server;

    harness_project(root, no_packs);
    copy_standards(root);
    server_start(&server, root, &(struct server_options){.args = args});
    mcp_open(&peer, &server.info, MCP_MODERN, 1, &findings);
    for (unsigned i = 0; i < EDITS; i++) {
        int64_t began = now_ns();

        snprintf(word, sizeof word, "quokka%u", i);
        snprintf(text, sizeof text, "# Edited\n\nA %s.\n", word);
        write_file(root, "edited.md", text);
        while (!finds(&peer, word) && now_ns() - began < PATIENCE) {
        }
        samples_add(&samples, now_ns() - began);
    }
    printf(
        "an edit is found by a client of the server: median %.0f ms, the slowest of %d %.0f ms\n",
        (double)samples_percentile(&samples, 50) / 1e6, EDITS,
        (double)samples_percentile(&samples, 100) / 1e6);
    samples_fini(&samples);
    samples_fini(&peer.samples);
    mcp_close(&peer);
    server_end(&server);
    harness_remove(root);
    findings_tell(&findings);
}

int
main(void)
{
    time_swaps();
    time_end();
    time_edits();
    return 0;
}

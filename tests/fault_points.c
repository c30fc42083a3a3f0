/* fault_points.c -- call paths by their names, and a choice among them that stays. */
#include "tests/fault_points.h"

#include "tests/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What tells a path apart: further out there is little but the ways of a thread to its work. */
#define KEY_FUNCTIONS 8u

/* ---- Names ---- */

/* Takes the next "object+0xOFFSET" of a site; true if it is in 'object'. */
static bool
next_frame(const char **site, const char *object, struct slice *frame)
{
    size_t len = strlen(object);

    *site += strspn(*site, " ");
    *frame = (struct slice){*site, strcspn(*site, " ")};
    *site += frame->len;
    return frame->len > len && memcmp(frame->data, object, len) == 0 && frame->data[len] == '+';
}

/* Has addr2line look at all frames of the program, in their order. */
static FILE *
ask(const char *program, const char *object, const char *const *sites, size_t count)
{
    char command[4096 + 128];
    int fd = memfd_create("frames", MFD_CLOEXEC);
    FILE *list = fd < 0 ? NULL : fdopen(dup(fd), "w"), *answers;

    if (!list) {
        harness_give_up("memfd_create");
    }
    for (size_t i = 0; i < count; i++) {
        const char *site = sites[i];
        struct slice frame;

        while (*site) {
            if (next_frame(&site, object, &frame)) {
                const char *offset = frame.data + strlen(object) + 1;
                fprintf(list, "%.*s\n", (int)(frame.data + frame.len - offset), offset);
            }
        }
    }
    if (fclose(list) != 0) {
        harness_give_up("frames");
    }
    snprintf(command, sizeof command, "addr2line -afi -e '%s' @/proc/%d/fd/%d </dev/null", program,
             (int)getpid(), fd);
    answers = popen(command, "r");
    if (!answers) {
        harness_give_up("addr2line");
    }
    /* The first line is there once the list has been read. */
    ungetc(getc(answers), answers);
    close(fd);
    return answers;
}

static void
add_name(struct buf *names, const char *name, size_t len, unsigned most, unsigned *added)
{
    if (*added < most) {
        if (*added) {
            buf_adds(names, " < ");
        }
        buf_add(names, name, len);
    }
    *added += 1;
}

/* Reads what addr2line tells of one frame: its address, then a function and a place for it and each
 * that it is inlined into. */
static void
add_functions(FILE *answers, struct buf *names, unsigned most, unsigned *added)
{
    char function[512], place[4096];
    int next;

    if (!fgets(function, sizeof function, answers) || strncmp(function, "0x", 2) != 0) {
        harness_give_up("addr2line tells no address");
    }
    while ((next = getc(answers)) != EOF && ungetc(next, answers) != '0') {
        if (!fgets(function, sizeof function, answers) || !fgets(place, sizeof place, answers)) {
            harness_give_up("addr2line tells no function");
        }
        if (!strstr(place, "fault_shim.c:")) {
            add_name(names, function, strcspn(function, ".\n"), most, added);
        }
    }
}

void
fault_names(const char *program, const char *const *sites, size_t count, unsigned most,
            struct buf *names)
{
    const char *object = strrchr(program, '/') ? strrchr(program, '/') + 1 : program;
    FILE *answers = ask(program, object, sites, count);

    for (size_t i = 0; i < count; i++) {
        const char *site = sites[i];
        struct slice frame;
        unsigned added = 0;

        while (*site) {
            if (next_frame(&site, object, &frame)) {
                add_functions(answers, &names[i], most, &added);
            } else {
                add_name(&names[i], frame.data, frame.len, most, &added);
            }
        }
    }
    if (getc(answers) != EOF || pclose(answers) != 0) {
        harness_give_up("addr2line");
    }
}

/* ---- Points ---- */

static int
by_first(const void *a, const void *b)
{
    const struct fault_point *x = a, *y = b;

    return (x->first > y->first) - (x->first < y->first);
}

/* By key; those of the same key in the order of their first calls. */
static int
by_key(const void *a, const void *b)
{
    const struct fault_point *x = a, *y = b;

    return x->key != y->key ? (x->key > y->key) - (x->key < y->key) : by_first(a, b);
}

/* Spreads what is near over all numbers (the finalizer of splitmix64). */
static uint64_t
spread(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

static uint64_t
hash_text(const struct buf *text)
{
    uint64_t hash = 0xCBF29CE484222325u;

    for (size_t i = 0; i < text->len; i++) {
        hash = (hash ^ (unsigned char)text->data[i]) * 0x100000001B3u;
    }
    return hash;
}

/* Gives each point its key: of its names, and of how many of the same names are before it. */
static void
set_keys(struct fault_points *points, const struct buf *names)
{
    uint64_t shared = 0;
    unsigned long before = 0;

    for (size_t i = 0; i < points->count; i++) {
        points->at[i].key = hash_text(&names[i]);
    }
    qsort(points->at, points->count, sizeof *points->at, by_key);
    for (size_t i = 0; i < points->count; i++) {
        before = i && points->at[i].key == shared ? before + 1 : 0;
        shared = points->at[i].key;
        points->at[i].key = spread(shared + before * 0x9E3779B97F4A7C15u);
    }
}

struct fault_points
fault_points_paths(const char *program, const struct fault_plan *plan)
{
    struct fault_points points = {xcalloc(FAULT_PATHS, sizeof *points.at)};
    const char **sites = xcalloc(FAULT_PATHS, sizeof *sites);
    struct buf *names = xcalloc(FAULT_PATHS, sizeof *names);

    for (size_t i = 0; i < FAULT_PATHS; i++) {
        const struct fault_path *path = &plan->paths[i];
        unsigned long hash = atomic_load(&path->hash);

        if (hash) {
            sites[points.count] = path->site;
            points.at[points.count++] = (struct fault_point){hash, path->first};
        }
    }
    if (points.count == FAULT_PATHS) {
        printf("there are more call paths than FAULT_PATHS\n");
        abort();
    }
    fault_names(program, sites, points.count, KEY_FUNCTIONS, names);
    set_keys(&points, names);
    for (size_t i = 0; i < points.count; i++) {
        buf_fini(&names[i]);
    }
    free(names);
    free(sites);
    return points;
}

struct fault_points
fault_points_calls(unsigned long calls)
{
    struct fault_points points = {xcalloc(calls, sizeof *points.at), calls};

    for (unsigned long i = 0; i < calls; i++) {
        points.at[i] = (struct fault_point){i + 1, i + 1, spread(i)};
    }
    return points;
}

unsigned long
fault_points_choose(struct fault_points *points, size_t most, unsigned long turn)
{
    size_t parts = points->count > most ? (points->count + most - 1) / most : 1,
           from = turn % parts * most;

    if (parts > 1) {
        qsort(points->at, points->count, sizeof *points->at, by_key);
        points->count = points->count - from < most ? points->count - from : most;
        memmove(points->at, points->at + from, points->count * sizeof *points->at);
    }
    qsort(points->at, points->count, sizeof *points->at, by_first);
    return parts;
}

void
fault_points_part(struct fault_points *points, unsigned long part, unsigned long parts)
{
    size_t kept = 0;

    for (size_t i = 0; i < points->count; i++) {
        if (points->at[i].key % parts == part - 1) {
            points->at[kept++] = points->at[i];
        }
    }
    points->count = kept;
    qsort(points->at, points->count, sizeof *points->at, by_first);
}

void
fault_points_fini(struct fault_points *points)
{
    free(points->at);
}

/* schedules.c -- the stores under a scheduler that a seed leads, and the proof that it finds bugs.
 *
 *     schedules [SEEDS]                      all of it, SEEDS of each scene (2000 by default)
 *     schedules --scene NAME FROM SEEDS [BUG]  one scene, and what it finds
 *     schedules --trace NAME FROM SEEDS [BUG]  the same, with the trace of each seed
 *
 * A finding ends a process, so each scene is played by one of its own: this program again. */
#include "tests/prove/planted.h"
#include "tests/prove/scenes.h"
#include "tests/prove/sched.h"

#include "state/base/log.h"
#include "state/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SEEDS 2000u         /* Of each scene. */
#define PLANTED_SEEDS 1000u /* Within which a planted bug must be found. */
#define REPLAYED 25u        /* Seeds of each scene that are played twice. */

/* Bugs of the real stores: a lock that excludes nobody, wakes that are lost. */
static const struct {
    const char *name, *scene, *lock, *wakes;
} broken[] = {
    {"sessions-unlocked", "sessions", "MCP_SESSIONS", NULL},
    {"starts-unlocked", "starts", "WF_START", NULL},
    {"actions-unlocked", "phases", "WF_ACTION", NULL},
    {"slots-unlocked", "slots", "SLOTS", NULL},
    {"slots-unwoken", "slots", NULL, "SLOTS"},
    {"quota-unlocked", "quota", "QUOTA", NULL},
    {"bus-unlocked", "bus", "BUS", NULL},
    {"bus-unwoken", "bus", NULL, "BUS"},
};

/* ---- The child: plays ---- */

static const struct planted *model;
static bool model_bug;

static void
play_model(void *unused)
{
    (void)unused;
    model->run(model_bug);
}

static void (*find_scene(const char *name))(void *unused)
{
    for (unsigned i = 0; i < scene_count; i++) {
        if (strcmp(scenes[i].name, name) == 0) {
            return scenes[i].run;
        }
    }
    for (unsigned i = 0; i < planted_count; i++) {
        if (strcmp(planted[i].name, name) == 0) {
            model = &planted[i];
            return play_model;
        }
    }
    fprintf(stderr, "there is no scene '%s'\n", name);
    exit(2);
}

static void
plant(const char *bug)
{
    model_bug = bug != NULL;
    for (size_t i = 0; bug && i < sizeof broken / sizeof *broken; i++) {
        if (strcmp(broken[i].name, bug) == 0) {
            sched_break_lock(broken[i].lock);
            sched_lose_wakes(broken[i].wakes);
        }
    }
}

static int
play(const char *name, uint64_t from, unsigned seeds, const char *bug, bool trace)
{
    void (*run)(void *) = find_scene(name);
    unsigned long steps = 0, turns = 0;

    plant(bug);
    log_configure(LOG_OFF, LOG_TEXT);
    for (uint64_t seed = from; seed < from + seeds; seed++) {
        struct sched_run r = sched_run(name, seed, run, NULL);
        steps += r.steps;
        turns += r.turns;
        if (trace) {
            printf("%llu %016llx %lu\n", (unsigned long long)seed, (unsigned long long)r.trace,
                   r.steps);
        }
    }
    if (!trace) {
        printf("%lu steps and %lu turns a run\n", steps / seeds, turns / seeds);
    }
    return 0;
}

/* ---- The parent: has them played, and judges ---- */

/* What a child printed, new, without the last newline; '*status' is its exit status, or -1. */
static char *
child(const char *how, const char *scene, uint64_t from, unsigned seeds, const char *bug,
      int *status)
{
    char self[512], part[512];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    struct buf out = BUF_INIT;
    char *command;
    FILE *pipe;
    size_t n;

    self[len > 0 ? len : 0] = '\0';
    command = xasprintf("'%s' --%s %s %llu %u %s 2>&1", self, how, scene, (unsigned long long)from,
                        seeds, bug ? bug : "");
    pipe = popen(command, "r");
    if (!pipe) {
        perror(command);
        abort();
    }
    while ((n = fread(part, 1, sizeof part, pipe)) > 0) {
        buf_add(&out, part, n);
    }
    *status = pclose(pipe);
    *status = WIFEXITED(*status) ? WEXITSTATUS(*status) : -1;
    free(command);
    if (out.len && out.data[out.len - 1] == '\n') {
        out.data[--out.len] = '\0';
    }
    return out.data ? out.data : xstrdup("");
}

static unsigned failures;

static void
tell(bool good, const char *name, const char *text)
{
    printf("# %s: %s\n%s %s\n", name, text, good ? "ok" : "not ok", name);
    fflush(stdout);
    failures += !good;
}

static void
judge_scene(const struct scene *scene, unsigned seeds)
{
    int status;
    char *said = child("scene", scene->name, 1, seeds, NULL, &status);
    char *text = xasprintf("%s; %s", scene->promise, said);

    tell(status == 0, scene->name, text);
    free(text);
    free(said);
}

/* The same seeds run the same way again. */
static void
judge_replay(const struct scene *scene)
{
    int status, again;
    char *first = child("trace", scene->name, 1, REPLAYED, NULL, &status);
    char *second = child("trace", scene->name, 1, REPLAYED, NULL, &again);
    char *name = xasprintf("%s_replayed", scene->name);

    tell(status == 0 && again == 0 && strcmp(first, second) == 0, name,
         strcmp(first, second) == 0 ? "each seed as before" : first);
    free(name);
    free(first);
    free(second);
}

/* Finds a planted bug, and finds it again by the seed that is told; returns that. */
static unsigned
judge_planted(const char *name, const char *scene, const char *bug)
{
    int status, again = -1;
    char *found = child("scene", scene, 1, PLANTED_SEEDS, bug, &status);
    const char *word = strstr(found, "seed ");
    unsigned seed = word ? (unsigned)strtoul(word + 5, NULL, 10) : 0;
    char *twice = child("scene", scene, seed, 1, bug, &again);
    /* What comes before it, an assertion's words, may tell an address. */
    const char *a = strstr(found, "found in"), *b = strstr(twice, "found in");
    char *test = xasprintf("found_%s", name);

    tell(status == SCHED_FOUND && again == SCHED_FOUND && a && b && strcmp(a, b) == 0, test, found);
    free(test);
    free(found);
    free(twice);
    return seed;
}

static void
judge_right(const struct planted *p)
{
    int status;
    char *said = child("scene", p->name, 1, PLANTED_SEEDS, NULL, &status);
    char *test = xasprintf("right_%s", p->name);

    tell(status == 0, test, said);
    free(test);
    free(said);
}

int
main(int argc, char **argv)
{
    unsigned seeds = argc == 2 ? (unsigned)strtoul(argv[1], NULL, 10) : SEEDS, latest = 0;
    time_t start = time(NULL);
    double spent;

    if (argc >= 5) {
        return play(argv[2], strtoull(argv[3], NULL, 10), (unsigned)strtoul(argv[4], NULL, 10),
                    argc > 5 ? argv[5] : NULL, strcmp(argv[1], "--trace") == 0);
    }
    for (unsigned i = 0; i < scene_count; i++) {
        judge_scene(&scenes[i], seeds);
    }
    spent = difftime(time(NULL), start);
    for (unsigned i = 0; i < scene_count; i++) {
        judge_replay(&scenes[i]);
    }
    for (unsigned i = 0; i < planted_count; i++) {
        unsigned seed = judge_planted(planted[i].name, planted[i].name, "bug");
        latest = seed > latest ? seed : latest;
        judge_right(&planted[i]);
    }
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        unsigned seed = judge_planted(broken[i].name, broken[i].scene, broken[i].name);
        latest = seed > latest ? seed : latest;
    }
    if (failures == 0) {
        printf("figure: %u seeds over %u scenes in %.0f s, 0 violations; %zu planted bugs found, "
               "the last with seed %u\n",
               seeds * scene_count, scene_count, spent,
               planted_count + sizeof broken / sizeof *broken, latest);
    }
    return failures > 0;
}

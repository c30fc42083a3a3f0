/* fault_rig.c -- plays scenarios on a server of which one call fails. */
#include "tests/fault_rig.h"

#include "tests/fault_points.h"
#include "tests/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* What came of one fault. */
enum outcome {
    OUTCOME_RIGHT,   /* Nobody saw it. */
    OUTCOME_ERROR,   /* A step was answered with an error. */
    OUTCOME_CLOSED,  /* A connection was closed. */
    OUTCOME_ENDED,   /* The process ended, telling that there was no memory. */
    OUTCOME_REFUSED, /* It did not start, telling why. */
    OUTCOME_MISSED,  /* There was no such call this time. */
    OUTCOME_COUNT
};
static const char *const outcome_names[OUTCOME_COUNT] = {"right answer",      "error told",
                                                         "connection closed", "ended by policy",
                                                         "did not start",     "not reached"};

#define FINDINGS_MOST 12u /* Then it is given up. */
/* What the process may end for, at most: mem.h. */
#define SMALL 16384u

/* What is counted, by all processes that play points. */
struct tally {
    _Atomic unsigned findings;
    _Atomic unsigned long counts[OUTCOME_COUNT]; /* Of this scenario. */
};

struct bench {
    struct fault_plan *plan;              /* Shared with the server. */
    struct tally *tally;                  /* Shared with those that play points. */
    char point[32];                       /* Which call fails, as the command line takes it. */
    struct buf looks[SCENARIO_STEPS + 1]; /* Before each step, and after the last. */
    unsigned long totals[OUTCOME_COUNT];
    int error;       /* What fails with. */
    bool noted;      /* This run: there is a finding, and it is enough. */
    bool fault_seen; /* This run: one step has seen it, or the process ended of it. */
    enum outcome outcome;
};

/* ---- The server's life ---- */

/* Prints where the call was that has failed. */
static void
tell_site(struct bench *b)
{
    const struct fault_plan *plan = b->plan;
    const char *site = plan->site;
    struct buf names = BUF_INIT;

    if (atomic_load(&b->plan->hit)) {
        fault_names(getenv("TANDEM"), &site, 1, 24, &names);
        printf("    %s%s%s of %zu bytes failed with %s\n    in %s\n    at %s\n", plan->call,
               *plan->path ? " " : "", plan->path, plan->size, strerrorname_np(b->error),
               names.data ? names.data : "", site);
    } else {
        printf("    no call: it was not reached\n");
    }
    buf_fini(&names);
}

static void note(struct bench *b, struct play *p, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void
note(struct bench *b, struct play *p, const char *format, ...)
{
    char text[400];
    va_list args;

    if (b->noted) {
        return;
    }
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    printf("FINDING %s %s: %s\n", p->scenario->name, b->point, text);
    tell_site(b);
    harness_show_log(p->root);
    fflush(stdout);
    b->noted = true;
    b->tally->findings++;
}

/* The server's standard error so far, new. */
static char *
read_log(const struct play *p)
{
    struct fault f;
    struct buf text = BUF_INIT;
    struct dir *dir;

    if (dir_open(p->root, false, &dir, &f) == E_OK) {
        dir_read(dir, "server.log", 64u << 20, &text, NULL, &f);
        dir_unref(dir);
    }
    return text.data ? buf_steal(&text) : xstrdup("");
}

/* What a process must not tell, whatever fails. */
static void
check_log(struct bench *b, struct play *p)
{
    static const char *const bad[] = {"Sanitizer",  "runtime error:", "Assertion",
                                      "corruption", "double free",    "stack smashing"};
    char *log = read_log(p);

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (strstr(log, bad[i])) {
            note(b, p, "its standard error tells of a %s", bad[i]);
        }
    }
    free(log);
}

static void
start(struct play *p)
{
    server_spawn(&p->server, p->root, &(struct server_options){.args = p->scenario->args});
    p->up = true;
}

/* How many servers of the project have told that they serve. */
static unsigned
count_serving(const struct play *p)
{
    char *log = read_log(p);
    unsigned count = 0;

    for (const char *at = log; (at = strstr(at, "event=serving")); at++) {
        count++;
    }
    free(log);
    return count;
}

/* A server without a fault, which must serve; it answers before its start is over. */
static void
start_well(struct play *p)
{
    unsigned before = count_serving(p);
    int64_t deadline = now_ns() + STEP_PATIENCE;
    bool good;

    start(p);
    good = server_ready(&p->server);
    while (good && count_serving(p) == before) {
        good = now_ns() < deadline;
        look_again_soon();
    }
    if (!good) {
        printf("%s: a server does not start on what a fault has left\n", p->scenario->name);
        abort();
    }
}

/* Whether it ended as mem.h says; cmark, which keeps its extensions in memory of its own, says so
 * in other words. */
static bool
tells_of_memory(const char *log)
{
    return strstr(log, "out of memory, ending") || strstr(log, "returned null pointer, aborting");
}

/* The process has ended, or does now.  Tells whether it may. */
static void
reap(struct bench *b, struct play *p, bool serving)
{
    int status = server_wait(&p->server, now_ns() + STEP_PATIENCE);
    char *log = read_log(p);

    p->up = false;
    b->fault_seen = true;
    serving = serving && strstr(log, "event=serving"); /* It may answer while it still starts. */
    if (!atomic_load(&b->plan->hit)) {
        note(b, p, "the server ended, with status %d, without a fault", status);
    } else if (status == 128 + SIGABRT && tells_of_memory(log)) {
        b->outcome = OUTCOME_ENDED;
        if (b->plan->kind != FAULT_MEMORY) {
            note(b, p, "it ended for want of memory that there was");
        }
        if (b->plan->size > SMALL && serving) {
            note(b, p, "it ended for want of %zu bytes, which is nothing small", b->plan->size);
        }
    } else if (!serving && status == 1 && strstr(log, "tandem: ")) {
        b->outcome = OUTCOME_REFUSED;
    } else if (status == 0 && strstr(log, "no memory for an answer")) {
        b->outcome = OUTCOME_CLOSED; /* That of standard input and output, with which it ends. */
    } else {
        note(b, p, "the server ended with status %d", status);
    }
    free(log);
    check_log(b, p);
}

/* True if a plain request is answered, on a new connection. */
static bool
answers(struct play *p)
{
    struct http_reply reply = {.status = 0};
    bool good =
        play_http(p, "GET", "/health", "", NULL, &reply) == SAID_RIGHT && reply.status == 200;

    http_reply_fini(&reply);
    return good;
}

/* After a step that was not answered rightly: there is a server that answers. */
static void
recover(struct bench *b, struct play *p)
{
    atomic_store(&b->plan->armed, 0);
    if (p->up && !answers(p)) {
        reap(b, p, true);
    }
    if (!p->up) {
        start_well(p);
    }
}

/* Looks at the state; the server may end of the fault meanwhile. */
static void
look(struct bench *b, struct play *p, struct buf *out)
{
    for (int tries = 0; tries < 3; tries++) {
        enum said said;

        buf_reset(out);
        said = p->scenario->look(p, out);
        if (said == SAID_RIGHT) {
            return;
        }
        if (said == SAID_WRONG || said == SAID_NOTHING) {
            note(b, p, "the state cannot be looked at: %s", p->why);
        }
        recover(b, p);
    }
    note(b, p, "the state cannot be looked at: %s", p->why);
}

static bool
looks_as(const struct buf *now, const struct buf *then)
{
    return now->len == then->len && memcmp(now->data, then->data, now->len) == 0;
}

/* ---- One run ---- */

static void
begin(struct bench *b, struct play *p, const struct scenario *scenario, bool count)
{
    static const char *const packs[] = {PACK_BUG_FIX, NULL};
    struct fault_plan *plan = b->plan;

    *p = (struct play){.scenario = scenario};
    atomic_store(&plan->armed, 0);
    atomic_store(&plan->count, 0);
    atomic_store(&plan->hit, 0);
    plan->call[0] = plan->path[0] = plan->site[0] = '\0';
    plan->size = 0;
    plan->error = b->error;
    b->noted = b->fault_seen = false;
    b->outcome = OUTCOME_RIGHT;
    harness_project(p->root, packs);
    if (scenario->prepare) {
        scenario->prepare(p);
    }
    files_settle();
    if (scenario->from_start) {
        atomic_store(&plan->armed, count);
        start(p);
    } else {
        start_well(p);
        atomic_store(&plan->armed, count);
    }
}

/* Ends the server, and looks whether the next one finds what there was. */
static void
end(struct bench *b, struct play *p, const struct buf *last)
{
    struct buf now = BUF_INIT;
    int status;

    if (p->up) {
        server_close_stdin(&p->server);
        status = server_wait(&p->server, now_ns() + STEP_PATIENCE);
        p->up = false;
        if (status == 128 + SIGABRT && atomic_load(&b->plan->hit) && !b->fault_seen) {
            b->outcome = OUTCOME_ENDED;
        } else if (status != 0) {
            note(b, p, "the server ended with status %d", status);
        }
        check_log(b, p);
    }
    atomic_store(&b->plan->armed, 0);
    start_well(p);
    if (last) {
        look(b, p, &now);
        if (!looks_as(&now, last)) {
            note(b, p, "the next server found '%s', not '%s'", now.data, last->data);
        }
    }
    status = server_end(&p->server);
    if (status != 0) {
        note(b, p, "the next server ended with status %d", status);
    }
    if (harness_count_files(p->root, ".tmp") || harness_count_files(p->root, ".corrupt-")) {
        note(b, p, "a temporary or corrupt file is left");
    }
    buf_fini(&now);
    harness_remove(p->root);
}

/* A step was answered with something else: what that is, and that the state is whole.  Returns
 * whether the step has been done all the same. */
static bool
judge(struct bench *b, struct play *p, unsigned step, enum said said)
{
    struct buf now = BUF_INIT;
    bool done = false, hit = atomic_load(&b->plan->hit);

    if (said == SAID_WRONG || said == SAID_NOTHING || !hit || b->fault_seen) {
        note(b, p, "step %u%s: %s", step, b->fault_seen ? ", done again" : "",
             said == SAID_NOTHING  ? "no answer"
             : said == SAID_CLOSED ? "the connection was closed"
                                   : p->why);
    }
    if (said == SAID_ERROR) {
        b->outcome = OUTCOME_ERROR;
    } else if (said == SAID_CLOSED) {
        b->outcome = OUTCOME_CLOSED;
    }
    recover(b, p);
    b->fault_seen = true;
    if (p->scenario->look) {
        look(b, p, &now);
        done = looks_as(&now, &b->looks[step + 1]) && !looks_as(&now, &b->looks[step]);
        if (!done && !looks_as(&now, &b->looks[step])) {
            note(b, p, "after step %u the state is '%s', neither '%s' nor '%s'", step, now.data,
                 b->looks[step].data, b->looks[step + 1].data);
        }
        buf_fini(&now);
    }
    return done;
}

/* The first words to a server that may not start at all: true if it serves. */
static bool
has_started(struct bench *b, struct play *p)
{
    const char *why;
    json_t *answer = NULL;

    if (server_send(&p->server, "{\"jsonrpc\":\"2.0\",\"id\":\"ready\",\"method\":\"ping\"}")) {
        answer = server_read(&p->server, now_ns() + STEP_PATIENCE);
    }
    if (answer && play_result(p, answer, NULL) == SAID_RIGHT &&
        server_info_read(p->root, &p->server.info, &why)) {
        return true;
    }
    if (answer && server_info_read(p->root, &p->server.info, &why)) {
        return !judge(b, p, 0, SAID_ERROR) || true;
    }
    reap(b, p, false);
    recover(b, p);
    return false;
}

/* Whether there is such a step. */
static bool
has_step(const struct scenario *scenario, unsigned number)
{
    return scenario->steps[number].play || scenario->steps[number].tool;
}

static enum said
play_step(struct play *p, unsigned number)
{
    const struct step *step = &p->scenario->steps[number];

    return step->play ? step->play(p) : play_expect(p, step->tool, step->body, step->text);
}

/* Plays a scenario with the plan as it is.  Returns how many calls were counted. */
static unsigned long
play(struct bench *b, const struct scenario *scenario)
{
    struct play p;
    unsigned step = 0, tries = 0;

    begin(b, &p, scenario, true);
    if (scenario->from_start) {
        has_started(b, &p);
    }
    while (has_step(scenario, step) && tries < 4 && !b->noted) {
        enum said said = play_step(&p, step);

        tries = said ? tries + 1 : 0;
        step += said == SAID_RIGHT || judge(b, &p, step, said);
    }
    end(b, &p, scenario->look ? &b->looks[step] : NULL);
    if (!atomic_load(&b->plan->hit)) {
        b->outcome = OUTCOME_MISSED;
    }
    return atomic_load(&b->plan->count);
}

/* Plays it without a fault, for what it looks like between the steps. */
static void
rehearse(struct bench *b, const struct scenario *scenario)
{
    struct play p;
    unsigned step = 0;

    begin(b, &p, scenario, false);
    if (scenario->from_start) {
        has_started(b, &p);
    }
    for (;; step++) {
        enum said said;

        buf_reset(&b->looks[step]);
        if (scenario->look) {
            look(b, &p, &b->looks[step]);
        }
        if (!has_step(scenario, step)) {
            break;
        }
        said = play_step(&p, step);
        if (said) {
            note(b, &p, "step %u without a fault: %s", step,
                 said == SAID_ERROR || said == SAID_WRONG ? p.why : "no answer");
            break;
        }
    }
    end(b, &p, scenario->look ? &b->looks[step] : NULL);
}

/* ---- All of them ---- */

/* Memory that other processes can map too. */
static struct fault_plan *
share_plan(void)
{
    char path[64];
    int fd = memfd_create("fault_plan", MFD_CLOEXEC);
    void *plan;

    if (fd < 0 || ftruncate(fd, sizeof(struct fault_plan)) != 0) {
        harness_give_up("memfd_create");
    }
    plan = mmap(NULL, sizeof(struct fault_plan), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (plan == MAP_FAILED) {
        harness_give_up("mmap");
    }
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), fd);
    setenv(FAULT_PLAN_VARIABLE, path, 1);
    return plan;
}

/* The server that has the shim in it is beside this program. */
static void
name_server(void)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 32);

    if (n < 0) {
        harness_give_up("/proc/self/exe");
    }
    path[n] = '\0';
    snprintf(strrchr(path, '/') + 1, 32, "tandem_faults");
    setenv("TANDEM", path, 1);
    setenv("LSAN_OPTIONS", "suppressions=tests/prove/lsan.supp:print_suppressions=0", 1);
}

struct fault_plan *
faults_plan(void)
{
    name_server();
    return share_plan();
}

/* Counts the calls of a scenario, or its paths, by playing it without a fault. */
static struct fault_points
find_points(struct bench *b, const struct scenario *scenario, bool by_path)
{
    struct fault_plan *plan = b->plan;
    struct fault_points points;
    unsigned long calls;

    plan->by_path = by_path;
    plan->nth = plan->target = 0;
    memset(plan->paths, 0, sizeof plan->paths);
    calls = play(b, scenario);
    points = by_path ? fault_points_paths(getenv("TANDEM"), plan) : fault_points_calls(calls);
    printf("%s: %lu calls on %zu paths\n", scenario->name, calls, by_path ? points.count : 0);
    return points;
}

static void
play_point(struct bench *b, const struct scenario *scenario, bool by_path,
           const struct fault_point *point)
{
    b->plan->by_path = by_path;
    b->plan->nth = b->plan->target = point->value;
    if (by_path) {
        snprintf(b->point, sizeof b->point, "@%016" PRIx64, point->key);
    } else {
        snprintf(b->point, sizeof b->point, "%lu", point->value);
    }
    for (unsigned tries = 0; tries < 3; tries++) {
        play(b, scenario);
        if (b->outcome != OUTCOME_MISSED) {
            break; /* Else threads met in another order, in which there is no such call. */
        }
    }
    b->tally->counts[b->outcome]++;
}

/* What some processes play of the chosen points. */
struct share {
    const struct scenario *scenario;
    const struct fault_options *options;
    const struct fault_points *points;
    unsigned long turn; /* How often all points have had their turn. */
};

/* Plays those of one process, each with the error whose turn it is, or with all. */
static void
play_share(struct bench *b, const struct share *share, unsigned process, unsigned processes)
{
    const struct fault_options *o = share->options;
    unsigned errors = 0;

    while (o->errors[errors]) {
        errors++;
    }
    for (size_t i = process; i < share->points->count; i += processes) {
        const struct fault_point *point = &share->points->at[i];

        for (unsigned j = 0; j < (o->points ? 1 : errors); j++) {
            if (b->tally->findings < FINDINGS_MOST) {
                b->error = o->errors[(point->key + share->turn + j) % errors];
                play_point(b, share->scenario, !o->each, point);
            }
        }
    }
}

/* The same in processes of their own, each with a plan and servers of its own. */
static void
play_shares(struct bench *b, const struct share *share)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned processes = share->options->points || cores < 2 ? 1 : (unsigned)cores;
    unsigned started = 0;

    fflush(stdout);
    for (unsigned i = 0; i < processes; i++) {
        pid_t pid = fork();

        if (pid < 0) {
            harness_give_up("fork");
        }
        if (pid == 0) {
            enum fault_kind kind = b->plan->kind;

            b->plan = share_plan();
            b->plan->kind = kind;
            play_share(b, share, i, processes);
            fflush(stdout);
            _exit(0);
        }
        started++;
    }
    for (int status; started; started--) {
        if (wait(&status) < 0 || status != 0) {
            printf("FINDING %s: a process that plays points ended badly\n", share->scenario->name);
            b->tally->findings++;
        }
    }
}

/* Plays those points of a scenario that the options choose. */
static void
play_points(struct bench *b, const struct scenario *scenario, const struct fault_options *options)
{
    const char *text = getenv("FAULT_OFFSET");
    struct fault_points points = find_points(b, scenario, !options->each);
    unsigned long offset = text ? strtoul(text, NULL, 10) : 0, part = options->part, parts;

    if (part) {
        parts = options->parts;
        fault_points_part(&points, part, parts);
    } else {
        parts =
            fault_points_choose(&points, options->points ? options->points : points.count, offset);
        part = offset % parts + 1;
    }
    play_shares(b, &(struct share){scenario, options, &points, offset / parts});
    printf("%s: part %lu of %lu:", scenario->name, part, parts);
    for (unsigned i = 0; i < OUTCOME_COUNT; i++) {
        if (b->tally->counts[i]) {
            printf(" %lu %s;", b->tally->counts[i], outcome_names[i]);
        }
        b->totals[i] += b->tally->counts[i];
        b->tally->counts[i] = 0;
    }
    printf(" %u findings\n", b->tally->findings);
    fflush(stdout);
    fault_points_fini(&points);
}

/* Plays one point, as a finding names it: "@KEY" of a path, or the number of a call. */
static void
replay(struct bench *b, const struct scenario *scenario, const struct fault_options *options)
{
    const char *name = options->point;
    bool by_path = *name == '@';
    uint64_t value = strtoull(name + by_path, NULL, by_path ? 16 : 10);
    struct fault_points points = find_points(b, scenario, by_path);

    for (size_t i = 0; i < points.count; i++) {
        const struct fault_point *point = &points.at[i];

        for (const int *error = options->errors;
             *error && (by_path ? point->key : point->value) == value; error++) {
            b->error = *error;
            play_point(b, scenario, by_path, point);
            printf("%s %s: %s\n", scenario->name, b->point, outcome_names[b->outcome]);
            tell_site(b);
        }
    }
    fault_points_fini(&points);
}

static void
read_arguments(struct fault_options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--all") == 0 || strcmp(argv[i], "--each") == 0) {
            o->points = 0;
            o->each = o->each || argv[i][2] == 'e';
        } else if (sscanf(argv[i], "%lu/%lu", &o->part, &o->parts) == 2) {
            if (!o->part || o->part > o->parts) {
                harness_give_up(argv[i]);
            }
        } else if (!o->scenario) {
            o->scenario = argv[i];
        } else {
            o->point = argv[i];
        }
    }
}

static void
play_scenario(struct bench *b, const struct scenario *scenario, const struct fault_options *options)
{
    b->error = options->errors[0];
    rehearse(b, scenario);
    if (options->point) {
        replay(b, scenario, options);
    } else {
        play_points(b, scenario, options);
    }
    for (unsigned i = 0; i <= SCENARIO_STEPS; i++) {
        buf_fini(&b->looks[i]);
    }
}

unsigned
faults_play(struct fault_options options, int argc, char **argv)
{
    struct bench b = {.plan = faults_plan()};
    const struct rlimit no_core = {0, 0};
    unsigned long played = 0;
    unsigned findings;

    b.tally =
        mmap(NULL, sizeof *b.tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (b.tally == MAP_FAILED) {
        harness_give_up("mmap");
    }
    read_arguments(&options, argc, argv);
    signal(SIGPIPE, SIG_IGN);
    setrlimit(RLIMIT_CORE, &no_core);
    personality(ADDR_NO_RANDOMIZE); /* Of the servers: so that paths are equal in all of them. */
    b.plan->kind = options.kind;
    for (unsigned i = 0; i < fault_scenario_count; i++) {
        if (!options.scenario || strcmp(options.scenario, fault_scenarios[i].name) == 0) {
            play_scenario(&b, &fault_scenarios[i], &options);
        }
    }
    for (unsigned i = 0; i < OUTCOME_MISSED; i++) {
        played += b.totals[i];
    }
    findings = b.tally->findings;
    printf("figure: %lu calls failed once each:", played);
    for (unsigned i = 0; i < OUTCOME_MISSED; i++) {
        printf("%s %lu %s", i ? "," : "", b.totals[i], outcome_names[i]);
    }
    printf("; %u findings\n", findings);
    munmap(b.tally, sizeof *b.tally);
    munmap(b.plan, sizeof *b.plan);
    return findings;
}

/* fault_rig.c -- plays scenarios on a server of which one call fails. */
#include "tests/fault_rig.h"

#include "tests/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
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

struct bench {
    struct fault_plan *plan; /* Shared with the server. */
    unsigned findings;
    char point[32];                       /* Which call fails, as the command line takes it. */
    struct buf looks[SCENARIO_STEPS + 1]; /* Before each step, and after the last. */
    unsigned long counts[OUTCOME_COUNT];  /* Of this scenario. */
    unsigned long totals[OUTCOME_COUNT];
    int error;       /* What fails with. */
    bool noted;      /* This run: there is a finding, and it is enough. */
    bool fault_seen; /* This run: one step has seen it, or the process ended of it. */
    enum outcome outcome;
};

/* ---- For scenarios ---- */

enum said
play_wrong(struct play *p, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(p->why, sizeof p->why, format, args);
    va_end(args);
    return SAID_WRONG;
}

void
play_write(struct play *p, const char *path, const char *text)
{
    char full[HARNESS_ROOT + 256];
    FILE *file;

    snprintf(full, sizeof full, "%s/%s", p->root, path);
    for (char *s = full + strlen(p->root) + 1; (s = strchr(s, '/')) != NULL; s++) {
        *s = '\0';
        if (mkdir(full, 0700) != 0 && errno != EEXIST) {
            harness_give_up(full);
        }
        *s = '/';
    }
    file = fopen(full, "we");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0) {
        harness_give_up(full);
    }
}

enum said
play_http(struct play *p, const char *method, const char *path, const char *headers,
          const char *body, struct http_reply *reply)
{
    struct http_peer peer;
    int64_t start = now_ns();
    bool good;

    http_peer_init(&peer, &p->server.info);
    good = http_send(&peer, method, path, headers, body, reply);
    http_peer_fini(&peer);
    if (!good) {
        return now_ns() - start > STEP_PATIENCE ? SAID_NOTHING : SAID_CLOSED;
    }
    return SAID_RIGHT;
}

/* An error must say what, and what next. */
static enum said
judge_error(struct play *p, const json_t *what, const json_t *remedy)
{
    const char *text = json_string_value(what), *next = json_string_value(remedy);

    if (!text || !*text || !next || !*next) {
        return play_wrong(p, "an error that does not tell %s: %s",
                          text && *text ? "the next step" : "what", text ? text : "");
    }
    snprintf(p->why, sizeof p->why, "%s; %s", text, next);
    return SAID_ERROR;
}

enum said
play_call(struct play *p, const char *tool, const char *body, json_t **answer)
{
    struct http_reply reply = {.status = 0};
    char path[96];
    enum said said;

    snprintf(path, sizeof path, "/api/tools/%s", tool);
    said = play_http(p, "POST", path, "", body, &reply);
    *answer = said ? NULL
                   : json_loadb(reply.body.data ? reply.body.data : "", reply.body.len,
                                JSON_REJECT_DUPLICATES, NULL);
    if (!said && !json_is_object(*answer)) {
        said = play_wrong(p, "%s: status %d, body '%.200s'", tool, reply.status,
                          reply.body.data ? reply.body.data : "");
    } else if (!said && reply.status >= 400) {
        const json_t *what = json_object_get(*answer, "message"),
                     *next = json_object_get(*answer, "remedy");
        said = what ? judge_error(p, what, next)
                    : judge_error(p, json_object_get(*answer, "error"),
                                  json_object_get(*answer, "remediation"));
    }
    http_reply_fini(&reply);
    return said;
}

enum said
play_expect(struct play *p, const char *tool, const char *body, const char *const *texts)
{
    json_t *answer;
    enum said said = play_call(p, tool, body, &answer);
    char *text = said ? NULL : json_dumps(answer, JSON_COMPACT);

    for (; text && *texts; texts++) {
        if (!strstr(text, *texts)) {
            said = play_wrong(p, "%s: no %s in %.400s", tool, *texts, text);
            break;
        }
    }
    free(text);
    json_decref(answer);
    return said;
}

enum said
play_result(struct play *p, json_t *message, json_t **result)
{
    const json_t *error = json_object_get(message, "error"),
                 *good = json_object_get(message, "result");
    enum said said = SAID_RIGHT;

    if (json_is_object(error)) {
        const json_t *next = json_object_get(json_object_get(error, "data"), "remedy");
        const char *what = json_string_value(json_object_get(error, "message"));
        if (!what || !*what) {
            said = play_wrong(p, "an error that tells nothing");
        } else {
            snprintf(p->why, sizeof p->why, "%s; %s", what,
                     json_is_string(next) ? json_string_value(next) : "");
            said = SAID_ERROR;
        }
    } else if (!json_is_object(good)) {
        char *text = message ? json_dumps(message, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
        said = play_wrong(p, "no JSON-RPC answer: %.300s", text ? text : "nothing");
        free(text);
    } else if (json_is_true(json_object_get(good, "isError"))) {
        const json_t *block = json_array_get(json_object_get(good, "content"), 0);
        json_t *told = json_loads(json_string_value(json_object_get(block, "text")), 0, NULL);
        said = judge_error(p, json_object_get(told, "message"), json_object_get(told, "remedy"));
        json_decref(told);
    }
    if (result) {
        *result = said == SAID_RIGHT ? json_incref((json_t *)(uintptr_t)good) : NULL;
    }
    json_decref(message);
    return said;
}

/* ---- The server's life ---- */

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
    printf("FINDING %s %s, %s %s of %zu bytes with %s: %s\n    at %s\n", p->scenario->name,
           b->point, b->plan->call, b->plan->path, b->plan->size, strerrorname_np(b->error), text,
           atomic_load(&b->plan->hit) ? b->plan->site : "no call: it was not reached");
    harness_show_log(p->root);
    fflush(stdout);
    b->noted = true;
    b->findings++;
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

/* A server without a fault, which must serve. */
static void
start_well(struct play *p)
{
    start(p);
    if (!server_ready(&p->server)) {
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
    while (scenario->steps[step] && tries < 4 && !b->noted) {
        enum said said = scenario->steps[step](&p);

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
        if (!scenario->steps[step]) {
            break;
        }
        said = scenario->steps[step](&p);
        if (said) {
            note(b, &p, "step %u without a fault: %s", step,
                 said == SAID_ERROR || said == SAID_WRONG ? p.why : "no answer");
            break;
        }
    }
    end(b, &p, scenario->look ? &b->looks[step] : NULL);
}

/* ---- All of them ---- */

/* Memory that the server can map too. */
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

/* Which calls fail: each n-th, or the first on each path. */
struct points {
    unsigned long *values; /* Owned. */
    unsigned long count;
};

static int
compare_values(const void *a, const void *b)
{
    unsigned long x = *(const unsigned long *)a, y = *(const unsigned long *)b;

    return (x > y) - (x < y);
}

/* Counts the calls of a scenario, or its paths, by playing it without a fault. */
static struct points
find_points(struct bench *b, const struct scenario *scenario, bool by_path)
{
    struct fault_plan *plan = b->plan;
    struct points points;
    unsigned long calls;

    plan->by_path = by_path;
    plan->nth = plan->target = 0;
    memset(plan->paths, 0, sizeof plan->paths);
    calls = play(b, scenario);
    points = (struct points){xcalloc(by_path ? FAULT_PATHS : calls, sizeof *points.values)};
    for (unsigned long i = 0; i < (by_path ? FAULT_PATHS : calls); i++) {
        unsigned long value = by_path ? atomic_load(&plan->paths[i].hash) : i + 1;
        if (value) {
            points.values[points.count++] = value;
        }
    }
    qsort(points.values, points.count, sizeof *points.values, compare_values);
    printf("%s: %lu calls on %lu paths\n", scenario->name, calls, by_path ? points.count : 0);
    return points;
}

static void
play_point(struct bench *b, const struct scenario *scenario, bool by_path, unsigned long value)
{
    b->plan->by_path = by_path;
    b->plan->nth = b->plan->target = value;
    snprintf(b->point, sizeof b->point, by_path ? "@%lx" : "%lu", value);
    play(b, scenario);
    b->counts[b->outcome]++;
}

struct fault_plan *
faults_plan(void)
{
    name_server();
    return share_plan();
}

/* Plays those calls of a scenario that the options choose: with every error, or, where there is a
 * choice, with one after the other. */
static void
play_points(struct bench *b, const struct scenario *scenario, const struct fault_options *options)
{
    const char *text = getenv("FAULT_OFFSET");
    struct points points = find_points(b, scenario, !options->each);
    unsigned long most = options->points, stride, offset, turn;
    unsigned errors = 0;

    while (options->errors[errors]) {
        errors++;
    }
    stride = most && points.count > most ? (points.count + most - 1) / most : 1;
    turn = text ? strtoul(text, NULL, 10) : 0; /* What lands is what was tested. */
    offset = turn % stride;
    for (unsigned long i = offset; i < points.count; i += stride, turn++) {
        for (unsigned j = 0; j < (most ? 1 : errors) && b->findings < FINDINGS_MOST; j++) {
            b->error = options->errors[(turn + j) % errors];
            play_point(b, scenario, !options->each, points.values[i]);
        }
    }
    printf("%s: every %lu. from %lu:", scenario->name, stride, offset);
    for (unsigned i = 0; i < OUTCOME_COUNT; i++) {
        if (b->counts[i]) {
            printf(" %lu %s;", b->counts[i], outcome_names[i]);
        }
        b->totals[i] += b->counts[i];
        b->counts[i] = 0;
    }
    printf(" %u findings\n", b->findings);
    fflush(stdout);
    free(points.values);
}

/* Plays one point, as a finding names it. */
static void
replay(struct bench *b, const struct scenario *scenario, const char *point)
{
    play_point(b, scenario, *point == '@',
               strtoul(point + (*point == '@'), NULL, *point == '@' ? 16 : 10));
    printf("%s %s, %s %s of %zu bytes: %s\n    at %s\n", scenario->name, point, b->plan->call,
           b->plan->path, b->plan->size, outcome_names[b->outcome], b->plan->site);
}

static void
read_arguments(struct fault_options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--all") == 0 || strcmp(argv[i], "--each") == 0) {
            o->points = 0;
            o->each = o->each || argv[i][2] == 'e';
        } else if (!o->scenario) {
            o->scenario = argv[i];
        } else {
            o->point = argv[i];
        }
    }
}

unsigned
faults_play(struct fault_options options, int argc, char **argv)
{
    struct bench b = {.plan = faults_plan()};
    const struct rlimit no_core = {0, 0};
    unsigned long played = 0;

    read_arguments(&options, argc, argv);
    signal(SIGPIPE, SIG_IGN);
    setrlimit(RLIMIT_CORE, &no_core);
    personality(ADDR_NO_RANDOMIZE); /* Of the servers: so that paths are equal in all of them. */
    b.plan->kind = options.kind;
    for (unsigned i = 0; i < fault_scenario_count; i++) {
        const struct scenario *scenario = &fault_scenarios[i];

        if (options.scenario && strcmp(options.scenario, scenario->name) != 0) {
            continue;
        }
        b.error = options.errors[0];
        rehearse(&b, scenario);
        if (options.point) {
            for (const int *error = options.errors; *error; error++) {
                b.error = *error;
                replay(&b, scenario, options.point);
            }
        } else {
            play_points(&b, scenario, &options);
        }
        for (unsigned j = 0; j <= SCENARIO_STEPS; j++) {
            buf_fini(&b.looks[j]);
        }
    }
    for (unsigned i = 0; i < OUTCOME_MISSED; i++) {
        played += b.totals[i];
    }
    printf("figure: %lu calls failed once each:", played);
    for (unsigned i = 0; i < OUTCOME_MISSED; i++) {
        printf("%s %lu %s", i ? "," : "", b.totals[i], outcome_names[i]);
    }
    printf("; %u findings\n", b.findings);
    munmap(b.plan, sizeof *b.plan);
    return b.findings;
}

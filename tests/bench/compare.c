/* compare.c -- "make bench": tandem beside its peers and beside what the machine can do, in one go.
 *
 * Judged is what can be compared on a machine that does other things too: CPU time of the server
 * and ratios, of turns taken one after the other (contest.h). */
#include "tests/bench/bench.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

/* True if one of the parts, with commas between, is in 'name'. */
static bool
has_part(const char *parts, const char *name)
{
    while (*parts) {
        size_t len = strcspn(parts, ",");

        if (len && memmem(name, strlen(name), parts, len)) {
            return true;
        }
        parts += len + (parts[len] == ',');
    }
    return false;
}

bool
bench_wants(const struct bench *b, const char *workload)
{
    return !b->only || !*b->only || has_part(b->only, workload);
}

bool
bench_has(const struct bench *b, const char *peer)
{
    return !b->without || !has_part(b->without, peer);
}

const char *const bench_many_sessions[] = {"--limits-sessions",
                                           "10000",
                                           "--limits-sessions-each",
                                           "10000",
                                           "--limits-connections",
                                           "2048",
                                           NULL};

void
bench_tandem(struct server *s, const char *root, bool stdio, const char *const more[])
{
    const char *args[24] = {"--groups", "core,conformance", "--limits-call-rate",
                            "0",        "--listen",         "127.0.0.1:0"};
    struct server_options options = {.args = args, .no_stdin = !stdio};

    for (size_t i = 0, n = 6; more && more[i]; i++) {
        args[n++] = more[i];
    }
    server_start(s, root, &options);
}

void
bench_tandem_end(struct server *s)
{
    kill(s->pid, SIGTERM);
    if (server_end(s) != 0) {
        bench_fail("tandem did not end well");
    }
}

void
bench_figures(const struct load_result *r, int64_t cpu_ns, double figures[FIGURES])
{
    figures[FIGURE_CPU] = (double)cpu_ns / (double)r->requests / 1e3;
    figures[FIGURE_RATE] = (double)r->requests / ((double)r->ns / 1e9);
    figures[FIGURE_P50] = histogram_percentile(&r->latency, 50) / 1e3;
    figures[FIGURE_P99] = histogram_percentile(&r->latency, 99) / 1e3;
}

/* ---- Projects ---- */

#define PROJECTS 8
static char roots[PROJECTS][HARNESS_ROOT];
static size_t root_count;

static void
remove_roots(void)
{
    for (size_t i = 0; i < root_count; i++) {
        harness_remove(roots[i]);
    }
}

/* Lets a server make the index of the standards: it is there on every start but the first. */
static void
make_index(const char *root)
{
    struct findings findings = FINDINGS_INIT;
    int64_t deadline = now_ns() + PATIENCE;
    struct mcp_peer peer;
    struct server s;
    bool found = false;

    bench_tandem(&s, root, false, NULL);
    if (!mcp_open(&peer, &s.info, MCP_MODERN, 0, &findings)) {
        bench_fail("tandem: no client");
    }
    while (!found) {
        struct mcp_outcome o = mcp_call(&peer, "search_standards", "{\"query\":\"locks\"}");

        found = json_array_size(json_object_get(o.result, "results")) > 0;
        outcome_fini(&o);
        if (findings_tell(&findings) || now_ns() > deadline) {
            bench_fail("tandem finds nothing in the standards");
        }
        look_again_soon();
    }
    mcp_close(&peer);
    samples_fini(&peer.samples);
    bench_tandem_end(&s);
}

void
bench_project(char root[HARNESS_ROOT], bool empty)
{
    static const char *const packs[] = {PACK_BUG_FIX, PACK_SPEC_CREATION, NULL};
    char *path;

    if (root_count == PROJECTS) {
        bench_fail("too many projects");
    }
    if (root_count == 0) {
        atexit(remove_roots);
    }
    harness_project(root, empty ? NULL : packs);
    memcpy(roots[root_count++], root, HARNESS_ROOT);
    if (!empty) {
        path = xasprintf("%s/.tandem/standards", root);
        harness_copy("tests/fixtures/praxis/standards", path);
        free(path);
        make_index(root);
    }
}

/* ---- The machine ---- */

/* The rest of the first line of a file that begins with 'key', behind its colon; new. */
static char *
line_of(const char *path, const char *key)
{
    FILE *file = fopen(path, "re");
    char line[256];
    char *found = NULL;

    while (!found && file && fgets(line, sizeof line, file)) {
        if (strncmp(line, key, strlen(key)) == 0) {
            const char *value = strchr(line, ':');

            line[strcspn(line, "\n")] = '\0';
            found = xstrdup(value ? value + 2 : line);
        }
    }
    if (file) {
        fclose(file);
    }
    return found ? found : xstrdup("unknown");
}

static char *
machine(const struct bench *b)
{
    char *cpu = line_of("/proc/cpuinfo", "model name"), *load = line_of("/proc/loadavg", "");
    struct utsname u;
    char *text;

    uname(&u);
    *(strchr(load, '/') ? strchr(load, '/') : load) = '\0'; /* The three averages. */
    if (strrchr(load, ' ')) {
        *strrchr(load, ' ') = '\0';
    }
    text = xasprintf("%ld cores of %s, Linux %s, %s; load average at the start %s; medians of %u "
                     "rounds, turns of %.0f ms",
                     sysconf(_SC_NPROCESSORS_ONLN), cpu, u.release, u.machine, load, b->rounds,
                     (double)b->turn_ns / MS);
    free(cpu);
    free(load);
    return text;
}

struct outputs {
    const char *table, *chart; /* Files to write; may be null. */
};

static bool
read_options(int argc, char **argv, struct bench *b, struct outputs *out)
{
    static const struct option options[] = {{"only", required_argument, NULL, 'o'},
                                            {"rounds", required_argument, NULL, 'r'},
                                            {"turn", required_argument, NULL, 't'},
                                            {"without", required_argument, NULL, 'w'},
                                            {"table", required_argument, NULL, 'm'},
                                            {"chart", required_argument, NULL, 'c'},
                                            {NULL, 0, NULL, 0}};
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'o':
            b->only = optarg;
            break;
        case 'r':
            b->rounds = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 't':
            b->turn_ns = (int64_t)strtoul(optarg, NULL, 10) * MS;
            break;
        case 'w':
            b->without = optarg;
            break;
        case 'm':
            out->table = optarg;
            break;
        case 'c':
            out->chart = optarg;
            break;
        default:
            return false;
        }
    }
    return optind == argc;
}

/* As many descriptors as there may be: the load takes them, and the servers it is put on. */
static void
allow_descriptors(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0) {
        bench_fail("getrlimit: %s", strerror(errno));
    }
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0) {
        bench_fail("setrlimit: %s", strerror(errno));
    }
}

int
main(int argc, char **argv)
{
    struct bench b = {.rounds = 5, .turn_ns = 400 * MS};
    struct outputs out = {NULL, NULL};
    char *on;

    if (!read_options(argc, argv, &b, &out)) {
        fprintf(stderr,
                "usage: compare [--only PART,...] [--rounds N] [--turn MS] [--without PEER,...] "
                "[--table FILE] [--chart FILE]\n");
        return 2;
    }
    allow_descriptors();
    on = machine(&b);
    printf("%s\n\n", on);
    b.report = report_create(on);
    bench_project(b.root, false);
    bench_http(&b);
    bench_streams(&b);
    bench_stdio(&b);
    bench_relay(&b);
    bench_start(&b);
    report_end(b.report);
    if (out.table) {
        report_write_table(b.report, out.table);
    }
    if (out.chart) {
        report_write_chart(b.report, out.chart);
    }
    report_destroy(b.report);
    free(on);
    return 0;
}

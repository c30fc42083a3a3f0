/* compare.c -- "make bench": tandem beside its peers and beside what the machine can do, in one go.
 *
 * Judged is what can be compared on a machine that does other things too: CPU time of the server
 * and ratios, of turns taken one after the other (contest.h). */
#include "tests/bench/bench.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

bool
bench_wants(const struct bench *b, const char *workload)
{
    const char *part = b->only;

    if (!part || !*part) {
        return true;
    }
    while (*part) {
        size_t len = strcspn(part, ",");

        if (len && memmem(workload, strlen(workload), part, len)) {
            return true;
        }
        part += len + (part[len] == ',');
    }
    return false;
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
    }
}

/* ---- The machine ---- */

static void
tell_line_of(const char *path, const char *key)
{
    FILE *file = fopen(path, "re");
    char line[256];

    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, key, strlen(key)) == 0) {
            const char *value = strchr(line, ':');
            printf("%s", value ? value + 2 : line);
            break;
        }
    }
    if (file) {
        fclose(file);
    }
}

static void
tell_machine(const struct bench *b)
{
    struct utsname u;

    uname(&u);
    printf("%ld cores, Linux %s, %s, ", sysconf(_SC_NPROCESSORS_ONLN), u.release, u.machine);
    tell_line_of("/proc/cpuinfo", "model name");
    printf("load average at start: ");
    tell_line_of("/proc/loadavg", "");
    printf("%u rounds, turns of %.0f ms\n\n", b->rounds, (double)b->turn_ns / MS);
}

int
main(int argc, char **argv)
{
    static const struct option options[] = {{"only", required_argument, NULL, 'o'},
                                            {"rounds", required_argument, NULL, 'r'},
                                            {"turn", required_argument, NULL, 't'},
                                            {NULL, 0, NULL, 0}};
    struct bench b = {.rounds = 5, .turn_ns = 400 * MS};
    struct rlimit files;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'o':
            b.only = optarg;
            break;
        case 'r':
            b.rounds = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 't':
            b.turn_ns = (int64_t)strtoul(optarg, NULL, 10) * MS;
            break;
        default:
            fprintf(stderr, "usage: compare [--only PART,...] [--rounds N] [--turn MS]\n");
            return 2;
        }
    }
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    bench_project(b.root, false);
    b.report = report_create();
    tell_machine(&b);
    bench_http(&b);
    bench_streams(&b);
    bench_stdio(&b);
    bench_relay(&b);
    bench_start(&b);
    report_end(b.report);
    report_destroy(b.report);
    return 0;
}

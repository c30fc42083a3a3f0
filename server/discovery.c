/* discovery.c -- the lock, the token and server.json. */
#include "server/discovery.h"

#include "state/base/clock.h"
#include "state/version.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static const char lock_name[] = "server.lock";
static const char token_name[] = "token";
static const char file_name[] = "server.json";
#define FILE_MAX 65536
#define OWN_TOKEN_LEN 43u /* 32 bytes in base64url. */

enum err
discovery_lock(struct dir *data, int *fd, struct fault *f)
{
    int failed;

    *fd = dir_open_at(data, lock_name, O_RDWR | O_CREAT, 0600);
    if (*fd < 0) {
        fault_set(f, E_IO, "the project's lock cannot be opened: %s", strerror(errno));
        return fault_remedy(f, "the data folder must be writable");
    }
    if (flock(*fd, LOCK_EX | LOCK_NB) == 0) {
        return E_OK;
    }
    failed = errno;
    close(*fd);
    *fd = -1;
    return failed == EWOULDBLOCK
               ? fault_set(f, E_CONFLICT, "another process has the project's lock")
               : fault_set(f, E_IO, "the project cannot be locked: %s", strerror(failed));
}

static bool
random_bytes(unsigned char *out, size_t len)
{
    return getrandom(out, len, 0) == (ssize_t)len; /* Up to 256 bytes come whole. */
}

static bool
is_token(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_')) {
            return false;
        }
    }
    return s.len == OWN_TOKEN_LEN;
}

/* Encodes 32 random bytes; 43 characters of 6 bits. */
static bool
make_token(char token[TOKEN_SIZE])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char raw[33] = {0};
    uint32_t bits = 0;
    unsigned have = 0, n = 0;

    if (!random_bytes(raw, 32)) {
        return false;
    }
    for (size_t i = 0; n < OWN_TOKEN_LEN; i++) {
        bits = (bits << 8 | raw[i]) & 0xFFFFFFu;
        for (have += 8; have >= 6 && n < OWN_TOKEN_LEN; have -= 6) {
            token[n++] = digits[bits >> (have - 6) & 63];
        }
    }
    token[n] = '\0';
    explicit_bzero(raw, sizeof raw);
    return true;
}

static enum err
read_token(struct dir *data, char token[TOKEN_SIZE], struct fault *f)
{
    struct buf b = BUF_INIT;
    struct stat st;
    struct slice text;
    int fd = dir_open_at(data, token_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    enum err err = E_OK;

    if (fd < 0) {
        return fault_set(f, errno == ENOENT ? E_NOT_FOUND : E_IO, "the token cannot be read: %s",
                         strerror(errno));
    }
    if (fstat(fd, &st) != 0 || (st.st_mode & 077) != 0) {
        fault_set(f, E_REFUSED, "the token file can be read by others");
        err = fault_remedy(f, "delete it, so that a new one is made, or chmod 600 it");
    }
    close(fd);
    if (!err) {
        err = dir_read(data, token_name, 256, &b, NULL, f);
    }
    if (!err) {
        text = buf_slice(&b);
        while (text.len && strchr("\r\n", text.data[text.len - 1])) {
            text.len--;
        }
        if (is_token(text)) {
            memcpy(token, text.data, text.len);
            token[text.len] = '\0';
        } else {
            fault_set(f, E_REFUSED, "the token file does not hold a token of 43 characters");
            err = fault_remedy(f, "delete it, so that a new one is made");
        }
    }
    if (b.data) {
        explicit_bzero(b.data, b.len);
    }
    buf_fini(&b);
    return err;
}

enum err
discovery_token(struct dir *data, char token[TOKEN_SIZE], struct fault *f)
{
    enum err err = read_token(data, token, f);

    if (err != E_NOT_FOUND) {
        return err;
    }
    if (!make_token(token)) {
        return fault_set(f, E_IO, "no random bytes for a token: %s", strerror(errno));
    }
    err = dir_create_file(data, token_name, slice_of(token), f);
    /* Another was faster: its token is the one. */
    return err == E_CONFLICT ? read_token(data, token, f) : err;
}

void
discovery_fini(struct discovery *d)
{
    char *owned[] = {d->version,      d->transport,    d->host,       d->socket,
                     d->path,         d->url,          d->started_at, d->instance,
                     d->project_name, d->project_root, d->token,      d->managed_by};

    if (d->token) {
        explicit_bzero(d->token, strlen(d->token));
    }
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) {
        free(owned[i]);
    }
    *d = (struct discovery)DISCOVERY_INIT;
}

bool
process_start_ticks(pid_t pid, uint64_t *ticks)
{
    char path[64], text[1024];
    const char *p;
    ssize_t n;
    int fd;

    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0) {
        return false;
    }
    text[n] = '\0';
    p = strrchr(text, ')'); /* The name before it may hold anything. */
    if (!p || p[1] != ' ' || strchr("ZX", p[2])) {
        return false; /* It has ended, and only waits to be collected. */
    }
    p += 2;
    for (int field = 3; field < 22 && p; field++) {
        p = strchr(p, ' ');
        p = p ? p + 1 : NULL;
    }
    *ticks = p ? strtoull(p, NULL, 10) : 0;
    return *ticks != 0;
}

enum err
discovery_of_this_process(struct discovery *d, struct fault *f)
{
    unsigned char raw[16];
    char when[CLOCK_TEXT_SIZE];

    d->pid = getpid();
    if (!process_start_ticks(d->pid, &d->start_ticks)) {
        d->start_ticks = 0; /* No /proc: readers go by the pid alone. */
    }
    if (!random_bytes(raw, sizeof raw)) {
        return fault_set(f, E_IO, "no random bytes for an instance id: %s", strerror(errno));
    }
    d->instance = xcalloc(INSTANCE_ID_SIZE, 1);
    for (size_t i = 0; i < sizeof raw; i++) {
        snprintf(d->instance + 2 * i, 3, "%02x", raw[i]);
    }
    clock_format_utc(clock_wall(clock_real()), when);
    d->started_at = xstrdup(when);
    return E_OK;
}

char *
discovery_ws_url(const char *url)
{
    return url && strncmp(url, "http://", 7) == 0 ? xasprintf("ws%s", url + 4) : NULL;
}

enum err
discovery_write(struct dir *data, const struct discovery *d, struct fault *f)
{
    char *ws = discovery_ws_url(d->url);
    json_t *root = json_pack(
        "{s:s, s:s?, s:s?, s:o, s:s?, s:s?, s:s?, s:s?, s:i, s:s?, s:I, s:s?, s:{s:s?, s:s?}, "
        "s:s?, s:s?}",
        "version", d->version ? d->version : TANDEM_VERSION, "transport", d->transport, "host",
        d->host, "port", d->port ? json_integer(d->port) : json_null(), "socket", d->socket, "path",
        d->path, "url", d->url, "ws_url", ws, "pid", (int)d->pid, "started_at", d->started_at,
        "start_ticks", (json_int_t)d->start_ticks, "instance", d->instance, "project", "name",
        d->project_name, "root", d->project_root, "managed_by", d->managed_by, "token", d->token);
    char *text = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
    enum err err;

    if (text) {
        err = dir_write_volatile(data, file_name, slice_of(text), f);
        explicit_bzero(text, strlen(text));
    } else {
        fault_set(f, E_IO, "%s cannot be written: the project's path is not UTF-8", file_name);
        err = fault_remedy(f, "rename the folder");
    }
    free(text);
    free(ws);
    json_decref(root);
    return err;
}

static char *
take_string(const json_t *root, const char *key)
{
    const char *text = json_string_value(json_object_get(root, key));
    return text ? xstrdup(text) : NULL;
}

/* Parses server.json; whether its process runs is another question. */
static enum err
parse(struct slice text, struct discovery *d, struct fault *f)
{
    json_t *root = json_loadb(text.data ? text.data : "", text.len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *pid = json_object_get(root, "pid");
    const json_t *port = json_object_get(root, "port");
    const json_t *project = json_object_get(root, "project");

    *d = (struct discovery){
        .version = take_string(root, "version"),
        .transport = take_string(root, "transport"),
        .host = take_string(root, "host"),
        .port = json_is_integer(port) ? (unsigned)json_integer_value(port) : 0,
        .socket = take_string(root, "socket"),
        .path = take_string(root, "path"),
        .url = take_string(root, "url"),
        .pid = (pid_t)json_integer_value(pid),
        .start_ticks = (uint64_t)json_integer_value(json_object_get(root, "start_ticks")),
        .started_at = take_string(root, "started_at"),
        .instance = take_string(root, "instance"),
        .project_name = take_string(project, "name"),
        .project_root = take_string(project, "root"),
        .managed_by = take_string(root, "managed_by"),
        .token = take_string(root, "token"),
    };
    if (!json_is_object(root)) {
        fault_set(f, E_NOT_FOUND, "%s is not a JSON object", file_name);
    } else if (!json_is_integer(pid) || json_integer_value(pid) != d->pid || d->pid <= 0) {
        fault_set(f, E_NOT_FOUND, "%s names no process", file_name);
    } else if (!d->transport) {
        fault_set(f, E_NOT_FOUND, "%s names no transport", file_name);
    } else if (!d->url && strcmp(d->transport, "stdio") != 0) {
        fault_set(f, E_NOT_FOUND, "%s names no url", file_name);
    } else {
        json_decref(root);
        return E_OK;
    }
    json_decref(root);
    discovery_fini(d);
    return E_NOT_FOUND;
}

static enum err
read_file(const struct dir *data, struct discovery *d, struct fault *f)
{
    struct buf b = BUF_INIT;
    enum err err = dir_read(data, file_name, FILE_MAX, &b, NULL, f);

    *d = (struct discovery)DISCOVERY_INIT;
    if (!err) {
        err = parse(buf_slice(&b), d, f);
        if (b.data) {
            explicit_bzero(b.data, b.len);
        }
    } else if (err == E_NOT_FOUND) {
        fault_set(f, E_NOT_FOUND, "there is no %s", file_name);
    } else if (f) {
        f->code = E_NOT_FOUND; /* A file that cannot be read tells of no server either. */
    }
    buf_fini(&b);
    return err ? E_NOT_FOUND : E_OK;
}

enum err
discovery_read(const struct dir *data, struct discovery *d, struct fault *f)
{
    enum err err = read_file(data, d, f);
    uint64_t ticks;

    if (err) {
        return err;
    }
    if (!process_start_ticks(d->pid, &ticks)) {
        fault_set(f, E_NOT_FOUND, "process %ld, which wrote %s, has ended", (long)d->pid,
                  file_name);
    } else if (d->start_ticks && d->start_ticks != ticks) {
        fault_set(f, E_NOT_FOUND, "process %ld is not the one that wrote %s: it started later",
                  (long)d->pid, file_name);
    } else {
        return E_OK;
    }
    discovery_fini(d);
    return E_NOT_FOUND;
}

bool
discovery_remove(struct dir *data, const struct discovery *d)
{
    struct discovery there;
    bool ours;

    if (read_file(data, &there, NULL)) {
        return false;
    }
    ours = there.pid == d->pid && there.start_ticks == d->start_ticks && there.instance &&
           d->instance && strcmp(there.instance, d->instance) == 0;
    discovery_fini(&there);
    return ours && dir_remove_volatile(data, file_name, NULL) == E_OK;
}

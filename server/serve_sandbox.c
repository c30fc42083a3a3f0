/* serve_sandbox.c -- what a server can still reach once it serves: its project to read, its data
 * folder to write, what the system's libraries look for, and the folders of the files that its
 * settings name, since such a file is replaced by another of its name. */
#include "server/serve_private.h"

#include "server/sandbox.h"
#include "state/base/log.h"
#include "state/project_info.h"

#include <limits.h>
#include <sys/un.h>

LOG_MODULE("sandbox");

static void
allow_system(struct sandbox *s)
{
    static const struct {
        const char *path;
        enum sandbox_use use;
    } needed[] = {
        /* Libraries, certificates, names, time zones. */
        {"/usr", SANDBOX_READ},
        {"/lib", SANDBOX_READ},
        {"/lib64", SANDBOX_READ},
        {"/etc", SANDBOX_READ},
        {"/opt", SANDBOX_READ},
        {"/nix/store", SANDBOX_READ},
        {"/gnu/store", SANDBOX_READ},
        {"/var/lib/ca-certificates", SANDBOX_READ},
        /* Itself: what is open, how much memory; the kernel keeps other processes apart. */
        {"/proc", SANDBOX_READ},
        {"/sys/devices/system/cpu", SANDBOX_READ},
        {"/dev/tty", SANDBOX_READ}, /* Whether it has hung up. */
        {"/dev/urandom", SANDBOX_READ},
        {"/dev/null", SANDBOX_DEVICE},
#ifdef COVERAGE_FOLDER
        {COVERAGE_FOLDER, SANDBOX_WRITE}, /* Where such a build counts at its end. */
#endif
    };

    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        sandbox_allow_path(s, needed[i].path, needed[i].use);
    }
}

/* The folder of a file, or of what a link leads to. */
static void
allow_folder_of(struct sandbox *s, const char *path, enum sandbox_use use)
{
    char *real = realpath(path, NULL), *slash = real ? strrchr(real, '/') : NULL;

    if (slash) {
        slash[slash == real] = '\0';
        sandbox_allow_path(s, real, use);
    }
    free(real);
}

static void
allow_folder_of_setting(struct sandbox *s, const char *value, const char *folder)
{
    char *path;

    if (*value && !strstr(value, "://") && strncmp(value, "env:", 4) != 0) {
        path = *value == '/' ? xstrdup(value) : xasprintf("%s/%s", folder, value);
        allow_folder_of(s, path, SANDBOX_READ);
        free(path);
    }
}

/* What the environment says to the libraries. */
static void
allow_environment(struct sandbox *s)
{
    static const char *const files[] = {"SSL_CERT_FILE", "CURL_CA_BUNDLE", "OPENSSL_CONF"};
    static const char *const folders[] = {"SSL_CERT_DIR", "TZDIR", "OPENSSL_MODULES",
                                          "LD_LIBRARY_PATH"};

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (getenv(files[i])) {
            allow_folder_of(s, getenv(files[i]), SANDBOX_READ);
        }
    }
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        const char *list = getenv(folders[i]);

        while (list && *list) { /* With colons between them. */
            size_t len = strcspn(list, ":");
            char *path = xstrndup(list, len);

            sandbox_allow_path(s, path, SANDBOX_READ);
            free(path);
            list += len + (list[len] == ':');
        }
    }
}

/* The index may be elsewhere in the project; it is made now if it is not there. */
static enum err
allow_index(struct sandbox *s, const struct context *c, struct fault *f)
{
    struct dir *index = NULL;
    enum err err = E_OK;

    if (*c->settings->index_path) {
        err = dir_sub(c->project.root_dir, c->settings->index_path, true, &index, f);
    }
    if (index) {
        sandbox_allow(s, dir_fd(index), SANDBOX_WRITE);
    }
    dir_unref(index);
    return err;
}

/* Where a socket of our own is made. */
static void
allow_socket(struct sandbox *s, const struct listen_address *address)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)&address->sockaddr;

    if (un->sun_family == AF_UNIX) {
        char *folder = xstrdup(un->sun_path), *slash = strrchr(folder, '/');

        slash[slash == folder] = '\0'; /* It is absolute. */
        sandbox_allow_path(s, folder, SANDBOX_SOCKET);
        free(folder);
    }
}

static enum err
allow_all(struct sandbox *s, const struct server *server, struct fault *f)
{
    const struct context *c = server->context;
    const struct settings *settings = c->settings;
    const char *root = c->project.root;

    sandbox_allow(s, dir_fd(c->project.root_dir), SANDBOX_READ);
    sandbox_allow(s, dir_fd(c->project.data), SANDBOX_WRITE);
    allow_system(s);
    allow_folder_of(s, "/proc/self/exe", SANDBOX_READ);
    allow_folder_of(s, "/etc/resolv.conf", SANDBOX_READ);
    allow_environment(s);
    allow_folder_of_setting(s, settings->config, ".");
    allow_folder_of_setting(s, settings->state_key, ".");
    allow_folder_of_setting(s, settings->token_file, root);
    allow_folder_of_setting(s, settings->jwt_keys, root);
    allow_folder_of_setting(s, settings->embed_key_file, root);
    if (server->http && !server->activation.count) {
        allow_socket(s, &server->address);
    }
    return allow_index(s, c, f);
}

static enum err
build_walls(struct server *s, struct fault *f)
{
    struct fault why = FAULT_INIT;
    struct sandbox sandbox;
    /* The name of a service manager's socket may be an abstract one. */
    bool abstract = notify_on(&s->notify) && !s->notify.to.sun_path[0];
    enum err files = sandbox_open(&sandbox, abstract, f), calls;

    if (!files) {
        files = allow_all(&sandbox, s, f);
        files = files ? files : sandbox_enter(&sandbox, f);
        sandbox_close(&sandbox);
    }
    calls = sandbox_filter_calls(&why);
    s->sandbox = !files && !calls ? "files and system calls"
                 : !files         ? "files"
                 : !calls         ? "system calls"
                                  : "none";
    if (!files && calls) {
        *f = why;
    }
    return files ? files : calls;
}

enum err
serve_shut_in(struct server *s, struct fault *f)
{
    const struct settings *settings = s->context->settings;
    struct fault why = FAULT_INIT;
    enum err err;

    s->sandbox = "none";
    if (settings->sandbox == SANDBOX_OFF) {
        return E_OK;
    }
    err = project_info_start_aside(s->context->project.root, &s->git, &why);
    err = err ? err : build_walls(s, &why);
    if (!err) {
        return E_OK;
    }
    if (settings->sandbox == SANDBOX_ON) {
        fault_set(f, err, "sandbox: %s", why.text);
        return fault_remedy(
            f, "%s", why.remedy[0] ? why.remedy : "let it do what it can, with --sandbox auto");
    }
    log_warn("not all of the sandbox is there", F_STR("holds", s->sandbox), F_STR("why", why.text));
    return E_OK;
}

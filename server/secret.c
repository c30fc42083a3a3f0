/* secret.c -- reads files and variables that settings name for secrets. */
#include "server/secret.h"

#include "state/base/file.h"

#include <errno.h>
#include <sys/stat.h>

#define VARIABLE "env:"

static enum err
read_variable(const char *name, struct buf *secret)
{
    const char *value = getenv(name);

    if (!value || !*value) {
        return E_NOT_FOUND;
    }
    secret->limit = SECRET_MAX;
    buf_adds(secret, value);
    return secret->failed ? E_TOO_LARGE : E_OK;
}

/* Where the file is, new; null with errno.  The operator has named it, so links are followed:
 * Kubernetes puts each secret behind two. */
static char *
path_of(const char *place, const char *folder)
{
    char *path = *place == '/' ? xstrdup(place) : xasprintf("%s/%s", folder, place);
    char *real = realpath(path, NULL);

    free(path);
    return real;
}

static enum err
read_file(const char *place, const char *folder, struct buf *secret)
{
    char *path = path_of(place, folder);
    char *slash = path ? strrchr(path, '/') : NULL;
    struct dir *dir = NULL;
    enum err err;

    if (!path) {
        return errno == ENOENT ? E_NOT_FOUND : E_IO;
    }
    *slash = '\0';
    err = dir_open(*path ? path : "/", false, &dir, NULL);
    err = err ? err : dir_read(dir, slash + 1, SECRET_MAX, secret, NULL, NULL);
    dir_unref(dir);
    free(path);
    return err;
}

enum err
secret_read(const char *key, const char *place, const char *folder, struct buf *secret,
            struct fault *f)
{
    bool variable = strncmp(place, VARIABLE, sizeof VARIABLE - 1) == 0;
    enum err err = !*place    ? E_OK
                   : variable ? read_variable(place + sizeof VARIABLE - 1, secret)
                              : read_file(place, folder, secret);

    if (err) { /* Not the place: it may be the secret, put there by mistake. */
        fault_set(f, err, "%s: the %s that it names %s", key, variable ? "variable" : "file",
                  err == E_NOT_FOUND   ? "is not there"
                  : err == E_TOO_LARGE ? "is too large for a secret"
                                       : "cannot be read");
        fault_remedy(f, "it names the place of the secret (a file, or env:NAME), not the secret");
    }
    return err;
}

enum err
secret_check_private(const char *key, const char *place, const char *folder, struct fault *f)
{
    bool variable = !*place || strncmp(place, VARIABLE, sizeof VARIABLE - 1) == 0;
    char *path = variable ? NULL : path_of(place, folder);
    enum err err = E_OK;
    struct stat st;

    if (path && stat(path, &st) == 0 && (st.st_mode & (S_IRWXO | S_IWGRP)) != 0) {
        fault_set(f, E_REFUSED, "%s: others can read or change the file that it names", key);
        err = fault_remedy(f, "give it to the user that the server runs as, and chmod 400 it "
                              "(440 if its group is only for that)");
    }
    free(path);
    return err;
}

static bool
is_printable(struct slice text)
{
    size_t i = 0;

    while (i < text.len && (unsigned char)text.data[i] > ' ' &&
           (unsigned char)text.data[i] < 0x7F) {
        i++;
    }
    return i == text.len;
}

enum err
secret_read_text(const char *key, const char *place, const char *folder, char **text,
                 struct fault *f)
{
    struct buf secret = BUF_INIT;
    enum err err = secret_read(key, place, folder, &secret, f);
    struct slice s;

    *text = NULL;
    s = buf_slice(&secret);
    while (s.len && strchr(" \t\r\n", s.data[s.len - 1])) {
        s.len--;
    }
    while (s.len && strchr(" \t\r\n", s.data[0])) {
        s = (struct slice){s.data + 1, s.len - 1};
    }
    if (!err && *place && (!s.len || !is_printable(s))) {
        err = fault_set(f, E_ARGUMENT, "%s: there is no secret that can stand in a header", key);
        fault_remedy(f, "put the secret alone there, on one line");
    }
    if (!err && *place) {
        *text = xstrndup(s.data, s.len);
    }
    if (secret.data) {
        explicit_bzero(secret.data, secret.len);
    }
    buf_fini(&secret);
    return err;
}

void
secret_free(char *text)
{
    if (text) {
        explicit_bzero(text, strlen(text));
        free(text);
    }
}

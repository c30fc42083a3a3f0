/* project.c -- finding the root upward, and its data folder. */
#include "server/project.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDERS_MAX 65536u /* Of tenants. */

static const char tandem_name[] = ".tandem";
static const char praxis_name[] = ".praxis-os";

static const char ignored[] = "# What tandem keeps for this machine only.\n"
                              "/.gitignore\n/state/\n/index/\n/.cache/\n"
                              "/server.json\n/server.lock\n/token\n";

/* True if 'folder' has a data folder 'name' that this user may trust. */
static bool
has_data(const char *folder, const char *name)
{
    char *path = xasprintf("%s/%s", strcmp(folder, "/") == 0 ? "" : folder, name);
    struct stat st;
    bool found =
        stat(path, &st) == 0 && S_ISDIR(st.st_mode) && (st.st_uid == geteuid() || st.st_uid == 0);

    free(path);
    return found;
}

/* Cuts the last part off; false at the top. */
static bool
go_up(char *path)
{
    char *slash = strrchr(path, '/');

    if (!slash || !path[1]) {
        return false;
    }
    slash[slash == path ? 1 : 0] = '\0';
    return true;
}

/* New, or null if no folder upward has a data folder. */
static char *
find_upward(const char *from, const char *home)
{
    char *path = xstrdup(from);

    do {
        if (has_data(path, tandem_name) || has_data(path, praxis_name)) {
            return path;
        }
        if (home && strcmp(path, home) == 0) {
            break;
        }
    } while (go_up(path));
    free(path);
    return NULL;
}

enum err
project_find(const char *root, const char *from, const char *home, struct project *p,
             struct fault *f)
{
    char *real_home = home && *home ? realpath(home, NULL) : NULL;
    char *found = root && *root ? xstrdup(root) : find_upward(from, real_home);
    enum err err = E_OK;

    *p = (struct project)PROJECT_INIT;
    free(real_home);
    p->root = realpath(found ? found : from, NULL);
    if (!p->root) {
        err = fault_set(f, errno == ENOENT ? E_NOT_FOUND : E_IO,
                        "the project folder '%s' cannot be opened: %s", found ? found : ".",
                        strerror(errno));
        fault_remedy(f, "give an existing folder with --root DIR");
    } else {
        err = dir_open(p->root, false, &p->root_dir, f);
    }
    free(found);
    if (err) {
        project_fini(p);
        return err;
    }
    p->name = xstrdup(p->root[1] ? strrchr(p->root, '/') + 1 : "root");
    p->data_name =
        !dir_is_folder(p->root_dir, tandem_name) && dir_is_folder(p->root_dir, praxis_name)
            ? praxis_name
            : tandem_name;
    return E_OK;
}

void
project_fini(struct project *p)
{
    dir_unref(p->root_dir);
    dir_unref(p->data);
    free(p->root);
    free(p->name);
    *p = (struct project)PROJECT_INIT;
}

enum err
project_open_data(struct project *p, bool create, struct fault *f)
{
    return p->data ? E_OK : dir_sub(p->root_dir, p->data_name, create, &p->data, f);
}

/* Sweeps a folder of the data folder, if it is there, and with 'inner' those in it. */
static void
sweep(const struct project *p, const char *folder, bool inner)
{
    struct dir_list list = {.count = 0};
    struct dir *dir;
    struct fault f;

    if (dir_sub(p->data, folder, false, &dir, &f) != E_OK) {
        return;
    }
    dir_sweep(dir);
    if (inner && dir_list(dir, ".", FOLDERS_MAX, &list, &f) == E_OK) {
        for (size_t i = 0; i < list.count; i++) {
            char *path = xasprintf("%s/%s", folder, list.entries[i].name);

            if (list.entries[i].folder) {
                sweep(p, path, false);
            }
            free(path);
        }
    }
    dir_list_fini(&list);
    dir_unref(dir);
}

enum err
project_tidy_data(struct project *p, struct fault *f)
{
    enum err err;

    /* Workflow sessions, quotas and the index sweep their own. */
    dir_sweep(p->data);
    sweep(p, "session", false);
    sweep(p, "tenants", false);
    sweep(p, "learnings", true); /* A folder a tenant. */
    if (faccessat(dir_fd(p->data), ".gitignore", F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        return E_OK; /* The usual case, without writing and flushing a file to find out. */
    }
    err = dir_create_file(p->data, ".gitignore", slice_of(ignored), f);
    return err == E_CONFLICT ? E_OK : err; /* One that is there is left as it is. */
}

char *
project_data_path(const struct project *p, const char *name)
{
    return xasprintf("%s/%s/%s", p->root[1] ? p->root : "", p->data_name, name);
}

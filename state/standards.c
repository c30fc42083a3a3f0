/* standards.c -- the documents of the folder of standards. */
#include "state/standards.h"

#include <fcntl.h>
#include <unistd.h>

static struct document_folder
folder_at(const struct dir_place *at)
{
    return (struct document_folder){at->path, "standard", DOCUMENT_DEPTH_MAX};
}

bool
standards_path_is_valid(struct slice path)
{
    static const struct document_folder any = {"", "standard", DOCUMENT_DEPTH_MAX};

    return documents_path_is_valid(&any, path);
}

enum err
standards_find(const struct dir_place *at, struct document_list *list, struct fault *f)
{
    const struct document_folder folder = folder_at(at);

    return documents_find(at->base, &folder, list, f);
}

bool
standards_look(const struct dir_place *at, struct slice path, struct standard_look *look)
{
    const struct document_folder folder = folder_at(at);
    char *place = documents_place(&folder, path);
    char front[4096];
    struct file_identity identity;
    ssize_t len = -1;
    int fd = -1;

    if (place && dir_identity(at->base, place, &identity, NULL) == E_OK) {
        fd = dir_open_at(at->base, place, O_RDONLY | O_NONBLOCK, 0);
    }
    free(place);
    if (fd >= 0) {
        len = read(fd, front, sizeof front);
        close(fd);
    }
    if (len < 0) {
        return false;
    }
    look->size = identity.size;
    look->modified_ns = identity.mtime_ns;
    skill_title_of((struct slice){front, (size_t)len}, look->title);
    return true;
}

enum err
standards_read(const struct dir_place *at, struct slice path, struct buf *out, struct fault *f)
{
    const struct document_folder folder = folder_at(at);

    return documents_read(at->base, &folder, path, out, f);
}

enum err
standards_identity(const struct dir_place *at, struct slice path, struct file_identity *identity,
                   struct fault *f)
{
    const struct document_folder folder = folder_at(at);

    return documents_identity(at->base, &folder, path, identity, f);
}

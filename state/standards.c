/* standards.c -- the documents of the data folder's "standards". */
#include "state/standards.h"

#include <fcntl.h>
#include <unistd.h>

static const struct document_folder standards = {"standards", "standard", DOCUMENT_DEPTH_MAX};

bool
standards_path_is_valid(struct slice path)
{
    return documents_path_is_valid(&standards, path);
}

enum err
standards_find(const struct dir *data, struct document_list *list, struct fault *f)
{
    return documents_find(data, &standards, list, f);
}

bool
standards_look(const struct dir *data, struct slice path, struct standard_look *look)
{
    char *place = documents_place(&standards, path);
    char front[4096];
    struct file_identity identity;
    ssize_t len = -1;
    int fd = -1;

    if (place && dir_identity(data, place, &identity, NULL) == E_OK) {
        fd = dir_open_at(data, place, O_RDONLY | O_NONBLOCK, 0);
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
standards_read(const struct dir *data, struct slice path, struct buf *out, struct fault *f)
{
    return documents_read(data, &standards, path, out, f);
}

enum err
standards_identity(const struct dir *data, struct slice path, struct file_identity *identity,
                   struct fault *f)
{
    return documents_identity(data, &standards, path, identity, f);
}

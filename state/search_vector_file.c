/* search_vector_file.c -- a head, and then records of one size: key, scale, numbers, checksum. */
#include "state/search_vector_file.h"

#include "state/base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "tandem vectors 1\n"
#define PIECE ((size_t)1 << 18) /* Bytes that are read or written at once, about. */

struct head {
    char magic[32], identity[EMBED_IDENTITY_SIZE];
    uint32_t dimension; /* As this machine writes it: another finds it wrong. */
    uint32_t check;     /* Of all above. */
};

struct vector_file {
    struct dir *dir; /* Counted. */
    char *name;      /* Owned. */
    char identity[EMBED_IDENTITY_SIZE];
    int fd;             /* -1: there is no file that is of use. */
    unsigned dimension; /* Of what is in it; 0 without a file. */
    uint64_t records;
    off_t end; /* Of the last good record. */
};

static uint32_t
check_of(const void *data, size_t len)
{
    const unsigned char *p = data;
    uint32_t check = 2166136261u; /* FNV-1a. */

    for (size_t i = 0; i < len; i++) {
        check = (check ^ p[i]) * 16777619u;
    }
    return check;
}

static size_t
record_size(unsigned dimension)
{
    return VECTOR_KEY_SIZE + sizeof(float) + dimension + sizeof(uint32_t);
}

static enum err
io_fault(const char *what, struct fault *f)
{
    return fault_set(f, E_IO, "the vectors' file cannot be %s: %s", what, strerror(errno));
}

/* ---- Opening ---- */

static void
fill_head(struct head *head, const char *identity, unsigned dimension)
{
    memset(head, 0, sizeof *head);
    memcpy(head->magic, MAGIC, sizeof MAGIC);
    snprintf(head->identity, sizeof head->identity, "%s", identity);
    head->dimension = dimension;
    head->check = check_of(head, offsetof(struct head, check));
}

static bool
is_ours(const struct head *head, const char *identity)
{
    struct head good;

    fill_head(&good, identity, head->dimension);
    return head->dimension && head->dimension <= EMBED_DIMENSION_MAX &&
           memcmp(head, &good, sizeof good) == 0;
}

enum err
vector_file_open(struct dir *dir, const char *name, const char *identity,
                 struct vector_file **result, struct fault *f)
{
    struct vector_file *file = xcalloc(1, sizeof *file);
    struct head head;
    enum err err = E_OK;
    struct stat st;

    file->dir = dir_ref(dir);
    file->name = xstrdup(name);
    snprintf(file->identity, sizeof file->identity, "%s", identity);
    file->fd = dir_open_at(dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0);
    if (file->fd < 0 && errno != ENOENT) {
        err = io_fault("opened", f);
    } else if (file->fd >= 0 && (fstat(file->fd, &st) != 0 || !S_ISREG(st.st_mode))) {
        err = fault_set(f, E_IO, "the vectors' file is no file");
    } else if (file->fd >= 0 && pread(file->fd, &head, sizeof head, 0) == (ssize_t)sizeof head &&
               is_ours(&head, identity)) {
        file->dimension = head.dimension;
        file->records =
            ((size_t)st.st_size - sizeof head) / record_size(file->dimension); /* At most. */
        file->end = (off_t)(sizeof head + file->records * record_size(file->dimension));
    } else if (file->fd >= 0) {
        close(file->fd);
        file->fd = -1;
    }
    if (err) {
        vector_file_close(file);
        file = NULL;
    }
    *result = file;
    return err;
}

void
vector_file_close(struct vector_file *file)
{
    if (file) {
        if (file->fd >= 0) {
            close(file->fd);
        }
        dir_unref(file->dir);
        free(file->name);
        free(file);
    }
}

unsigned
vector_file_dimension(const struct vector_file *file)
{
    return file->dimension;
}

uint64_t
vector_file_records(const struct vector_file *file)
{
    return file->records;
}

/* ---- Reading ---- */

static bool
take_record(const char *record, unsigned dimension,
            bool (*take)(void *arg, const unsigned char key[VECTOR_KEY_SIZE], struct vector_bytes),
            void *arg, bool *good)
{
    size_t size = record_size(dimension);
    struct vector_bytes bytes;
    uint32_t check;

    memcpy(&check, record + size - sizeof check, sizeof check);
    *good = check == check_of(record, size - sizeof check);
    if (!*good) {
        return false;
    }
    memcpy(&bytes.scale, record + VECTOR_KEY_SIZE, sizeof bytes.scale);
    bytes.numbers = (const signed char *)record + VECTOR_KEY_SIZE + sizeof bytes.scale;
    return take(arg, (const unsigned char *)record, bytes);
}

enum err
vector_file_each(struct vector_file *file,
                 bool (*take)(void *arg, const unsigned char key[VECTOR_KEY_SIZE],
                              struct vector_bytes bytes),
                 void *arg, struct fault *f)
{
    size_t size = record_size(file->dimension), room = size * (PIECE / size + 1);
    off_t at = sizeof(struct head);
    bool good = true, more = file->fd >= 0;
    uint64_t records = 0;
    char *piece = more ? try_malloc(room) : NULL;
    ssize_t n = 0;

    if (more && !piece) {
        return fault_set(f, E_OVERLOAD, "there is no memory to read vectors now");
    }
    while (more && (n = pread(file->fd, piece, room, at)) > 0) {
        size_t used = 0;

        for (; more && used + size <= (size_t)n; used += good ? size : 0, records += good) {
            more = take_record(piece + used, file->dimension, take, arg, &good);
        }
        at += (off_t)used;
        if (good && more && used == 0) {
            good = false; /* Less than one is left. */
            more = false;
        }
    }
    free(piece);
    if (n < 0) {
        return io_fault("read", f);
    }
    if (file->fd >= 0 && (!good || more)) { /* Seen to its end, or to what is broken. */
        file->records = records;
        file->end = at;
        if (!good && ftruncate(file->fd, at) != 0) {
            return io_fault("cut", f);
        }
    }
    return E_OK;
}

/* ---- Writing ---- */

static void
add_record(const struct search_vectors *v, size_t i, unsigned dimension, struct buf *out)
{
    struct vector_bytes bytes = search_vectors_bytes(v, i);
    size_t start = out->len;
    uint32_t check;

    buf_add(out, search_vectors_row(v, i)->key, VECTOR_KEY_SIZE);
    buf_add(out, &bytes.scale, sizeof bytes.scale);
    buf_add(out, bytes.numbers, dimension);
    if (!out->failed) {
        check = check_of(out->data + start, out->len - start);
        buf_add(out, &check, sizeof check);
    }
}

static bool
write_all(int fd, const struct buf *data, off_t *at)
{
    size_t done = 0;

    while (done < data->len) {
        ssize_t n = pwrite(fd, data->data + done, data->len - done, *at + (off_t)done);

        if (n < 0) {
            return false;
        }
        done += (size_t)n;
    }
    *at += (off_t)done;
    return true;
}

/* Writes 'count' rows, or with 'rows' null those of the first 'count' that are there, behind '*at'.
 */
static enum err
write_rows(int fd, const struct search_vectors *v, const size_t *rows, size_t count, off_t *at,
           uint64_t *records, struct fault *f)
{
    unsigned dimension = search_vectors_info(v).dimension;
    struct buf piece = BUF_INIT;
    enum err err = E_OK;

    for (size_t i = 0; i < count && !err; i++) {
        size_t row = rows ? rows[i] : i;

        if (search_vectors_row(v, row)->there) {
            add_record(v, row, dimension, &piece);
            ++*records;
        }
        if (piece.failed) {
            err = fault_set(f, E_IO, "there is no memory to write vectors now");
        } else if (piece.len >= PIECE || i + 1 == count) {
            err = write_all(fd, &piece, at) ? E_OK : io_fault("written", f);
            buf_reset(&piece);
        }
    }
    buf_fini(&piece);
    return err;
}

/* What a write that failed has left is cut off, or the file is of no use any more. */
static void
cut_file(struct vector_file *file)
{
    if (ftruncate(file->fd, file->end) != 0) {
        close(file->fd);
        file->fd = -1;
        file->dimension = 0;
    }
}

enum err
vector_file_add(struct vector_file *file, const struct search_vectors *v, const size_t *rows,
                size_t count, struct fault *f)
{
    uint64_t records = file->records;
    off_t end = file->end;
    enum err err;

    if (file->dimension != search_vectors_info(v).dimension) {
        return vector_file_replace(file, v, f);
    }
    err = write_rows(file->fd, v, rows, count, &end, &records, f);
    if (err) {
        cut_file(file);
        return err;
    }
    file->end = end;
    file->records = records;
    return E_OK;
}

enum err
vector_file_replace(struct vector_file *file, const struct search_vectors *v, struct fault *f)
{
    struct search_vectors_info info = search_vectors_info(v);
    char salt[17], *temp;
    uint64_t records = 0;
    off_t end = sizeof(struct head);
    struct head head;
    enum err err = E_OK;
    int fd;

    if (!random_hex(salt, sizeof salt)) {
        return io_fault("named", f);
    }
    temp = xasprintf(".%s.%s.tmp", file->name, salt);
    fd = dir_open_at(file->dir, temp, O_RDWR | O_CREAT | O_EXCL, 0600);
    fill_head(&head, file->identity, info.dimension);
    if (fd < 0 || pwrite(fd, &head, sizeof head, 0) != (ssize_t)sizeof head) {
        err = io_fault("written", f);
    }
    err = err ? err : write_rows(fd, v, NULL, info.count, &end, &records, f);
    if (!err && (fdatasync(fd) != 0 ||
                 renameat(dir_fd(file->dir), temp, dir_fd(file->dir), file->name) != 0)) {
        err = io_fault("written", f);
    }
    if (err) {
        if (fd >= 0) {
            close(fd);
            unlinkat(dir_fd(file->dir), temp, 0);
        }
    } else {
        if (file->fd >= 0) {
            close(file->fd);
        }
        file->fd = fd;
        file->dimension = info.dimension;
        file->records = records;
        file->end = end;
    }
    free(temp);
    return err;
}

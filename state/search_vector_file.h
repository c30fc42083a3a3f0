/* search_vector_file.h -- vectors as they outlive a server: one file of records, each good by
 * itself.
 *
 * Making vectors costs more than all else about an index, so they are kept apart from its
 * generations: by the keys of their passages, until the embedder is another one.  Records are added
 * at the end; one that a crash has cut, and what is behind it, is dropped, and so is the whole file
 * if it is not one of ours.  One thread at a time, in one process. */
#ifndef TANDEM_SEARCH_VECTOR_FILE_H
#define TANDEM_SEARCH_VECTOR_FILE_H

#include "state/base/file.h"
#include "state/search_vectors.h"

struct vector_file;

/* Opens 'name' in 'dir', which is counted, for the vectors of the embedder 'identity'.  What is
 * there of another one is passed over, and replaced when something is written.  E_IO. */
enum err vector_file_open(struct dir *dir, const char *name, const char *identity,
                          struct vector_file **file, struct fault *f);
/* Null is ignored. */
void vector_file_close(struct vector_file *file);
/* Of its vectors; 0 while there are none. */
unsigned vector_file_dimension(const struct vector_file *file);
/* How many records it has, as far as it has been read or written. */
uint64_t vector_file_records(const struct vector_file *file);

/* Calls 'take' with each record, in order, until it says false; drops the file's end from the first
 * that is not whole.  E_IO. */
enum err vector_file_each(struct vector_file *file,
                          bool (*take)(void *arg, const unsigned char key[VECTOR_KEY_SIZE],
                                       struct vector_bytes bytes),
                          void *arg, struct fault *f);
/* Adds those of 'count' rows of 'v', all of them there; makes the file anew, with all that 'v' has,
 * if what is in it is of another kind.  E_IO: then the file has no more than it had. */
enum err vector_file_add(struct vector_file *file, const struct search_vectors *v,
                         const size_t *rows, size_t count, struct fault *f);
/* Makes the file anew with what 'v' has and nothing else.  As above. */
enum err vector_file_replace(struct vector_file *file, const struct search_vectors *v,
                             struct fault *f);

#endif

/* helpdesk_file.h -- reads an index file: documents, with or without vectors, as data and nothing
 * else.
 *
 * Either one JSON object, the head, whose "documents" is an array; or JSON lines, the head first
 * and then a document a line.
 *
 *   head      {"format": "tandem-helpdesk", "version": 1, "count": N,
 *              "metric": "squared_l2", "dimension": N, "embedder": IDENTITY}
 *   document  {"content": TEXT, "source": TEXT, "meta": {...}, "vector": [...] or BASE64}
 *
 * The second line of the head is needed if a document has a vector; who made it must be the
 * embedder that questions are asked with, or their distances mean nothing.  BASE64 is of little-
 * endian floats of 32 bits.  A document without a vector is cut as Markdown and embedded; one with
 * a vector is one passage.  A vector without "content" keeps its number and is never found.
 * Pure; any thread. */
#ifndef TANDEM_HELPDESK_FILE_H
#define TANDEM_HELPDESK_FILE_H

#include "state/helpdesk_index.h"

#define HELPDESK_FORMAT "tandem-helpdesk"
#define HELPDESK_VERSION 1
#define HELPDESK_METRIC "squared_l2"
#define HELPDESK_SOURCE "Knowledge Base"         /* Of what does not say where it is from. */
#define HELPDESK_FILE_MOST (1024u * 1024 * 1024) /* Bytes that helpdesk.file_max may allow. */
#define HELPDESK_META_MAX (16u * 1024)           /* Bytes of "meta" as JSON. */

/* Adds all documents of 'text' to 'index', whose vectors are made by 'embedder' (null: by any; for
 * looking only).  'name' is what
 * errors call the file; 'lines': JSON lines.  E_REFUSED, with the line: it is damaged, or not for
 * this embedder; E_TOO_LARGE; E_OVERLOAD.  On error 'index' is to be dropped. */
enum err helpdesk_file_read(struct slice text, const char *name, bool lines,
                            const struct embedder *embedder, struct helpdesk_index *index,
                            struct fault *f);

#endif

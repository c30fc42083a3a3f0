/* search_tags.h -- what a document and its passages can be filtered by.
 *
 * A document's tags are the folders it lies in, the list "tags" of its front matter (YAML between
 * two lines "---" at its beginning), and what its line "**Keywords for search**:" lists.  A
 * passage's phase is the number after the word "Phase" in its headings.  Pure; any thread. */
#ifndef TANDEM_SEARCH_TAGS_H
#define TANDEM_SEARCH_TAGS_H

#include "state/search_chunk.h"

#define SEARCH_TAGS_MAX 64u
#define SEARCH_TAG_BYTES_MAX 64u

struct tag_list {
    char *items[SEARCH_TAGS_MAX]; /* Owned; different ones, as search_tag() makes them. */
    size_t count;
};

/* Writes 'text' as a tag: lower case, and '-' for what lies between its words; false if nothing is
 * left of it or it is too long. */
bool search_tag(struct slice text, char tag[SEARCH_TAG_BYTES_MAX + 1]);
/* Adds the tags of the document 'path' with that text; what is over a limit is left out. */
void search_document_tags(struct tag_list *list, const char *path, struct slice text);
void search_tags_fini(struct tag_list *list);
/* The phase a passage is about, or -1. */
int search_phase(const struct chunk *chunk);

#endif

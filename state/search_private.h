/* search_private.h -- what a generation looks like inside: for the files that build and read it. */
#ifndef TANDEM_SEARCH_PRIVATE_H
#define TANDEM_SEARCH_PRIVATE_H

#include "state/base/lock.h"
#include "state/base/sql.h"
#include "state/search_chunk.h"
#include "state/search_spell.h"
#include "state/search_store.h"
#include "state/search_words.h"

#include <stdatomic.h>

#define SEARCH_FORMAT 2 /* Another one: the index is made anew. */
#define SEARCH_READERS_KEPT 8

/* The words of a document are stored as struct rank_count.
 * The words of a chunk are stored as the counts of its fields and then their hashes, each four
 * bytes as this machine writes them; apart from its text, so that ranking reads no text. */
#define SEARCH_SCHEMA                                                                              \
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"                                \
    "CREATE TABLE files(id INTEGER PRIMARY KEY, path TEXT UNIQUE NOT NULL, stamp TEXT NOT NULL,"   \
    " title TEXT NOT NULL, tags TEXT NOT NULL, words BLOB NOT NULL, length REAL NOT NULL);"        \
    "CREATE TABLE chunks(id INTEGER PRIMARY KEY, file INTEGER NOT NULL, ordinal INTEGER NOT NULL," \
    " line INTEGER NOT NULL, phase INTEGER, path TEXT NOT NULL, more TEXT NOT NULL,"               \
    " sample INTEGER NOT NULL, text TEXT NOT NULL);"                                               \
    "CREATE TABLE chunk_words(chunk INTEGER PRIMARY KEY, file INTEGER NOT NULL,"                   \
    " ordinal INTEGER NOT NULL, words BLOB NOT NULL);"                                             \
    "CREATE INDEX chunk_file ON chunks(file);"                                                     \
    "CREATE TABLE tags(tag TEXT NOT NULL, chunk INTEGER NOT NULL, PRIMARY KEY(tag, chunk))"        \
    " WITHOUT ROWID;"                                                                              \
    "CREATE INDEX tag_chunk ON tags(chunk);"                                                       \
    "CREATE TABLE words(hash INTEGER PRIMARY KEY, passages INTEGER NOT NULL,"                      \
    " documents INTEGER NOT NULL);"                                                                \
    "CREATE TABLE spellings(word TEXT PRIMARY KEY, hash INTEGER NOT NULL) WITHOUT "                \
    "ROWID;" SEARCH_PASSAGES(WORDS_STEMMED)
#define SEARCH_PASSAGES(TOKENIZER)                                                                \
    "CREATE VIRTUAL TABLE passages USING fts5(title, head, path, tags, body, sample, content=''," \
    " tokenize='" TOKENIZER "');"

struct search_reader {
    struct search_reader *next; /* Among the idle ones. */
    sqlite3 *db;
    struct words *words;
    sqlite3_stmt *find_word, *read_words, *read_document, *read_chunk;
    struct buf room; /* For search_words_read(). */
};

struct search_store {
    _Atomic unsigned refs;
    struct search_store_info info;
    struct dir *dir;             /* Counted; null in memory. */
    char *file;                  /* Its name there; owned, or null. */
    struct spellings *spellings; /* Of its words. */
    unsigned char *image;        /* In memory: SQLite's own allocation. */
    _Atomic bool superseded;     /* There is a newer one: its file goes with it. */
    struct lock lock;
    struct search_reader *idle GUARDED_BY(LC_SEARCH_READERS);
    unsigned idle_count GUARDED_BY(LC_SEARCH_READERS);
};

/* A connection for this thread alone, to be given back.  E_REFUSED if the index is damaged, E_IO,
 * E_OVERLOAD. */
enum err search_reader_take(struct search_store *store, struct search_reader **reader,
                            struct fault *f);
void search_reader_give(struct search_store *store, struct search_reader *reader);

/* A new store of the finished generation 'file' in 'dir', or 'image'.  Takes 'file' and 'image'
 * over in any case. */
enum err search_store_make(struct dir *dir, char *file, unsigned char *image, size_t size,
                           struct search_store **store, struct fault *f);

/* A new tokenizer for the words of 'db' as its generation has them.  Errors as words_create(),
 * sql_step(). */
enum err search_words_of(sqlite3 *db, struct words **words, struct fault *f);

/* The path by which SQLite opens 'name' in 'dir'; new. */
char *search_path(const struct dir *dir, const char *name);

/* The file of a generation; new. */
char *search_file(const char *name, uint64_t generation);

/* The texts of a passage's fields as they are tokenized, split by words_split(). */
struct search_fields {
    struct buf text[FIELD_COUNT];
};
/* What a document brings to each of its passages. */
struct search_about {
    struct slice title, path, tags; /* Tags with blanks between. */
};
/* Empties 'fields' and fills them with what there is of a chunk.  E_OVERLOAD: then they are not
 * whole, and not what stands in the index. */
enum err search_fields_fill(struct search_fields *fields, const struct search_about *about,
                            const struct chunk *chunk, struct fault *f);
void search_fields_fini(struct search_fields *fields);
/* Reads the stored form of a chunk's words, by way of 'room', where 'hashes' lies then.  E_REFUSED
 * if it is damaged; E_OVERLOAD, which says nothing against the index. */
enum err search_words_read(struct slice blob, struct buf *room, struct rank_words *words,
                           struct fault *f);

#endif

/* search_words.c -- asks FTS5 for its tokenizer and runs it on our own texts. */
#include "state/search_words.h"

#include <limits.h>

struct words {
    fts5_tokenizer class;
    Fts5Tokenizer *tokenizer;
};

static enum err
find_api(sqlite3 *db, fts5_api **api, struct fault *f)
{
    sqlite3_stmt *ask = NULL;
    int code = sqlite3_prepare_v2(db, "SELECT fts5(?1)", -1, &ask, NULL);

    *api = NULL;
    if (code == SQLITE_OK) {
        sqlite3_bind_pointer(ask, 1, api, "fts5_api_ptr", NULL);
        code = sqlite3_step(ask);
    }
    sqlite3_finalize(ask);
    if (!*api && code == SQLITE_NOMEM) {
        return fault_set(f, E_OVERLOAD, "there is no memory to split text");
    }
    return *api ? E_OK : fault_set(f, E_INTERNAL, "this SQLite has no FTS5");
}

enum err
words_create(sqlite3 *db, bool stems, struct words **words, struct fault *f)
{
    const char *args[] = {"unicode61"}; /* What Porter's stemmer is put upon. */
    const char *name = stems ? "porter" : "unicode61";
    struct words *w = xcalloc(1, sizeof *w);
    fts5_api *api;
    void *context;
    enum err err = find_api(db, &api, f);

    *words = NULL;
    if (err) {
        free(w);
        return err;
    }
    if (api->xFindTokenizer(api, name, &context, &w->class) != SQLITE_OK) {
        free(w);
        return fault_set(f, E_INTERNAL, "this SQLite has no FTS5");
    }
    if (w->class.xCreate(context, args, stems ? 1 : 0, &w->tokenizer) != SQLITE_OK) {
        free(w);
        return fault_set(f, E_OVERLOAD, "there is no memory to split text");
    }
    *words = w;
    return E_OK;
}

void
words_destroy(struct words *w)
{
    if (w) {
        w->class.xDelete(w->tokenizer);
        free(w);
    }
}

static bool
is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool
is_lower(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

void
words_split(struct slice text, struct buf *out)
{
    size_t from = 0;

    for (size_t i = 1; i < text.len; i++) {
        bool ends = is_lower(text.data[i - 1]) && is_upper(text.data[i]); /* aB */
        bool last = i + 1 < text.len && is_upper(text.data[i - 1]) && is_upper(text.data[i]) &&
                    is_lower(text.data[i + 1]); /* ABc */

        if (ends || last) {
            buf_add(out, text.data + from, i - from);
            buf_addc(out, ' ');
            from = i;
        }
    }
    if (text.len) {
        buf_add(out, text.data + from, text.len - from);
    }
}

struct take {
    struct slice text;
    bool (*take)(void *arg, const struct word *word);
    void *arg;
};

static int
take_token(void *context, int flags, const char *token, int len, int start, int end)
{
    const struct take *t = context;
    struct word word = {.text = {t->text.data + start, (size_t)(end - start)},
                        .stem = {token, (size_t)len},
                        .hash = 2166136261u}; /* FNV-1a. */

    (void)flags;
    for (int i = 0; i < len; i++) {
        word.hash = (word.hash ^ (unsigned char)token[i]) * 16777619u;
    }
    return t->take(t->arg, &word) ? SQLITE_OK : SQLITE_ABORT;
}

bool
words_each(struct words *w, struct slice split, bool (*take)(void *arg, const struct word *),
           void *arg)
{
    struct take t = {split, take, arg};

    if (split.len > INT_MAX) {
        return false;
    }
    return w->class.xTokenize(w->tokenizer, &t, FTS5_TOKENIZE_DOCUMENT, split.data, (int)split.len,
                              take_token) == SQLITE_OK;
}

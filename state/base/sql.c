/* sql.c -- one place that knows SQLite's flags and codes. */
#include "state/base/sql.h"

#include <limits.h>

/* Steps of SQLite's machine, some 20 ns each, between two looks at whether to go on. */
#define HEED_STEPS 100000

enum err
sql_fault(sqlite3 *db, struct fault *f)
{
    int code = db ? sqlite3_errcode(db) : SQLITE_NOMEM;

    switch (code) {
    case SQLITE_NOMEM:
        return fault_set(f, E_OVERLOAD, "there is no memory for the index now");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_SCHEMA:
    case SQLITE_FORMAT:
        return fault_set(f, E_REFUSED, "the index is damaged");
    case SQLITE_INTERRUPT:
        return fault_set(f, E_CANCELLED, "the server is ending");
    case SQLITE_FULL:
        fault_set(f, E_IO, "the index cannot be written: the disk is full");
        return fault_remedy(f, "make room; search goes on with what it has");
    case SQLITE_ERROR: /* A table that is not there; else a statement of ours is wrong. */
        return fault_set(f, E_INTERNAL, "the index failed: %s", sqlite3_errmsg(db));
    default:
        return fault_set(f, E_IO, "the index failed: %s", sqlite3_errstr(code));
    }
}

enum err
sql_open(const char *path, bool write, sqlite3 **db, struct fault *f)
{
    char *uri = write ? xstrdup(path) : xasprintf("file:%s?immutable=1", path);
    int flags = SQLITE_OPEN_NOMUTEX | (write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
                                             : SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
    enum err err = E_OK;

    *db = NULL;
    if (!sql_load()) {
        err = fault_set(f, E_IO, "the library SQLite cannot be loaded; is it installed?");
    } else if (sqlite3_open_v2(uri, db, flags, NULL) != SQLITE_OK) {
        err = sql_fault(*db, f);
    } else if (write) {
        err = sql_run(*db,
                      "PRAGMA page_size=8192; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
                      "PRAGMA locking_mode=EXCLUSIVE; PRAGMA temp_store=MEMORY;",
                      f);
    }
    if (err && *db) {
        sql_close(*db);
        *db = NULL;
    }
    free(uri);
    return err;
}

static int
is_over(void *stop)
{
    return atomic_load((const _Atomic bool *)stop);
}

void
sql_heed(sqlite3 *db, const _Atomic bool *stop)
{
    sqlite3_progress_handler(db, HEED_STEPS, stop ? is_over : NULL, (void *)(uintptr_t)stop);
}

void
sql_close(sqlite3 *db)
{
    sqlite3_close(db);
}

enum err
sql_run(sqlite3 *db, const char *statements, struct fault *f)
{
    return sqlite3_exec(db, statements, NULL, NULL, NULL) == SQLITE_OK ? E_OK : sql_fault(db, f);
}

enum err
sql_prepare(sqlite3 *db, const char *text, sqlite3_stmt **statement, struct fault *f)
{
    return sqlite3_prepare_v3(db, text, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL) == SQLITE_OK
               ? E_OK
               : sql_fault(db, f);
}

enum err
sql_step(sqlite3_stmt *statement, bool *row, struct fault *f)
{
    int code = sqlite3_step(statement);
    enum err err = E_OK;

    *row = code == SQLITE_ROW;
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        err = sql_fault(sqlite3_db_handle(statement), f);
    }
    if (code != SQLITE_ROW) {
        sqlite3_reset(statement);
    }
    return err;
}

enum err
sql_do(sqlite3_stmt *statement, struct fault *f)
{
    bool row;
    enum err err = sql_step(statement, &row, f);

    if (row) {
        sqlite3_reset(statement);
    }
    return err;
}

void
sql_bind_text(sqlite3_stmt *statement, int at, struct slice text)
{
    sqlite3_bind_text64(statement, at, text.data ? text.data : "", text.len, SQLITE_STATIC,
                        SQLITE_UTF8);
}

void
sql_bind_blob(sqlite3_stmt *statement, int at, struct slice bytes)
{
    sqlite3_bind_blob64(statement, at, bytes.data ? bytes.data : "", bytes.len, SQLITE_STATIC);
}

struct slice
sql_slice(sqlite3_stmt *statement, int column)
{
    const void *data = sqlite3_column_blob(statement, column);

    return (struct slice){data, (size_t)sqlite3_column_bytes(statement, column)};
}

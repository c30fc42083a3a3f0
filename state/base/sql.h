/* sql.h -- SQLite as tandem uses it: connections to files of its own, each for one thread at a
 * time, and errors as faults.
 *
 * A database is a cache: what is damaged is thrown away and made again. */
#ifndef TANDEM_SQL_H
#define TANDEM_SQL_H

#include "state/base/err.h"
#include "state/base/mem.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>

/* Loads SQLite, which sql_open() does too: true once it can be called (sql_late.c). */
bool sql_load(void);
/* Opens the database at 'path' in '*db'; 'write' makes it, or opens it for this connection alone,
 * without a journal.  Otherwise the file must not change while it is open.  E_IO, E_OVERLOAD, or
 * E_REFUSED for what is no database. */
enum err sql_open(const char *path, bool write, sqlite3 **db, struct fault *f);
/* From now on what 'db' does ends with E_CANCELLED, within a moment, once '*stop' (borrowed; null:
 * never) is set. */
void sql_heed(sqlite3 *db, const _Atomic bool *stop);
/* Null is ignored.  Every statement must have been finalized. */
void sql_close(sqlite3 *db);
/* Runs statements without results.  Errors as sql_fault(). */
enum err sql_run(sqlite3 *db, const char *statements, struct fault *f);
/* A statement that is used again and again, in '*statement', which sqlite3_finalize() ends. */
enum err sql_prepare(sqlite3 *db, const char *text, sqlite3_stmt **statement, struct fault *f);
/* Takes the next row: E_OK with '*row' true, or false at the end, and then the statement has been
 * reset. */
enum err sql_step(sqlite3_stmt *statement, bool *row, struct fault *f);
/* As sql_step() for a statement without rows. */
enum err sql_do(sqlite3_stmt *statement, struct fault *f);
/* What went wrong on 'db': E_OVERLOAD without memory; E_CANCELLED as sql_heed() says; E_REFUSED for
 * a damaged database; E_INTERNAL for a statement that does not fit it; else E_IO. */
enum err sql_fault(sqlite3 *db, struct fault *f);

/* Text and bytes, borrowed until the statement is reset. */
void sql_bind_text(sqlite3_stmt *statement, int at, struct slice text);
void sql_bind_blob(sqlite3_stmt *statement, int at, struct slice bytes);
struct slice sql_slice(sqlite3_stmt *statement, int column);

#endif

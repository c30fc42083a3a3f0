/* sql_late.c -- SQLite, loaded when the first database is opened: a project without standards has
 * none, and where there are some, it is not who starts the server that waits for them.
 *
 * The functions have their own names; see state/base/late.h.  Here 0 would mean that all is well:
 * sql_open() asks sql_load() first, and nobody has a database, or a statement, but from there. */
#include "state/base/sql.h"

#include "state/base/late.h"

/* clang-format off */
#define FUNCTIONS(CALL, SAY)                                                                                     \
    CALL(int, sqlite3_open_v2, (const char *path, sqlite3 **db, int flags, const char *vfs), (path, db, flags, vfs)) \
    CALL(int, sqlite3_close, (sqlite3 *db), (db))                                                                \
    CALL(int, sqlite3_exec, (sqlite3 *db, const char *sql, int (*row)(void *, int, char **, char **), void *arg, \
                             char **error), (db, sql, row, arg, error))                                          \
    SAY(sqlite3_progress_handler, (sqlite3 *db, int steps, int (*ask)(void *), void *arg), (db, steps, ask, arg)) \
    CALL(int, sqlite3_errcode, (sqlite3 *db), (db))                                                              \
    CALL(const char *, sqlite3_errmsg, (sqlite3 *db), (db))                                                      \
    CALL(const char *, sqlite3_errstr, (int code), (code))                                                       \
    CALL(sqlite3_int64, sqlite3_last_insert_rowid, (sqlite3 *db), (db))                                          \
    CALL(void *, sqlite3_malloc64, (sqlite3_uint64 size), (size))                                                \
    SAY(sqlite3_free, (void *p), (p))                                                                            \
    CALL(unsigned char *, sqlite3_serialize, (sqlite3 *db, const char *schema, sqlite3_int64 *size,              \
                                              unsigned flags), (db, schema, size, flags))                        \
    CALL(int, sqlite3_deserialize, (sqlite3 *db, const char *schema, unsigned char *data, sqlite3_int64 len,     \
                                    sqlite3_int64 size, unsigned flags), (db, schema, data, len, size, flags))   \
    /* Statements. */                                                                                            \
    CALL(int, sqlite3_prepare_v2, (sqlite3 *db, const char *sql, int len, sqlite3_stmt **s, const char **tail),  \
         (db, sql, len, s, tail))                                                                                \
    CALL(int, sqlite3_prepare_v3, (sqlite3 *db, const char *sql, int len, unsigned flags, sqlite3_stmt **s,      \
                                   const char **tail), (db, sql, len, flags, s, tail))                           \
    CALL(int, sqlite3_step, (sqlite3_stmt *s), (s))                                                              \
    CALL(int, sqlite3_reset, (sqlite3_stmt *s), (s))                                                             \
    CALL(int, sqlite3_finalize, (sqlite3_stmt *s), (s))                                                          \
    CALL(sqlite3 *, sqlite3_db_handle, (sqlite3_stmt *s), (s))                                                   \
    CALL(int, sqlite3_bind_blob64, (sqlite3_stmt *s, int at, const void *data, sqlite3_uint64 len,               \
                                    void (*end)(void *)), (s, at, data, len, end))                               \
    CALL(int, sqlite3_bind_text64, (sqlite3_stmt *s, int at, const char *data, sqlite3_uint64 len,               \
                                    void (*end)(void *), unsigned char encoding), (s, at, data, len, end, encoding)) \
    CALL(int, sqlite3_bind_pointer, (sqlite3_stmt *s, int at, void *p, const char *type, void (*end)(void *)),   \
         (s, at, p, type, end))                                                                                  \
    CALL(int, sqlite3_bind_double, (sqlite3_stmt *s, int at, double x), (s, at, x))                              \
    CALL(int, sqlite3_bind_int, (sqlite3_stmt *s, int at, int n), (s, at, n))                                    \
    CALL(int, sqlite3_bind_int64, (sqlite3_stmt *s, int at, sqlite3_int64 n), (s, at, n))                        \
    CALL(int, sqlite3_bind_null, (sqlite3_stmt *s, int at), (s, at))                                             \
    CALL(const void *, sqlite3_column_blob, (sqlite3_stmt *s, int at), (s, at))                                  \
    CALL(int, sqlite3_column_bytes, (sqlite3_stmt *s, int at), (s, at))                                          \
    CALL(double, sqlite3_column_double, (sqlite3_stmt *s, int at), (s, at))                                      \
    CALL(int, sqlite3_column_int, (sqlite3_stmt *s, int at), (s, at))                                            \
    CALL(sqlite3_int64, sqlite3_column_int64, (sqlite3_stmt *s, int at), (s, at))                                \
    CALL(int, sqlite3_column_type, (sqlite3_stmt *s, int at), (s, at))
/* clang-format on */

LATE_LIBRARY(SQL_SONAME, FUNCTIONS, NULL)

bool
sql_load(void)
{
    return late_load(&library);
}

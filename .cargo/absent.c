/*
** What newer bindings link to and older releases of SQLite do not have. Weak: where sqlite3.c of TANDEM_SQLITE
** defines one of them, that one is taken.
**
** Each says "not there" in the way that its callers understand. `fuzzcheck` reads this file, too, and says which
** ones are missing; the name stands in the line that begins with ABSENT.
*/
/* The session functions are declared below, whether SQLite has them or not. */
#undef SQLITE_ENABLE_SESSION
#include "sqlite3.h"

#define ABSENT __attribute__((weak))

/* 3.28.0 */
ABSENT int sqlite3_stmt_isexplain(sqlite3_stmt *statement) {
  (void)statement;
  return 0;
}

/* 3.31.0. The heap is then not limited: budgets still end a case. */
ABSENT sqlite3_int64 sqlite3_hard_heap_limit64(sqlite3_int64 bytes) {
  (void)bytes;
  return 0;
}

/* 3.34.0. As for a schema that is not there. */
ABSENT int sqlite3_txn_state(sqlite3 *db, const char *schema) {
  (void)db;
  (void)schema;
  return -1;
}

/* 3.37.0 */
ABSENT sqlite3_int64 sqlite3_changes64(sqlite3 *db) { return sqlite3_changes(db); }

ABSENT sqlite3_int64 sqlite3_total_changes64(sqlite3 *db) { return sqlite3_total_changes(db); }

/* 3.38.0. No token is to blame; no virtual table is told more than it was before. */
ABSENT int sqlite3_error_offset(sqlite3 *db) {
  (void)db;
  return -1;
}

ABSENT int sqlite3_vtab_distinct(sqlite3_index_info *info) {
  (void)info;
  return 0;
}

ABSENT int sqlite3_vtab_in(sqlite3_index_info *info, int constraint, int handle) {
  (void)info;
  (void)constraint;
  (void)handle;
  return 0;
}

ABSENT int sqlite3_vtab_in_first(sqlite3_value *list, sqlite3_value **value) {
  (void)list;
  *value = 0;
  return SQLITE_MISUSE;
}

ABSENT int sqlite3_vtab_in_next(sqlite3_value *list, sqlite3_value **value) {
  (void)list;
  *value = 0;
  return SQLITE_MISUSE;
}

ABSENT int sqlite3_vtab_rhs_value(sqlite3_index_info *info, int constraint, sqlite3_value **value) {
  (void)info;
  (void)constraint;
  *value = 0;
  return SQLITE_NOTFOUND;
}

/* 3.39.0. Only the name of the first is known without asking. */
ABSENT const char *sqlite3_db_name(sqlite3 *db, int index) {
  (void)db;
  return index == 0 ? "main" : 0;
}

/* 3.41.0 */
ABSENT int sqlite3_is_interrupted(sqlite3 *db) {
  (void)db;
  return 0;
}

/* 3.44.0 */
ABSENT void *sqlite3_get_clientdata(sqlite3 *db, const char *name) {
  (void)db;
  (void)name;
  return 0;
}

ABSENT int sqlite3_set_clientdata(sqlite3 *db, const char *name, void *data, void (*destroy)(void *)) {
  (void)db;
  (void)name;
  if (destroy) destroy(data);
  return SQLITE_MISUSE;
}

/* 3.51.0 */
ABSENT int sqlite3_set_errmsg(sqlite3 *db, int code, const char *message) {
  (void)db;
  (void)message;
  return code;
}

/* 3.36.0, or where SQLITE_OMIT_DESERIALIZE is defined; before, where SQLITE_ENABLE_DESERIALIZE is not. */
ABSENT unsigned char *sqlite3_serialize(sqlite3 *db, const char *schema, sqlite3_int64 *size, unsigned int flags) {
  (void)db;
  (void)schema;
  (void)flags;
  *size = -1;
  return 0;
}

ABSENT int sqlite3_deserialize(sqlite3 *db, const char *schema, unsigned char *data, sqlite3_int64 size,
                               sqlite3_int64 room, unsigned flags) {
  (void)db;
  (void)schema;
  (void)size;
  (void)room;
  (void)flags;
  sqlite3_free(data);
  return SQLITE_NOTFOUND;
}

/* Where SQLITE_ENABLE_SESSION or SQLITE_ENABLE_PREUPDATE_HOOK is not defined. Without a session nothing else is called but
** what applies and inverts changes, of which there are none. */
ABSENT int sqlite3session_create(sqlite3 *db, const char *schema, void **session) {
  (void)db;
  (void)schema;
  *session = 0;
  return SQLITE_NOTFOUND;
}

ABSENT int sqlite3session_attach(void *session, const char *table) {
  (void)session;
  (void)table;
  return SQLITE_NOTFOUND;
}

ABSENT int sqlite3session_changeset(void *session, int *size, void **changes) {
  (void)session;
  *size = 0;
  *changes = 0;
  return SQLITE_NOTFOUND;
}

ABSENT int sqlite3session_patchset(void *session, int *size, void **changes) {
  return sqlite3session_changeset(session, size, changes);
}

ABSENT void sqlite3session_delete(void *session) { (void)session; }

ABSENT int sqlite3changeset_invert(int size, const void *changes, int *new_size, void **inverse) {
  (void)size;
  (void)changes;
  *new_size = 0;
  *inverse = 0;
  return SQLITE_NOTFOUND;
}

ABSENT int sqlite3changeset_apply(sqlite3 *db, int size, void *changes, int (*filter)(void *, const char *),
                                  int (*conflict)(void *, int, void *), void *context) {
  (void)db;
  (void)size;
  (void)changes;
  (void)filter;
  (void)conflict;
  (void)context;
  return SQLITE_NOTFOUND;
}

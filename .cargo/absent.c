/*
** What newer bindings link to and older releases of SQLite do not have. Weak: where sqlite3.c of TANDEM_SQLITE
** defines one of them, that one is taken.
**
** Each says "not there" in the way that its callers understand. `fuzzcheck` reads this file, too, and says which
** ones are missing; the name stands in the line that begins with ABSENT.
*/
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

/*
** What newer bindings link to and older releases of SQLite do not have. Weak: where sqlite3.c of TANDEM_SQLITE
** defines one of them, that one is taken.
**
** Each says "not there" in the way that its callers understand. `fuzzcheck` reads this file, too, and says which
** ones are missing; the name stands in the line that begins with ABSENT.
*/
/* The functions of sessions, of the preupdate hook and of normalization are declared below, whether SQLite has them or
** not. */
#undef SQLITE_ENABLE_SESSION
#undef SQLITE_ENABLE_PREUPDATE_HOOK
#undef SQLITE_ENABLE_NORMALIZE
#include "sqlite3.h"

#define ABSENT __attribute__((weak))

/* 3.28.0 */
ABSENT int sqlite3_stmt_isexplain(sqlite3_stmt *statement) {
  (void)statement;
  return 0;
}

ABSENT int sqlite3_value_frombind(sqlite3_value *value) {
  (void)value;
  return 0;
}

/* 3.31.0. Names are not taken apart. */
ABSENT const char *sqlite3_uri_key(const char *name, int index) {
  (void)name;
  (void)index;
  return 0;
}

ABSENT const char *sqlite3_filename_database(const char *name) {
  (void)name;
  return 0;
}

ABSENT const char *sqlite3_filename_journal(const char *name) {
  (void)name;
  return 0;
}

ABSENT const char *sqlite3_filename_wal(const char *name) {
  (void)name;
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

ABSENT int sqlite3_autovacuum_pages(sqlite3 *db,
                                    unsigned int (*pages)(void *, const char *, unsigned int, unsigned int,
                                    unsigned int),
                                    void *data, void (*destroy)(void *)) {
  (void)db;
  (void)pages;
  (void)data;
  (void)destroy;
  return SQLITE_NOTFOUND;
}

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

/* 3.40.0 */
ABSENT int sqlite3_value_encoding(sqlite3_value *value) {
  (void)value;
  return SQLITE_UTF8;
}

/* 3.41.0 */
ABSENT int sqlite3_is_interrupted(sqlite3 *db) {
  (void)db;
  return 0;
}

/* 3.43.0 */
ABSENT int sqlite3_stmt_explain(sqlite3_stmt *statement, int mode) {
  (void)statement;
  (void)mode;
  return SQLITE_NOTFOUND;
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
  return SQLITE_NOTFOUND;
}

/* 3.50.0 */
ABSENT int sqlite3_setlk_timeout(sqlite3 *db, int milliseconds, int flags) {
  (void)db;
  (void)milliseconds;
  (void)flags;
  return SQLITE_OK;
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

/* Where SQLITE_ENABLE_NORMALIZE is not defined. */
ABSENT const char *sqlite3_normalized_sql(sqlite3_stmt *statement) {
  (void)statement;
  return 0;
}

/* Where SQLITE_ENABLE_PREUPDATE_HOOK is not defined, and the last before 3.36.0. Without the hook no other is called. */
ABSENT void *sqlite3_preupdate_hook(sqlite3 *db,
                                    void (*hook)(void *, sqlite3 *, int, const char *, const char *, sqlite3_int64,
                                                 sqlite3_int64),
                                    void *data) {
  (void)db;
  (void)hook;
  (void)data;
  return 0;
}

ABSENT int sqlite3_preupdate_old(sqlite3 *db, int column, sqlite3_value **value) {
  (void)db;
  (void)column;
  (void)value;
  return SQLITE_NOTFOUND;
}

ABSENT int sqlite3_preupdate_new(sqlite3 *db, int column, sqlite3_value **value) {
  return sqlite3_preupdate_old(db, column, value);
}

ABSENT int sqlite3_preupdate_count(sqlite3 *db) {
  (void)db;
  return 0;
}

ABSENT int sqlite3_preupdate_depth(sqlite3 *db) {
  (void)db;
  return 0;
}

ABSENT int sqlite3_preupdate_blobwrite(sqlite3 *db) {
  (void)db;
  return -1;
}

/* Where SQLITE_ENABLE_SESSION or SQLITE_ENABLE_PREUPDATE_HOOK is not defined. Without a session nothing else is called but
** what takes changes that a case brings. */
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

/* 3.33.0, 3.36.0 (two of them) and 3.29.0, and where there are no sessions. */
ABSENT sqlite3_int64 sqlite3session_memory_used(void *session) {
  (void)session;
  return 0;
}

ABSENT sqlite3_int64 sqlite3session_changeset_size(void *session) {
  (void)session;
  return 0;
}

ABSENT int sqlite3session_object_config(void *session, int option, void *value) {
  (void)session;
  (void)option;
  (void)value;
  return SQLITE_NOTFOUND;
}

ABSENT int sqlite3session_config(int option, void *value) {
  (void)option;
  (void)value;
  return SQLITE_NOTFOUND;
}

/* 3.43.0 and 3.45.0, and where there are no sessions. */
ABSENT int sqlite3changegroup_schema(void *group, sqlite3 *db, const char *schema) {
  (void)group;
  (void)db;
  (void)schema;
  return SQLITE_NOTFOUND;
}

ABSENT int sqlite3changegroup_add_change(void *group, void *changes) {
  (void)group;
  (void)changes;
  return SQLITE_NOTFOUND;
}

/* Where there are no sessions. */
ABSENT int sqlite3session_enable(void *session, int on) {
  (void)session;
  (void)on;
  return 0;
}

ABSENT int sqlite3session_indirect(void *session, int on) {
  (void)session;
  (void)on;
  return 0;
}

ABSENT int sqlite3session_isempty(void *session) {
  (void)session;
  return 1;
}

ABSENT void sqlite3session_table_filter(void *session, int (*filter)(void *, const char *), void *data) {
  (void)session;
  (void)filter;
  (void)data;
}

ABSENT int sqlite3session_diff(void *session, const char *from, const char *table, char **message) {
  (void)session;
  (void)from;
  (void)table;
  (void)message;
  return SQLITE_NOTFOUND;
}

ABSENT int sqlite3session_changeset_strm(void *session, int (*output)(void *, const void *, int), void *to) {
  (void)session;
  (void)output;
  (void)to;
  return SQLITE_NOTFOUND;
}

ABSENT int sqlite3session_patchset_strm(void *session, int (*output)(void *, const void *, int), void *to) {
  (void)session;
  (void)output;
  (void)to;
  return SQLITE_NOTFOUND;
}

ABSENT int sqlite3changeset_invert_strm(int (*input)(void *, void *, int *), void *from, int (*output)(void *,
                                        const void *, int), void *to) {
  (void)input;
  (void)from;
  (void)output;
  (void)to;
  return SQLITE_NOTFOUND;
}

ABSENT int sqlite3changeset_concat(int a_size, void *a, int b_size, void *b, int *size, void **changes) {
  (void)a_size;
  (void)a;
  (void)b_size;
  (void)b;
  (void)size;
  (void)changes;
  return SQLITE_NOTFOUND;
}

ABSENT int sqlite3changeset_concat_strm(int (*a_input)(void *, void *, int *), void *a, int (*b_input)(void *,
                                        void *, int *), void *b, int (*output)(void *, const void *, int), void *to) {
  (void)a_input;
  (void)a;
  (void)b_input;
  (void)b;
  (void)output;
  (void)to;
  return SQLITE_NOTFOUND;
}

ABSENT int sqlite3changeset_start_v2(void **iterator, int size, void *changes, int flags) {
  (void)iterator;
  (void)size;
  (void)changes;
  (void)flags;
  return SQLITE_NOTFOUND;
}

ABSENT int sqlite3changeset_start_v2_strm(void **iterator, int (*input)(void *, void *, int *), void *from, int flags) {
  (void)iterator;
  (void)input;
  (void)from;
  (void)flags;
  return SQLITE_NOTFOUND;
}

ABSENT int sqlite3changeset_next(void *iterator) {
  (void)iterator;
  return SQLITE_NOTFOUND;
}

ABSENT int sqlite3changeset_op(void *iterator, const char **table, int *columns, int *operation, int *indirect) {
  (void)iterator;
  (void)table;
  (void)columns;
  (void)operation;
  (void)indirect;
  return SQLITE_NOTFOUND;
}

ABSENT int sqlite3changeset_pk(void *iterator, unsigned char **keys, int *columns) {
  (void)iterator;
  (void)keys;
  (void)columns;
  return SQLITE_NOTFOUND;
}

ABSENT int sqlite3changeset_old(void *iterator, int column, sqlite3_value **value) {
  (void)iterator;
  (void)column;
  (void)value;
  return SQLITE_NOTFOUND;
}

ABSENT int sqlite3changeset_new(void *iterator, int column, sqlite3_value **value) {
  (void)iterator;
  (void)column;
  (void)value;
  return SQLITE_NOTFOUND;
}

ABSENT int sqlite3changeset_conflict(void *iterator, int column, sqlite3_value **value) {
  (void)iterator;
  (void)column;
  (void)value;
  return SQLITE_NOTFOUND;
}

ABSENT int sqlite3changeset_fk_conflicts(void *iterator, int *count) {
  (void)iterator;
  (void)count;
  return SQLITE_NOTFOUND;
}

ABSENT int sqlite3changeset_finalize(void *iterator) {
  (void)iterator;
  return SQLITE_NOTFOUND;
}

ABSENT int sqlite3changeset_apply_v2(sqlite3 *db, int size, void *changes, int (*filter)(void *, const char *),
                                     int (*conflict)(void *, int, void *), void *context, void **rebase,
                                     int *rebase_size, int flags) {
  (void)db;
  (void)size;
  (void)changes;
  (void)filter;
  (void)conflict;
  (void)context;
  (void)rebase;
  (void)rebase_size;
  (void)flags;
  return SQLITE_NOTFOUND;
}

ABSENT int sqlite3changeset_apply_v2_strm(sqlite3 *db, int (*input)(void *, void *, int *), void *from,
                                          int (*filter)(void *, const char *), int (*conflict)(void *, int, void *),
                                          void *context, void **rebase, int *rebase_size, int flags) {
  (void)db;
  (void)input;
  (void)from;
  (void)filter;
  (void)conflict;
  (void)context;
  (void)rebase;
  (void)rebase_size;
  (void)flags;
  return SQLITE_NOTFOUND;
}

ABSENT int sqlite3changegroup_new(void **group) {
  (void)group;
  *group = 0;
  return SQLITE_NOTFOUND;
}

ABSENT int sqlite3changegroup_add(void *group, int size, void *changes) {
  (void)group;
  (void)size;
  (void)changes;
  return SQLITE_NOTFOUND;
}

ABSENT int sqlite3changegroup_add_strm(void *group, int (*input)(void *, void *, int *), void *from) {
  (void)group;
  (void)input;
  (void)from;
  return SQLITE_NOTFOUND;
}

ABSENT int sqlite3changegroup_output(void *group, int *size, void **changes) {
  (void)group;
  (void)size;
  (void)changes;
  return SQLITE_NOTFOUND;
}

ABSENT int sqlite3changegroup_output_strm(void *group, int (*output)(void *, const void *, int), void *to) {
  (void)group;
  (void)output;
  (void)to;
  return SQLITE_NOTFOUND;
}

ABSENT void sqlite3changegroup_delete(void *group) {
  (void)group;
}

ABSENT int sqlite3rebaser_create(void **rebaser) {
  (void)rebaser;
  *rebaser = 0;
  return SQLITE_NOTFOUND;
}

ABSENT int sqlite3rebaser_configure(void *rebaser, int size, const void *rebase) {
  (void)rebaser;
  (void)size;
  (void)rebase;
  return SQLITE_NOTFOUND;
}

ABSENT int sqlite3rebaser_rebase(void *rebaser, int size, const void *changes, int *new_size, void **rebased) {
  (void)rebaser;
  (void)size;
  (void)changes;
  (void)new_size;
  (void)rebased;
  return SQLITE_NOTFOUND;
}

ABSENT int sqlite3rebaser_rebase_strm(void *rebaser, int (*input)(void *, void *, int *), void *from,
                                      int (*output)(void *, const void *, int), void *to) {
  (void)rebaser;
  (void)input;
  (void)from;
  (void)output;
  (void)to;
  return SQLITE_NOTFOUND;
}

ABSENT void sqlite3rebaser_delete(void *rebaser) {
  (void)rebaser;
}

/*
** An extension and a VFS to be built in and fuzzed:
**
**   cargo fuzzcheck fuzz sql --extra-c fuzz/examples/example.c --init example_init --vfs example
**
** The SQL function `reverse(X)` turns text round by bytes. The VFS `example` stands above the default one and keeps
** scripts away from files whose names begin with `secret`.
*/
#include <string.h>

#include "sqlite3.h"

static void reverse(sqlite3_context *context, int count, sqlite3_value **values) {
  int bytes, i;
  const unsigned char *text;
  char *turned;
  (void)count;
  text = sqlite3_value_text(values[0]);
  if (text == 0) return;
  bytes = sqlite3_value_bytes(values[0]);
  turned = sqlite3_malloc(bytes + 1);
  if (turned == 0) {
    sqlite3_result_error_nomem(context);
    return;
  }
  for (i = 0; i < bytes; i++) turned[i] = (char)text[bytes - 1 - i];
  turned[bytes] = 0;
  sqlite3_result_text(context, turned, bytes, sqlite3_free);
}

/* A copy of the default VFS, with its data, so that its methods work on it. */
static sqlite3_vfs example;
static int (*open_below)(sqlite3_vfs *, const char *, sqlite3_file *, int, int *);

static int example_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out) {
  if (name != 0 && strncmp(name, "secret", 6) == 0) {
    file->pMethods = 0;
    return SQLITE_CANTOPEN;
  }
  return open_below(vfs, name, file, flags, out);
}

/* Called for every connection; the VFS is registered with the first. */
int example_init(sqlite3 *db, char **message, const struct sqlite3_api_routines *api) {
  (void)message;
  (void)api;
  if (example.zName == 0) {
    example = *sqlite3_vfs_find(0);
    open_below = example.xOpen;
    example.xOpen = example_open;
    example.zName = "example";
    example.pNext = 0;
    sqlite3_vfs_register(&example, 0);
  }
  return sqlite3_create_function_v2(db, "reverse", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, 0, reverse, 0, 0, 0);
}

/*
** Bugs that only one build each can find, for `.ci/run`: `planted('overflow')` adds to the largest int,
** `planted('guard')` writes behind an allocation, `planted('uninitialised')` decides by a byte that was never written, and
** `planted('limit')` aborts if printf makes as long a text as it is told to.
*/
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "sqlite3.h"

static void planted(sqlite3_context *context, int count, sqlite3_value **values) {
  const char *which = (const char *)sqlite3_value_text(values[0]);
  volatile int number = INT_MAX;
  volatile char *block;
  (void)count;
  if (which == 0) return;
  if (strcmp(which, "overflow") == 0) {
    sqlite3_result_int(context, number + sqlite3_value_bytes(values[0]));
    return;
  }
  if (strcmp(which, "limit") == 0) {
    char *text = sqlite3_mprintf("%.*c", 2000000, 'x');
    if (text != 0 && strlen(text) == 2000000) abort();
    sqlite3_free(text);
    return;
  }
  block = sqlite3_malloc(17);
  if (block == 0) return;
  if (strcmp(which, "guard") == 0) block[24] = 1;
  if (strcmp(which, "uninitialised") == 0 && block[3] == 7) sqlite3_result_int(context, 7);
  sqlite3_free((void *)block);
}

int planted_init(sqlite3 *db, char **message, const struct sqlite3_api_routines *api) {
  (void)message;
  (void)api;
  return sqlite3_create_function_v2(db, "planted", 1, SQLITE_UTF8, 0, planted, 0, 0, 0);
}

/*
** SQLITE_EXTRA_INIT of a build with extra C: registers the extension whose entry point is TANDEM_EXTRA_INIT for every
** connection, as `sqlite3_auto_extension` does. An entry point that registers a VFS or a global function once does
** it again for each connection, which SQLite allows.
*/
#include "sqlite3.h"

int TANDEM_EXTRA_INIT(sqlite3 *, char **, const struct sqlite3_api_routines *);

int tandem_extra_init(const char *unused) {
  (void)unused;
  return sqlite3_auto_extension((void (*)(void))TANDEM_EXTRA_INIT);
}

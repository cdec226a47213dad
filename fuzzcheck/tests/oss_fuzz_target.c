/* A fuzz target that does what OSS-Fuzz asks for and fuzzes nothing; with one macro defined it does one thing wrong.
   Only the words of libFuzzer that `oss-fuzz check` reads. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef COUNTERS
#define COUNTERS 80000
#endif
#ifndef CALLS
#define CALLS 1000
#endif
#ifndef SLOWEST
#define SLOWEST 1
#endif
#ifndef MEMORY
#define MEMORY 100
#endif

/* In a stripped program, too. */
const char *volatile entry_name = "LLVMFuzzerTestOneInput";
int LLVMFuzzerTestOneInput(const unsigned char *data, unsigned long size) { return 0; }

void __asan_load8(void) {}
void __msan_check(void) {}
void __dfsan_union(void) {}
void __ubsan_handle(void) {}
#define CALL_10 CALL() CALL() CALL() CALL() CALL() CALL() CALL() CALL() CALL() CALL()
#define CALL_100 CALL_10 CALL_10 CALL_10 CALL_10 CALL_10 CALL_10 CALL_10 CALL_10 CALL_10 CALL_10
void instrumented(void) {
#define CALL() __asan_load8();
    CALL_100 CALL_100 CALL_100 CALL_100 CALL_100 CALL_100 CALL_100 CALL_100 CALL_100
#if CALLS == 1000
    CALL_100
#endif
#undef CALL
#ifdef MSAN
#define CALL() __msan_check();
    CALL_10
#undef CALL
#endif
#ifdef DFSAN
    __dfsan_union();
#endif
#ifdef UBSAN
#define CALL() __ubsan_handle();
    CALL_100 CALL_100 CALL_10
#endif
}

#ifdef LIBRARY
extern int other(void);
#endif

static void write_to(const char *path) {
    FILE *file = fopen(path, "w");
    if (file) fclose(file);
}

static void beside(char *path, size_t size, const char *name) {
    ssize_t length = readlink("/proc/self/exe", path, size - 1);
    path[length] = 0;
    strcpy(strrchr(path, '/') + 1, name);
}

int main(int argc, char **argv) {
    const char *folder = NULL, *runs = "";
    char path[4096];
    printf("INFO: Running with entropic power schedule (0xFF, 100).\n");
    instrumented();
#ifdef LIBRARY
    other();
#endif
#ifdef WANTS_OUT
    if (!getenv("OUT")) { printf("where is OUT?\n"); return 1; }
#endif
#ifdef WANTS_CWD
    if (access("one.options", R_OK)) { printf("one.options is not here\n"); return 1; }
#endif
#ifdef WRITES_BESIDE
    beside(path, sizeof path, "state");
    write_to(path);
#endif
#ifdef WRITES_CWD
    write_to("state");
#endif
#ifdef READS_STDIN
    if (getchar() == EOF) { printf("nothing to read\n"); return 1; }
#endif
    printf("INFO: Loaded 1 modules   (%d inline 8-bit counters): %d [0x1, 0x2), \n", COUNTERS, COUNTERS);
    for (int i = 1; i < argc; i++) {
        if (!strncmp(argv[i], "-runs=", 6)) runs = argv[i] + 6;
        if (!strncmp(argv[i], "-dict=", 6)) {
            char line[256];
            int words = 0;
            FILE *file = fopen(argv[i] + 6, "r");
            while (file && fgets(line, sizeof line, file)) words += line[0] == '"';
#ifdef FORGETS_WORD
            words--;
#endif
            printf("Dictionary: %d entries\n", words);
        }
        if (argv[i][0] != '-') folder = argv[i];
    }
#ifdef UNINSTRUMENTED
    printf("ERROR: no interesting inputs were found. Is the code instrumented for coverage? Exiting.\n");
    return 1;
#endif
    int files = 0;
    if (folder) {
        DIR *all = opendir(folder);
        struct dirent *entry;
        while ((entry = readdir(all))) {
            if (entry->d_name[0] == '.') continue;
            files++;
#ifdef CRASHES_ON_SEED
            printf("==1==ERROR: AddressSanitizer: SEGV\n");
            return 77;
#endif
        }
        closedir(all);
#ifdef SEEDS_ITSELF
        if (!files) { snprintf(path, sizeof path, "%s/seed", folder); write_to(path); }
#endif
#ifdef FORGETS_SEED
        files--;
#endif
        printf("INFO: seed corpus: files: %d min: 1b max: 9b total: 99b rss: 30Mb\n", files);
    } else {
        printf("INFO: A corpus is not provided, starting from an empty corpus\n");
    }
#ifndef NOT_DONE
    printf("Done %s runs in 0 second(s)\n", runs);
#endif
    printf("stat::slowest_unit_time_sec: %d\nstat::peak_rss_mb: %d\n", SLOWEST, MEMORY);
    return 0;
}

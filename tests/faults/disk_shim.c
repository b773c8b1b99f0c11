/* A disk between a process and its files, preloaded into it: it refuses, is slow, and remembers.
 *
 *     process ── write, fsync, … ──▶ shim ──▶ disk        only files under DISK_SHIM_FOLDER
 *                                     │ └──▶ DISK_SHIM_JOURNAL: each operation, in order, stamped
 *                       DISK_SHIM_CONTROL: numbers of 64 bits that the test writes and reads
 *
 * The files *-shm are passed over: they are memory, not storage. The layout of the control block
 * and of a journal entry stands in shim.py too.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { WRITES = 1, SYNCS = 2 };
enum { CREATE = 1, WRITE, TRUNCATE, UNLINK, RENAME, SYNC };

struct control {
    volatile int64_t kinds;   /* which operations count: WRITES | SYNCS */
    volatile int64_t left;    /* how many of them still pass; below 0: nothing is refused */
    volatile int64_t error;   /* the errno of a refusal */
    volatile int64_t persist; /* after the first refusal all kinds are refused, until 0 */
    volatile int64_t main_only; /* only files that end in .db count */
    volatile int64_t sync_ms; /* every fsync takes this much longer */
    volatile int64_t writes, syncs, refused; /* seen so far */
    volatile int64_t broken;  /* a persistent refusal has begun */
};

struct entry {
    int64_t at_ns, kind, offset, size, path_size;
};

static struct control *control;
static const char *folder;
static int journal = -1;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }

__attribute__((constructor)) static void begin(void) {
    const char *block = getenv("DISK_SHIM_CONTROL"), *log = getenv("DISK_SHIM_JOURNAL");
    folder = getenv("DISK_SHIM_FOLDER");
    int (*real)(const char *, int, ...) = next("open");
    if (log) journal = real(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (!block) return;
    int fd = real(block, O_RDWR | O_CLOEXEC);
    void *at = mmap(0, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) abort();
    control = at;
}

/* Whether a path is on our disk. */
static int ours(const char *path) {
    size_t size = strlen(path), prefix = folder ? strlen(folder) : 0;
    if (!prefix || strncmp(path, folder, prefix)) return 0;
    return !(size > 4 && !strcmp(path + size - 4, "-shm"));
}

static int path_of(int fd, char path[PATH_MAX]) {
    char link[64];
    int saved = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, PATH_MAX - 1);
    errno = saved;
    if (size < 0) return 0;
    path[size] = 0;
    return ours(path);
}

static void note(int64_t kind, const char *path, int64_t offset, const void *data, int64_t size) {
    ssize_t (*real)(int, const void *, size_t) = next("write");
    struct timespec now;
    if (journal < 0) return;
    int saved = errno;
    clock_gettime(CLOCK_MONOTONIC, &now);
    struct entry e = {now.tv_sec * 1000000000LL + now.tv_nsec, kind, offset, size, strlen(path)};
    int ok = real(journal, &e, sizeof e) == sizeof e;
    ok = ok && real(journal, path, e.path_size) == e.path_size;
    ok = ok && (!data || real(journal, data, size) == size);
    if (!ok) abort(); /* a journal with a hole would prove nothing */
    errno = saved;
}

/* Count one operation; 1 if it is to be refused, with errno set. */
static int refused(int kind, const char *path) {
    size_t size = strlen(path);
    int counts, no;
    if (!control) return 0;
    pthread_mutex_lock(&mutex);
    *(kind == WRITES ? &control->writes : &control->syncs) += 1;
    counts = (control->kinds & kind) && control->left >= 0;
    if (control->main_only && (size < 3 || strcmp(path + size - 3, ".db"))) counts = 0;
    no = control->broken || (counts && control->left-- == 0);
    if (no) {
        control->refused += 1;
        control->broken = control->persist;
        errno = control->error;
    }
    pthread_mutex_unlock(&mutex);
    return no;
}

static ssize_t put(int fd, const void *data, size_t size, int64_t offset, const char *path) {
    ssize_t (*here)(int, const void *, size_t) = next("write");
    ssize_t (*there)(int, const void *, size_t, off64_t) = next("pwrite64");
    pthread_mutex_lock(&mutex);
    int64_t at = offset >= 0 ? offset : lseek64(fd, 0, SEEK_CUR);
    ssize_t done = offset >= 0 ? there(fd, data, size, offset) : here(fd, data, size);
    if (done > 0) note(WRITE, path, at, data, done);
    pthread_mutex_unlock(&mutex);
    return done;
}

ssize_t write(int fd, const void *data, size_t size) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return ((ssize_t(*)(int, const void *, size_t))next("write"))(fd, data, size);
    return refused(WRITES, path) ? -1 : put(fd, data, size, -1, path);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
    char path[PATH_MAX];
    if (!path_of(fd, path))
        return ((ssize_t(*)(int, const void *, size_t, off64_t))next("pwrite64"))(fd, data, size, offset);
    return refused(WRITES, path) ? -1 : put(fd, data, size, offset, path);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    return pwrite64(fd, data, size, offset);
}

int ftruncate64(int fd, off64_t size) {
    char path[PATH_MAX];
    int (*real)(int, off64_t) = next("ftruncate64");
    if (!path_of(fd, path)) return real(fd, size);
    if (refused(WRITES, path)) return -1;
    pthread_mutex_lock(&mutex);
    int done = real(fd, size);
    if (!done) note(TRUNCATE, path, size, 0, 0);
    pthread_mutex_unlock(&mutex);
    return done;
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

static int sync_with(const char *name, int fd) {
    char path[PATH_MAX];
    int (*real)(int) = next(name);
    if (!path_of(fd, path)) return real(fd);
    if (control && control->sync_ms) usleep(control->sync_ms * 1000);
    if (refused(SYNCS, path)) return -1;
    pthread_mutex_lock(&mutex); /* no write in the meantime: what is noted before is on disk */
    int done = real(fd);
    if (!done) note(SYNC, path, 0, 0, 0);
    pthread_mutex_unlock(&mutex);
    return done;
}

int fsync(int fd) { return sync_with("fsync", fd); }
int fdatasync(int fd) { return sync_with("fdatasync", fd); }

static int open_with(const char *name, const char *path, int flags, mode_t mode) {
    int (*real)(const char *, int, ...) = next(name);
    struct stat found;
    if (!(flags & O_CREAT) || !ours(path)) return real(path, flags, mode);
    pthread_mutex_lock(&mutex);
    int fresh = stat(path, &found) != 0;
    int fd = real(path, flags, mode);
    if (fd >= 0 && fresh) note(CREATE, path, 0, 0, 0);
    pthread_mutex_unlock(&mutex);
    return fd;
}

static mode_t mode_in(int flags, va_list more) { return flags & O_CREAT ? va_arg(more, int) : 0; }

int open(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    mode_t mode = mode_in(flags, more);
    va_end(more);
    return open_with("open", path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    mode_t mode = mode_in(flags, more);
    va_end(more);
    return open_with("open64", path, flags, mode);
}

int unlink(const char *path) {
    int (*real)(const char *) = next("unlink");
    if (!ours(path)) return real(path);
    pthread_mutex_lock(&mutex);
    int done = real(path);
    if (!done) note(UNLINK, path, 0, 0, 0);
    pthread_mutex_unlock(&mutex);
    return done;
}

int rename(const char *from, const char *to) {
    int (*real)(const char *, const char *) = next("rename");
    if (!ours(from)) return real(from, to);
    pthread_mutex_lock(&mutex);
    int done = real(from, to);
    if (!done) note(RENAME, from, 0, to, strlen(to));
    pthread_mutex_unlock(&mutex);
    return done;
}

/* Stands between a process and the C library, by LD_PRELOAD. Built when it is needed; see shim.py.

   Through TORTURE_CONTROL, a small file that both sides map, the torture tells it meanwhile
   - how far the wall clock is off (CLOCK_MONOTONIC stays as it is),
   - at which point the process is to be killed, and how many times it may pass that point before,
   - whether the disk is full: no file grows, what is inside of one can be written over.
   Into TORTURE_RECORD it writes every change that the process makes to TORTURE_SPOOL and its -wal, every sync of
   them and of their folder, and every HTTP answer that names a delivery, in the order in which they happen. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define FDS 4096
#define SECTOR 512
#define WRITE_LOCK 120 /* the byte of the -shm that SQLite locks while a transaction writes */

enum { CLOCK_OFFSET_NS, POINT, PASSES, SPRUNG, FULL, WORDS };
enum { NOTHING, VERIFIED, WRITING, COMMITTING, COMMITTED, ANSWERING, SETTLING, CHECKPOINTING };
enum { NO_FILE, DATABASE, LOG, SHARED, FOLDER };
enum { OP_WRITE = 1, OP_TRUNCATE, OP_SYNC_BEGIN, OP_SYNC_END, OP_CREATE, OP_UNLINK, OP_ANSWER, OP_START };

struct record { uint64_t at_ns; uint32_t op; uint32_t file; uint64_t offset; uint64_t length; };

static volatile int64_t *control;
static int record_fd = -1;
static const char *spool;
static char folder[4096];
static unsigned char file_of[FDS];
static volatile int request_seen;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

#define REAL(result, name, ...) \
    static result (*real)(__VA_ARGS__); \
    if (!real) real = (result (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static void note(uint32_t op, uint32_t file, uint64_t offset, const void *bytes, uint64_t length) {
    if (record_fd < 0) return;
    struct timespec now;
    pthread_mutex_lock(&turn);
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    struct record head = {now.tv_sec * 1000000000ull + now.tv_nsec, op, file, offset, length};
    struct iovec parts[2] = {{&head, sizeof head}, {(void *)bytes, bytes ? length : 0}};
    if (syscall(SYS_writev, record_fd, parts, 2) != (long)(sizeof head + parts[1].iov_len)) abort();
    pthread_mutex_unlock(&turn);
}

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("TORTURE_CONTROL");
    if (path) {
        int fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
        void *map = fd < 0 ? MAP_FAILED : mmap(0, WORDS * 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED) abort();
        control = map;
        syscall(SYS_close, fd);
    }
    spool = getenv("TORTURE_SPOOL");
    if (spool) {
        strncpy(folder, spool, sizeof folder - 1);
        char *slash = strrchr(folder, '/');
        if (slash) *slash = 0;
    }
    if ((path = getenv("TORTURE_RECORD"))) {
        int fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        record_fd = syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 900);
        if (record_fd < 0) abort();
        syscall(SYS_close, fd);
        note(OP_START, NO_FILE, 0, 0, 0);
    }
}

static int armed(int point) { return control && control[POINT] == point; }

static void die(int point) {
    control[SPRUNG] = point;
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
}

/* Whether the process is to die here, now. */
static int hit(int point) { return armed(point) && __sync_fetch_and_sub(&control[PASSES], 1) <= 0; }

static int kind(const char *path) {
    if (!spool || !path) return NO_FILE;
    size_t length = strlen(spool);
    if (!strcmp(path, folder)) return FOLDER;
    if (strncmp(path, spool, length)) return NO_FILE;
    if (!path[length]) return DATABASE;
    if (!strcmp(path + length, "-wal")) return LOG;
    return strcmp(path + length, "-shm") ? NO_FILE : SHARED;
}

static int file(int fd) { return fd >= 0 && fd < FDS ? file_of[fd] : NO_FILE; }

static int is_kept(int which) { return which == DATABASE || which == LOG; }

/* Whether a full disk has no room for what would end there. */
static int is_full(int fd, off64_t end) {
    struct stat at;
    return control && control[FULL] && !fstat(fd, &at) && S_ISREG(at.st_mode) && end > at.st_size;
}

static int no_room(void) { errno = ENOSPC; return -1; }

/* ------------------------------------------------------------------ files */

static int opened(int fd, const char *path, int flags, int was_there) {
    int which = fd >= 0 && fd < FDS ? kind(path) : NO_FILE;
    if (fd >= 0 && fd < FDS) file_of[fd] = which;
    if (is_kept(which) && (flags & O_CREAT) && !was_there) note(OP_CREATE, which, 0, 0, 0);
    return fd;
}

static int open_at(int at, const char *path, int flags, mode_t mode) {
    int was_there = !is_kept(kind(path)) || !access(path, F_OK);
    long fd = syscall(SYS_openat, at, path, flags, mode);
    return opened((int)fd, path, flags, was_there);
}

#define MODE(last) \
    mode_t mode = 0; \
    if (flags & (O_CREAT | __O_TMPFILE)) { va_list rest; va_start(rest, last); mode = va_arg(rest, mode_t); va_end(rest); }

int open(const char *path, int flags, ...) { MODE(flags) return open_at(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return open_at(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE(flags) return open_at(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE(flags) return open_at(at, path, flags, mode); }

int close(int fd) {
    REAL(int, "close", int);
    if (fd >= 0 && fd < FDS) file_of[fd] = NO_FILE;
    return real(fd);
}

int unlink(const char *path) {
    REAL(int, "unlink", const char *);
    int result = real(path);
    if (!result && is_kept(kind(path))) note(OP_UNLINK, kind(path), 0, 0, 0);
    return result;
}

static ssize_t put(int fd, const void *bytes, size_t length, off64_t at) {
    int which = file(fd);
    if (is_full(fd, at + length)) return no_room();
    if ((which == LOG && hit(WRITING)) || (which == DATABASE && hit(CHECKPOINTING))) {
        syscall(SYS_pwrite64, fd, bytes, length / 2 / SECTOR * SECTOR, at);
        die(which == LOG ? WRITING : CHECKPOINTING);
    }
    ssize_t done = syscall(SYS_pwrite64, fd, bytes, length, at);
    if (done > 0 && is_kept(which)) note(OP_WRITE, which, at, bytes, done);
    return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) { return put(fd, bytes, length, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) { return put(fd, bytes, length, at); }

static ssize_t put_parts(int fd, const struct iovec *parts, int count, off64_t at) {
    size_t length = 0;
    for (int i = 0; i < count; i++) length += parts[i].iov_len;
    if (is_full(fd, at + length)) return no_room();
    return syscall(SYS_pwritev, fd, parts, count, (long)at, 0L);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) { return put_parts(fd, parts, count, at); }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) { return put_parts(fd, parts, count, at); }

static int cut(int fd, off64_t size) {
    if (is_full(fd, size)) return no_room();
    int result = syscall(SYS_ftruncate, fd, size);
    if (!result && is_kept(file(fd))) note(OP_TRUNCATE, file(fd), size, 0, 0);
    return result;
}

int ftruncate(int fd, off_t size) { return cut(fd, size); }
int ftruncate64(int fd, off64_t size) { return cut(fd, size); }

static int room(int fd, off64_t at, off64_t length) {
    if (is_full(fd, at + length)) return ENOSPC;
    return syscall(SYS_fallocate, fd, 0, at, length) ? errno : 0;
}

int posix_fallocate(int fd, off_t at, off_t length) { return room(fd, at, length); }
int posix_fallocate64(int fd, off64_t at, off64_t length) { return room(fd, at, length); }

static int synced(int fd, long call) {
    int which = file(fd);
    if (which == LOG && hit(COMMITTING)) die(COMMITTING);
    if (which) note(OP_SYNC_BEGIN, which, (uint64_t)gettid(), 0, 0);
    int result = syscall(call, fd);
    if (which && !result) note(OP_SYNC_END, which, (uint64_t)gettid(), 0, 0);
    if (which == LOG && hit(COMMITTED)) die(COMMITTED);
    return result;
}

int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

static int control_file(int fd, int command, void *word) {
    const struct flock *lock = word;
    if (request_seen && file(fd) == SHARED && command == F_SETLK && lock->l_type == F_WRLCK
        && lock->l_start == WRITE_LOCK && hit(VERIFIED)) die(VERIFIED);
    int result = syscall(SYS_fcntl, fd, command, word);
    if (result >= 0 && result < FDS && (command == F_DUPFD || command == F_DUPFD_CLOEXEC)) file_of[result] = file(fd);
    return result;
}

#define WORD va_list rest; va_start(rest, command); void *word = va_arg(rest, void *); va_end(rest);
int fcntl(int fd, int command, ...) { WORD return control_file(fd, command, word); }
int fcntl64(int fd, int command, ...) { WORD return control_file(fd, command, word); }

/* ---------------------------------------------------------------- sockets */

static int begins(const void *bytes, size_t length, const char *with) {
    return length >= strlen(with) && !memcmp(bytes, with, strlen(with));
}

static void heard(const void *bytes, ssize_t length) {
    if (length <= 0 || !control) return;
    if (armed(VERIFIED) && begins(bytes, length, "POST /sentry")) request_seen = 1;
    if (begins(bytes, length, "HTTP/1.1 200") && hit(SETTLING)) die(SETTLING);
}

static void says(const struct iovec *parts, size_t count) {
    static const char promise[] = "{\"delivery\":\"";
    for (size_t i = 0; i < count; i++) {
        if (begins(parts[i].iov_base, parts[i].iov_len, "HTTP/1.1 202") && hit(ANSWERING)) die(ANSWERING);
        const char *found = record_fd < 0 ? 0 : memmem(parts[i].iov_base, parts[i].iov_len, promise, strlen(promise));
        if (found) note(OP_ANSWER, NO_FILE, 0, found, (const char *)parts[i].iov_base + parts[i].iov_len - found);
    }
}

ssize_t read(int fd, void *bytes, size_t length) {
    ssize_t done = syscall(SYS_read, fd, bytes, length);
    if (!file(fd)) heard(bytes, done);
    return done;
}

ssize_t recv(int fd, void *bytes, size_t length, int flags) {
    ssize_t done = syscall(SYS_recvfrom, fd, bytes, length, flags, 0, 0);
    heard(bytes, done);
    return done;
}

ssize_t write(int fd, const void *bytes, size_t length) {
    struct iovec part = {(void *)bytes, length};
    if (is_kept(file(fd))) {
        ssize_t done = put(fd, bytes, length, lseek64(fd, 0, SEEK_CUR));
        if (done > 0) lseek64(fd, done, SEEK_CUR);
        return done;
    }
    if (control && control[FULL] && is_full(fd, lseek64(fd, 0, SEEK_CUR) + length)) return no_room();
    says(&part, 1);
    return syscall(SYS_write, fd, bytes, length);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    says(parts, count);
    return syscall(SYS_writev, fd, parts, count);
}

ssize_t send(int fd, const void *bytes, size_t length, int flags) {
    struct iovec part = {(void *)bytes, length};
    says(&part, 1);
    return syscall(SYS_sendto, fd, bytes, length, flags, 0, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    says(message->msg_iov, message->msg_iovlen);
    return syscall(SYS_sendmsg, fd, message, flags);
}

/* ------------------------------------------------------------------ clock */

int clock_gettime(clockid_t clock, struct timespec *now) {
    REAL(int, "clock_gettime", clockid_t, struct timespec *);
    int result = real(clock, now);
    int64_t offset = control ? control[CLOCK_OFFSET_NS] : 0;
    if (offset && !result && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t shifted = now->tv_sec * 1000000000ll + now->tv_nsec + offset;
        now->tv_sec = shifted / 1000000000ll;
        now->tv_nsec = shifted % 1000000000ll;
    }
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &exact)) return -1;
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *where) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (where) *where = now.tv_sec;
    return now.tv_sec;
}

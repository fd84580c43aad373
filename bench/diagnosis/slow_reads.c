// Preloaded into a private PostgreSQL: reads of files wait while the file that PGTEND_SLOW_READS names is there.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

// 6 ms a page: PostgreSQL 18 reads with several processes at once.
static void wait_if_slow(size_t bytes) {
  const char* flag = getenv("PGTEND_SLOW_READS");
  const struct timespec pause = {0, 6 * 1000 * 1000};
  if (flag == NULL || access(flag, F_OK) != 0) return;
  for (size_t page = 0; page * 8192 < bytes; ++page) nanosleep(&pause, NULL);
}

#define SLOW_READ(name, offset_type)                                                       \
  ssize_t name(int fd, void* to, size_t size, offset_type at) {                            \
    static ssize_t (*next)(int, void*, size_t, offset_type);                               \
    if (next == NULL) *(void**)&next = dlsym(RTLD_NEXT, #name);                            \
    wait_if_slow(size);                                                                    \
    return next(fd, to, size, at);                                                         \
  }
#define SLOW_READ_OF_MANY(name, offset_type)                                               \
  ssize_t name(int fd, const struct iovec* to, int count, offset_type at) {                \
    static ssize_t (*next)(int, const struct iovec*, int, offset_type);                    \
    if (next == NULL) *(void**)&next = dlsym(RTLD_NEXT, #name);                            \
    for (int i = 0; i < count; ++i) wait_if_slow(to[i].iov_len);                           \
    return next(fd, to, count, at);                                                        \
  }

SLOW_READ(pread, off_t)
SLOW_READ(pread64, off64_t)
SLOW_READ_OF_MANY(preadv, off_t)
SLOW_READ_OF_MANY(preadv64, off64_t)

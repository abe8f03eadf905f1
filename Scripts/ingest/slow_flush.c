/* Loaded by LD_PRELOAD: gives every sync of a file the time that a disk with a real flush takes.
 *
 *   FLUSH_MICROSECONDS=2000 LD_PRELOAD=slow_flush.so PROGRAM
 *
 * The true call is made first. Threads wait side by side, as a disk answers several flushes at once. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static void wait_for_disk(void) {
  const char *text = getenv("FLUSH_MICROSECONDS");
  const long microseconds = text ? atol(text) : 0;
  if (microseconds <= 0) return;
  struct timespec rest = {microseconds / 1000000, microseconds % 1000000 * 1000};
  const int error = errno;
  while (nanosleep(&rest, &rest) != 0 && errno == EINTR) {
  }
  errno = error;
}

#define SLOWED(declaration, name, types, arguments) \
  declaration {                                     \
    int(*call) types = dlsym(RTLD_NEXT, #name);     \
    const int result = call arguments;              \
    wait_for_disk();                                \
    return result;                                  \
  }

SLOWED(int fsync(int file), fsync, (int), (file))
SLOWED(int fdatasync(int file), fdatasync, (int), (file))
SLOWED(int syncfs(int file), syncfs, (int), (file))
SLOWED(int sync_file_range(int file, off64_t offset, off64_t count, unsigned flags), sync_file_range,
       (int, off64_t, off64_t, unsigned), (file, offset, count, flags))
SLOWED(int msync(void *address, size_t length, int flags), msync, (void *, size_t, int),
       (address, length, flags))

/* Loaded by LD_PRELOAD: a disk that fails, for a program and its children, while they run.
 *
 *   DISK_FAULT_FILE=FILE LD_PRELOAD=disk_fault.so PROGRAM
 *
 * FILE has 264 bytes: errno of the fault as a 32-bit number (0: none), how many calls there are to each that fails, what
 * the paths of the files begin with, in 252 bytes, and a number that this sets to 1 where a call waits. Writing and syncing
 * fail; of EIO, reading too. What the C library writes by itself (stdio) fails when it is synced.
 *
 * Where the fault is -1 the calls do not fail, but wait until it is another one. Where it is -2 so do those on NAME.*.part,
 * once there is a file NAME, which it is to replace. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

struct fault {
  int32_t error;
  int32_t one_in;
  char path[252];
  int32_t waits;
};

static volatile struct fault *fault;
static atomic_uint calls;

__attribute__((constructor)) static void map_file(void) {
  const char *path = getenv("DISK_FAULT_FILE");
  const int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
  if (file < 0) return;
  void *place = mmap(NULL, sizeof *fault, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (place != MAP_FAILED) fault = place;
}

/* Whether the file that this one is to replace is there. */
static int replaces_one(const char *path) {
  char name[512];
  snprintf(name, sizeof name, "%s", path);
  /* What is unique, and .part. */
  for (int i = 0; i < 2; i++) {
    char *dot = strrchr(name, '.');
    if (!dot || (i == 0 && strcmp(dot, ".part") != 0)) return 0;
    *dot = 0;
  }
  return access(name, F_OK) == 0;
}

static int waits(int error, const char *path) {
  if (error == -2 && !replaces_one(path)) return 0;
  fault->waits = 1;
  while (fault->error == error) usleep(10000);
  return 0;
}

/* Whether a call on a file fails; sets errno then. */
static int fails(int file, int is_read) {
  const int error = fault ? fault->error : 0;
  if (error == 0 || (is_read && error != EIO)) return 0;
  char link[32], path[512];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  const int saved = errno;
  const ssize_t length = readlink(link, path, sizeof path - 1);
  errno = saved;
  if (length < 0) return 0;
  path[length] = 0;
  char wanted[sizeof fault->path];
  memcpy(wanted, (const void *)fault->path, sizeof wanted);
  wanted[sizeof wanted - 1] = 0;
  if (strncmp(path, wanted, strlen(wanted)) != 0) return 0;
  if (error < 0) return waits(error, path);
  if (atomic_fetch_add(&calls, 1) % (unsigned)(fault->one_in > 0 ? fault->one_in : 1) != 0) return 0;
  errno = error;
  return 1;
}

#define NEXT(name) \
  static __typeof__(&name) call; \
  if (!call) call = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t write(int file, const void *bytes, size_t count) {
  NEXT(write);
  return fails(file, 0) ? -1 : call(file, bytes, count);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
  NEXT(writev);
  return fails(file, 0) ? -1 : call(file, parts, count);
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset) {
  NEXT(pwrite);
  return fails(file, 0) ? -1 : call(file, bytes, count, offset);
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t offset) {
  NEXT(pwrite64);
  return fails(file, 0) ? -1 : call(file, bytes, count, offset);
}

int fsync(int file) {
  NEXT(fsync);
  return fails(file, 0) ? -1 : call(file);
}

int fdatasync(int file) {
  NEXT(fdatasync);
  return fails(file, 0) ? -1 : call(file);
}

ssize_t read(int file, void *bytes, size_t count) {
  NEXT(read);
  return fails(file, 1) ? -1 : call(file, bytes, count);
}

ssize_t pread(int file, void *bytes, size_t count, off_t offset) {
  NEXT(pread);
  return fails(file, 1) ? -1 : call(file, bytes, count, offset);
}

ssize_t pread64(int file, void *bytes, size_t count, off64_t offset) {
  NEXT(pread64);
  return fails(file, 1) ? -1 : call(file, bytes, count, offset);
}

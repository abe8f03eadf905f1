// A fixed set of threads. They spin briefly for the next piece of work before they sleep: the
// network hands out pieces of a few hundred microseconds.
#define _GNU_SOURCE
#include "CKernels.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { SPINS = 4000 };

// The blocks that a worker has still to begin: the first in the low half, the end in the high half.
typedef struct {
  _Alignas(64) atomic_ullong range;
} Share;

struct WorkerPool {
  int32_t count;
  pthread_t *threads;
  pthread_mutex_t lock;
  pthread_cond_t wake;
  atomic_long generation;  // rises with each piece of work
  atomic_int pending;      // workers that have not finished it
  bool stop;
  void (*body)(void *, int32_t);
  void *context;
  Share *shares;           // of each worker
};

typedef struct {
  WorkerPool *pool;
  int32_t worker;
} Seat;

static void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

static void *work(void *argument) {
  Seat seat = *(Seat *)argument;
  free(argument);
  WorkerPool *pool = seat.pool;
  long seen = 0;
  for (;;) {
    for (int i = 0; i < SPINS && atomic_load(&pool->generation) == seen; i++) relax();
    pthread_mutex_lock(&pool->lock);
    while (atomic_load(&pool->generation) == seen) pthread_cond_wait(&pool->wake, &pool->lock);
    seen = atomic_load(&pool->generation);
    bool stop = pool->stop;
    pthread_mutex_unlock(&pool->lock);
    if (stop) return NULL;
    pool->body(pool->context, seat.worker);
    atomic_fetch_sub(&pool->pending, 1);
  }
}

static void announce(WorkerPool *pool) {
  pthread_mutex_lock(&pool->lock);
  atomic_fetch_add(&pool->generation, 1);
  pthread_cond_broadcast(&pool->wake);
  pthread_mutex_unlock(&pool->lock);
}

WorkerPool *workerPoolCreate(int32_t count) {
  WorkerPool *pool = calloc(1, sizeof *pool);
  if (!pool) return NULL;
  pthread_mutex_init(&pool->lock, NULL);
  pthread_cond_init(&pool->wake, NULL);
  const size_t most = count > 1 ? count : 1;
  pool->threads = calloc(most, sizeof *pool->threads);
  pool->shares = aligned_alloc(_Alignof(Share), most * sizeof *pool->shares);
  if (!pool->shares) {
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->wake);
    free(pool->threads);
    free(pool);
    return NULL;
  }
  pool->count = 1;
  // A thread that cannot be had leaves a smaller pool; results do not depend on its size.
  for (int32_t worker = 1; pool->threads && worker < count; worker++) {
    Seat *seat = malloc(sizeof *seat);
    if (!seat) break;
    *seat = (Seat){pool, worker};
    if (pthread_create(&pool->threads[worker], NULL, work, seat) != 0) {
      free(seat);
      break;
    }
    pool->count++;
  }
  return pool;
}

int32_t workerPoolCount(const WorkerPool *pool) { return pool->count; }

void workerPoolRun(WorkerPool *pool, void (*body)(void *, int32_t), void *context) {
  if (pool->count == 1) {
    body(context, 0);
    return;
  }
  pool->body = body;
  pool->context = context;
  atomic_store(&pool->pending, pool->count - 1);
  announce(pool);
  body(context, 0);
  // A worker that lost its core must be let on again: yield after a while.
  for (int i = 0; atomic_load(&pool->pending) > 0; i++) {
    if (i < SPINS) relax();
    else sched_yield();
  }
}

// Takes the first block of a share, or its last one; -1 where none is left.
static int64_t take(Share *share, bool last) {
  unsigned long long range = atomic_load(&share->range);
  for (;;) {
    const uint32_t first = (uint32_t)range, end = range >> 32;
    if (first >= end) return -1;
    const unsigned long long rest =
      last ? (unsigned long long)(end - 1) << 32 | first : (unsigned long long)end << 32 | (first + 1);
    if (atomic_compare_exchange_weak(&share->range, &range, rest)) return last ? end - 1 : first;
  }
}

typedef struct {
  WorkerPool *pool;
  void (*body)(void *, int64_t, int32_t);
  void *context;
} Blocks;

static void workOnBlocks(void *context, int32_t worker) {
  const Blocks *blocks = context;
  WorkerPool *pool = blocks->pool;
  for (int32_t i = 0; i < pool->count; i++) {
    const int32_t owner = (worker + i) % pool->count;
    int64_t block;
    while ((block = take(&pool->shares[owner], i > 0)) >= 0)
      blocks->body(blocks->context, block, worker);
  }
}

void workerPoolRunBlocks(
  WorkerPool *pool, int32_t count, void (*body)(void *, int64_t, int32_t), void *context) {
  if (pool->count == 1 || count == 1) {
    for (int32_t block = 0; block < count; block++) body(context, block, 0);
    return;
  }
  for (int32_t worker = 0; worker < pool->count; worker++) {
    const uint64_t first = (int64_t)count * worker / pool->count;
    const uint64_t end = (int64_t)count * (worker + 1) / pool->count;
    atomic_store(&pool->shares[worker].range, end << 32 | first);
  }
  Blocks blocks = {pool, body, context};
  workerPoolRun(pool, workOnBlocks, &blocks);
}

void workerPoolDestroy(WorkerPool *pool) {
  pool->stop = true;
  announce(pool);
  for (int32_t worker = 1; worker < pool->count; worker++)
    pthread_join(pool->threads[worker], NULL);
  pthread_mutex_destroy(&pool->lock);
  pthread_cond_destroy(&pool->wake);
  free(pool->threads);
  free(pool->shares);
  free(pool);
}

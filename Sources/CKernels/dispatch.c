// Choice of the kernel table at run time. Not ifunc or target_clones: their resolvers run before
// the thread sanitizer is ready.
#include "kernelTables.h"

#include <stdlib.h>
#include <string.h>

const KernelTable *kernelsNamed(const char *name) {
  if (strcmp(name, "portable") == 0) return &kernelsPortable;
#if defined(__x86_64__)
  if (strcmp(name, "avx2") == 0 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return &kernelsAVX2;
  if (strcmp(name, "avx512") == 0 && __builtin_cpu_supports("avx512f")
      && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")
      && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma"))
    return &kernelsAVX512;
#endif
  return NULL;
}

const KernelTable *kernelsBest(void) {
  const char *wish = getenv("SEGMENTD_ISA");
  const KernelTable *table = wish ? kernelsNamed(wish) : NULL;
  if (!table) table = kernelsNamed("avx512");
  if (!table) table = kernelsNamed("avx2");
  return table ? table : &kernelsPortable;
}

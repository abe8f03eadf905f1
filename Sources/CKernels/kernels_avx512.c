#if defined(__x86_64__)
#include "kernelTables.h"

#include <math.h>

#define TABLE kernelsAVX512
#define ISA avx512
#define WIDEST 32
#define TILE16 16
#define TILE32 13
#define PRODUCT32 12
#define OUTER32 8
#define OUTER16 16
#define NARROW_LINES 9
#define OUTER_LANES 4
#define PEAK_SUMS 16
#pragma clang attribute push( \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), apply_to = function)
#include "kernelTemplate.h"
#pragma clang attribute pop
#endif

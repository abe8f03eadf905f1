#if defined(__x86_64__)
#include "kernelTables.h"

#include <math.h>

#define TABLE kernelsAVX2
#define ISA avx2
#define WIDEST 16
#define TILE16 6
#define TILE32 6
#define PRODUCT32 6
#define OUTER32 4
#define OUTER16 4
#define NARROW_LINES 1
#define OUTER_LANES 1
#define PEAK_SUMS 6
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#include "kernelTemplate.h"
#pragma clang attribute pop
#endif

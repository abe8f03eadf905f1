// The tables that kernels_*.c define.
#include "CKernels.h"

extern const KernelTable kernelsPortable;
#if defined(__x86_64__)
extern const KernelTable kernelsAVX2, kernelsAVX512;
#endif

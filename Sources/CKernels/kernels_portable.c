#include "kernelTables.h"

#include <math.h>

#define TABLE kernelsPortable
#define ISA portable
#define WIDEST 16
#define TILE16 3
#define TILE32 3
#define PRODUCT32 3
#define OUTER32 2
#define OUTER16 2
#define NARROW_LINES 1
#define OUTER_LANES 1
#define PEAK_SUMS 3
#include "kernelTemplate.h"

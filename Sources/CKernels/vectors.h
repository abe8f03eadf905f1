// Vectors of 16 floats, for kernels that are written once and compiled for each instruction set.

// Wide vectors change the calling convention without AVX-512; every use here is inlined.
#pragma clang diagnostic ignored "-Wpsabi"

typedef float Floats __attribute__((vector_size(64), aligned(4), may_alias));
typedef float Aligned __attribute__((vector_size(64), may_alias));
typedef int32_t Ints __attribute__((vector_size(64), aligned(4), may_alias));
typedef double Doubles __attribute__((vector_size(128), aligned(8), may_alias));

#define INLINE static inline __attribute__((always_inline))
// A case of a loop as a function of its own: beside many others the compiler would keep the addresses
// of all of them up to date, in memory, for each turn.
#define OUTLINE static __attribute__((noinline))
#define LOAD(pointer) (*(const Floats *)(pointer))
#define STORE(pointer, value) (*(Floats *)(pointer) = (value))
#define UNROLL _Pragma("clang loop unroll(full)")

enum { LANES = 16 };
static const float slope = 0.01f;
static const float epsilon = 1e-5f;

INLINE Floats splat(float x) { return (Floats){0} + x; }
// a where the mask is set, b elsewhere.
INLINE Floats choose(Ints mask, Floats a, Floats b) {
  return (Floats)((mask & (Ints)a) | (~mask & (Ints)b));
}
INLINE Floats leakyVector(Floats x) { return choose(x > 0, x, x * slope); }
INLINE float leakyScalar(float x) { return x > 0 ? x : x * slope; }
INLINE Doubles widen(Floats x) { return __builtin_convertvector(x, Doubles); }
INLINE Floats narrow(Doubles x) { return __builtin_convertvector(x, Floats); }

INLINE double sumOf(Doubles x) {
  double sum = 0;
  for (int i = 0; i < LANES; i++) sum += x[i];
  return sum;
}

// The first `count` lanes, zero beyond.
INLINE Floats loadSome(const float *values, int count) {
  if (count >= LANES) return LOAD(values);
  Floats result = {0};
  for (int i = 0; i < count; i++) result[i] = values[i];
  return result;
}
INLINE void storeSome(float *target, Floats values, int count) {
  if (count >= LANES) {
    STORE(target, values);
    return;
  }
  for (int i = 0; i < count; i++) target[i] = values[i];
}

// In every lane the sum of all lanes.
INLINE Floats sumOfLanes(Floats x) {
  x += __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
  x += __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
  x += __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
  return x + __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
}

// Four of these exchange rows and columns: each interleaves the rows that are 8 apart.
INLINE void transposePass(Floats *r) {
  Floats t[16];
  UNROLL for (int i = 0; i < 8; i++) {
    t[2 * i] = __builtin_shufflevector(
      r[i], r[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    t[2 * i + 1] = __builtin_shufflevector(
      r[i], r[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  }
  UNROLL for (int i = 0; i < 16; i++) r[i] = t[i];
}

// Rows become columns, in place.
INLINE void transpose(Floats *r) {
  UNROLL for (int pass = 0; pass < 4; pass++) transposePass(r);
}

// e^x for x <= 0, to about 2 units in the last place; 0 below -87.
INLINE Floats exponential(Floats x) {
  Floats bounded = choose(x < -87.0f, splat(-87.0f), x);
  Floats n = bounded * 1.44269504f + 12582912.0f;  // rounds to nearest in the low bits
  n -= 12582912.0f;
  Floats r = bounded - n * 0.693359375f;
  r -= n * -2.12194440e-4f;
  Floats p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  Ints power = (__builtin_convertvector(n, Ints) + 127) << 23;
  Floats result = p * (Floats)power;
  return choose(x < -87.0f, splat(0), result);
}

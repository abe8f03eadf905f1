// The transforms of minimal filtering along one axis, and those of weights.
//
// The points of F(4x4) are 0, ±1/√2, ±√2 and infinity: their transforms have entries nearer to 1
// than those of 0, ±1, ±2, which more than halves the rounding error at the same count.

#define P1 0.70710678118654752f  // p
#define P2 0.5f                  // p squared
#define P3 0.35355339059327376f
#define Q1 1.41421356237309505f  // q
#define Q2 2.0f
#define Q3 2.82842712474619010f

// size samples -> two of the size frequencies, along one axis: 0 and the last, 1 and 2, or 3 and 4,
// which share terms. A transform of both axes takes one pair after the other: then what is between
// the axes fits the registers.
INLINE void inputPair(const int tile, const int pair, const Floats *d, Floats *a, Floats *b) {
  if (tile == 2) {
    *a = pair == 0 ? d[0] - d[2] : d[1] + d[2];
    *b = pair == 0 ? d[1] - d[3] : d[2] - d[1];
  } else if (pair == 0) {
    *a = d[0] + d[4] - (P2 + Q2) * d[2];
    *b = d[1] + d[5] - (P2 + Q2) * d[3];
  } else if (pair == 1) {
    Floats even = d[4] - Q2 * d[2], odd = d[3] - Q2 * d[1];
    *a = even + P1 * odd;
    *b = even - P1 * odd;
  } else {
    Floats even = d[4] - P2 * d[2], odd = d[3] - P2 * d[1];
    *a = even + Q1 * odd;
    *b = even - Q1 * odd;
  }
}

// size samples -> size frequencies, along one axis.
INLINE void inputTransform(const int tile, const Floats *d, Floats *t) {
  inputPair(tile, 0, d, t, t + tile + 1);
  inputPair(tile, 1, d, t + 1, t + 2);
  if (tile == 4) inputPair(tile, 2, d, t + 3, t + 4);
}

// size frequencies -> two of the tile outputs, along one axis, which share terms: 0 and 2, or 1 and
// 3; both where a tile has two.
INLINE void outputPair(const int tile, const int pair, const Floats *m, Floats *a, Floats *b) {
  if (tile == 2) {
    *a = m[0] + m[1] + m[2];
    *b = m[1] - m[2] - m[3];
  } else if (pair == 0) {
    Floats sum = m[1] + m[2], sum2 = m[3] + m[4];
    *a = m[0] + sum + sum2;
    *b = P2 * sum + Q2 * sum2;
  } else {
    Floats difference = m[1] - m[2], difference2 = m[3] - m[4];
    *a = P1 * difference + Q1 * difference2;
    *b = P3 * difference + Q3 * difference2 + m[5];
  }
}

// size frequencies -> tile outputs, along one axis.
INLINE void outputTransform(const int tile, const Floats *m, Floats *y) {
  outputPair(tile, 0, m, y, y + tile / 2);
  if (tile == 4) outputPair(tile, 1, m, y + 1, y + 3);
}

// Three taps -> size frequencies, along one axis.
INLINE void weightTransform(const int tile, const Floats *g, Floats *t) {
  if (tile == 2) {
    const Floats even = 0.5f * (g[0] + g[2]), odd = 0.5f * g[1];
    t[0] = g[0];
    t[1] = even + odd;
    t[2] = even - odd;
    t[3] = g[2];
    return;
  }
  const Floats even = (g[0] + P2 * g[2]) * (-2 / 3.0f), odd = g[1] * (-2 / 3.0f * P1);
  const Floats even2 = (g[0] + Q2 * g[2]) * (1 / 6.0f), odd2 = g[1] * (1 / 6.0f * Q1);
  t[0] = g[0];
  t[1] = even + odd;
  t[2] = even - odd;
  t[3] = even2 + odd2;
  t[4] = even2 - odd2;
  t[5] = g[2];
}

// The nine taps of one slice -> frequencies, `stride` apart.
INLINE void transformWeights(const int tile, const Floats *taps, float *target, int64_t stride) {
  const int size = tile + 2;
  Floats columns[18];
  UNROLL for (int x = 0; x < 3; x++) {
    Floats g[3], t[6];
    UNROLL for (int y = 0; y < 3; y++) g[y] = taps[y * 3 + x];
    weightTransform(tile, g, t);
    UNROLL for (int y = 0; y < size; y++) columns[y * 3 + x] = t[y];
  }
  UNROLL for (int y = 0; y < size; y++) {
    Floats t[6];
    weightTransform(tile, columns + y * 3, t);
    UNROLL for (int x = 0; x < size; x++) STORE(target + (y * size + x) * stride, t[x]);
  }
}

// A tap of slice z of three, or of frequency z of four of depth, from those of the three slices.
INLINE Floats depthTap(const bool deep, int z, Floats first, Floats second, Floats third) {
  if (z == 0) return first;
  if (z == (deep ? 3 : 2)) return third;
  if (!deep) return second;
  const Floats even = 0.5f * (first + third), odd = 0.5f * second;
  return z == 1 ? even + odd : even - odd;
}

enum { AHEAD = 8 };  // inputs whose taps are fetched before they are needed

INLINE void winogradWeightsOf(
  const Winograd *w, const int tile, int32_t block, int32_t input0, int32_t input1,
  float *target) {
  const int64_t lanes = w->lanes, slice = w->inputChannels * lanes;
  // Slice by slice, and what comes soon is fetched: 27 short lines of memory at a time are more than
  // the processor foresees.
  if (w->deep) {
    for (int z = 0; z < 4; z++)
      for (int64_t i = input0 * lanes; i < input1 * lanes; i += LANES) {
        const float *taps = w->taps + block * 27 * slice + i;
        Floats g[9];
        UNROLL for (int t = 0; t < 9; t++)
          g[t] = depthTap(
            true, z, LOAD(taps + t * slice), LOAD(taps + (9 + t) * slice),
            LOAD(taps + (18 + t) * slice));
        transformWeights(tile, g, target + (block * 4 + z) * slice + i, w->weightStride);
      }
    return;
  }
  for (int64_t z = 0; z < 3; z++) {
    for (int64_t i = input0 * lanes; i < input1 * lanes; i += LANES) {
      const float *taps = w->taps + (block * 27 + z * 9) * slice + i;
      Floats g[9];
      UNROLL for (int t = 0; t < 9; t++) {
        g[t] = LOAD(taps + t * slice);
        __builtin_prefetch(taps + t * slice + AHEAD * lanes, 0, 3);
      }
      transformWeights(tile, g, target + (block * 3 + z) * slice + i, w->weightStride);
    }
  }
}

// The same from weights in PyTorch's order, which need not be packed before.
INLINE void winogradMastersOf(
  const Winograd *w, const int tile, const WeightSource *s, int32_t block, int32_t input0,
  int32_t input1, float *target) {
  const int64_t inputs = w->inputChannels, lanes = w->lanes;
  for (int64_t input = input0; input < input1; input++) {
    for (int64_t lane = 0; lane < lanes; lane += LANES) {
      const int64_t output = block * lanes + lane;
      Floats taps[27];
      transposeTaps(
        s->weights + output * s->laneStride + input * s->inputStride, s->laneStride,
        w->outputChannels - output < LANES ? (int)(w->outputChannels - output) : LANES,
        4 * s->inputStride, taps);
      const int depths = w->deep ? 4 : 3;
      for (int z = 0; z < depths; z++) {
        Floats g[9];
        UNROLL for (int t = 0; t < 9; t++)
          g[t] = depthTap(
            w->deep, z, taps[s->flipped ? 26 - t : t], taps[s->flipped ? 17 - t : 9 + t],
            taps[s->flipped ? 8 - t : 18 + t]);
        transformWeights(
          tile, g, target + ((block * depths + z) * inputs + input) * lanes + lane,
          w->weightStride);
      }
    }
  }
}

static void KERNEL(winogradMasters)(
  const Winograd *w, const WeightSource *s, int32_t block, int32_t input0, int32_t input1,
  float *target) {
  if (w->tile == 4) winogradMastersOf(w, 4, s, block, input0, input1, target);
  else winogradMastersOf(w, 2, s, block, input0, input1, target);
}

// The transform of the taps of inputs [input0, input1) of one block of outputs. Done anew for each
// patch: the taps are a quarter of their transform, which then never leaves the caches.
static void KERNEL(winogradWeights)(
  const Winograd *w, int32_t block, int32_t input0, int32_t input1, float *target) {
  if (w->tile == 4) winogradWeightsOf(w, 4, block, input0, input1, target);
  else winogradWeightsOf(w, 2, block, input0, input1, target);
}

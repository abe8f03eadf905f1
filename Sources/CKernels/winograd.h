// Convolution 3x3x3 by minimal filtering (Winograd; Lavin and Gray, arXiv 1509.09308): F(4x4, 3x3)
// or F(2x2, 3x3) in the plane, summed directly over depth. Three steps, which the callers order:
// transform of the input, products for each frequency, transform of the products.
//
// The points of F(4x4) are 0, ±1/√2, ±√2 and infinity: their transforms have entries nearer to 1
// than those of 0, ±1, ±2, which more than halves the rounding error at the same count.

#define P1 0.70710678118654752f  // p
#define P2 0.5f                  // p squared
#define P3 0.35355339059327376f
#define Q1 1.41421356237309505f  // q
#define Q2 2.0f
#define Q3 2.82842712474619010f

// size samples -> size frequencies, along one axis.
INLINE void inputTransform(const int tile, const Floats *d, Floats *t) {
  if (tile == 2) {
    t[0] = d[0] - d[2];
    t[1] = d[1] + d[2];
    t[2] = d[2] - d[1];
    t[3] = d[1] - d[3];
    return;
  }
  Floats even = d[4] - Q2 * d[2], odd = d[3] - Q2 * d[1];
  Floats even2 = d[4] - P2 * d[2], odd2 = d[3] - P2 * d[1];
  t[0] = d[0] + d[4] - (P2 + Q2) * d[2];
  t[1] = even + P1 * odd;
  t[2] = even - P1 * odd;
  t[3] = even2 + Q1 * odd2;
  t[4] = even2 - Q1 * odd2;
  t[5] = d[1] + d[5] - (P2 + Q2) * d[3];
}

// size frequencies -> tile outputs, along one axis.
INLINE void outputTransform(const int tile, const Floats *m, Floats *y) {
  if (tile == 2) {
    y[0] = m[0] + m[1] + m[2];
    y[1] = m[1] - m[2] - m[3];
    return;
  }
  Floats sum = m[1] + m[2], difference = m[1] - m[2];
  Floats sum2 = m[3] + m[4], difference2 = m[3] - m[4];
  y[0] = m[0] + sum + sum2;
  y[1] = P1 * difference + Q1 * difference2;
  y[2] = P2 * sum + Q2 * sum2;
  y[3] = P3 * difference + Q3 * difference2 + m[5];
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

INLINE void winogradWeightsOf(
  const Winograd *w, const int tile, int32_t block, int32_t input0, int32_t input1,
  float *target) {
  const int64_t inputs = w->inputChannels, lanes = w->lanes;
  for (int64_t i = (int64_t)input0 * 3; i < (int64_t)input1 * 3; i++) {  // input and slice
    const int64_t input = i / 3, z = i % 3;
    for (int64_t lane = 0; lane < lanes; lane += LANES) {
      const float *taps = w->taps + ((block * 27 + z * 9) * inputs + input) * lanes + lane;
      Floats g[9];
      UNROLL for (int t = 0; t < 9; t++) g[t] = LOAD(taps + t * inputs * lanes);
      transformWeights(
        tile, g, target + ((block * 3 + z) * inputs + input) * lanes + lane, w->weightStride);
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
        w->outputChannels - output < LANES ? (int)(w->outputChannels - output) : LANES, taps);
      for (int z = 0; z < 3; z++) {
        Floats g[9];
        UNROLL for (int t = 0; t < 9; t++) {
          const int tap = z * 9 + t;
          g[t] = taps[s->flipped ? 26 - tap : tap];
        }
        transformWeights(
          tile, g, target + ((block * 3 + z) * inputs + input) * lanes + lane, w->weightStride);
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

// One tile's samples of 16 channels (of which `count` exist), zero outside the volume, with the
// input's normalisation where there is one.
INLINE void gatherTile(
  const Winograd *w, const int size, const float *plane, int y0, int x0, int channel, int count,
  Floats *samples) {
  Floats mean = {0}, scale = {0}, shift = {0};
  const bool normalised = w->affine.scale != 0;
  if (normalised) {
    mean = loadSome(w->affine.mean + channel, count);
    scale = loadSome(w->affine.scale + channel, count);
    shift = loadSome(w->affine.shift + channel, count);
  }
  for (int y = 0; y < size; y++) {
    for (int x = 0; x < size; x++) {
      Floats value = {0};
      if (y0 + y >= 0 && y0 + y < w->height && x0 + x >= 0 && x0 + x < w->width) {
        value = loadSome(
          plane + (y0 + y) * w->inputRow + (int64_t)(x0 + x) * w->inputChannels + channel, count);
        if (normalised) value = leakyVector((value - mean) * scale + shift);
      }
      samples[y * size + x] = value;
    }
  }
}

// The transform of one tile of 16 channels, whose samples are row by row at `samples`.
INLINE void transformTile(
  const Winograd *w, const int tile, const bool normalised, const float *samples, int64_t row,
  int64_t step, int64_t ahead, int channel, int count, float *target, int64_t stride) {
  const int size = tile + 2;
  Floats columns[36], mean, scale, shift;
  if (ahead) {
    UNROLL for (int y = 0; y < size; y++)
      UNROLL for (int x = 2; x < size; x++)
        __builtin_prefetch(samples + ahead + y * row + x * step, 0, 2);
  }
  if (normalised) {
    mean = LOAD(w->affine.mean + channel);
    scale = LOAD(w->affine.scale + channel);
    shift = LOAD(w->affine.shift + channel) - mean * scale;
  }
  UNROLL for (int x = 0; x < size; x++) {
    Floats d[6], t[6];
    UNROLL for (int y = 0; y < size; y++) {
      d[y] = LOAD(samples + y * row + x * step);
      if (normalised) d[y] = leakyVector(d[y] * scale + shift);
    }
    inputTransform(tile, d, t);
    UNROLL for (int y = 0; y < size; y++) columns[y * size + x] = t[y];
  }
  UNROLL for (int y = 0; y < size; y++) {
    Floats t[6];
    inputTransform(tile, columns + y * size, t);
    UNROLL for (int x = 0; x < size; x++)
      storeSome(target + (y * size + x) * stride, t[x], count);
  }
}

INLINE void winogradInputOf(
  const Winograd *w, const int tile, int32_t z, int32_t tile0, int32_t tile1, float *target,
  int64_t stride) {
  const int size = tile + 2, tiles = (w->width + tile - 1) / tile;
  const float *plane = w->input + z * w->inputPlane;
  const bool normalised = w->affine.scale != 0;
  // The samples that may be read without a look: of the volume, and of its halo of zeros.
  const int margin = w->halo && !normalised ? 1 : 0;
  // The next slice is fetched meanwhile: rows are too short for the processor to foresee it.
  const int64_t ahead = z + 1 < w->depth ? w->inputPlane : 0;
  for (int32_t index = tile0; index < tile1; index++, target += w->inputChannels) {
    const int y0 = index / tiles * tile - 1, x0 = index % tiles * tile - 1;
    const bool inside = y0 >= -margin && y0 + size <= w->height + margin && x0 >= -margin
                        && x0 + size <= w->width + margin;
    for (int c = 0; c < w->inputChannels; c += LANES) {
      const int count = w->inputChannels - c;
      if (!inside || count < LANES) {
        Floats samples[36];
        gatherTile(w, size, plane, y0, x0, c, count, samples);
        transformTile(
          w, tile, false, (const float *)samples, size * LANES, LANES, 0, c, count, target + c,
          stride);
        continue;
      }
      const float *samples = plane + y0 * w->inputRow + (int64_t)x0 * w->inputChannels + c;
      if (normalised)
        transformTile(
          w, tile, true, samples, w->inputRow, w->inputChannels, ahead, c, LANES, target + c,
          stride);
      else
        transformTile(
          w, tile, false, samples, w->inputRow, w->inputChannels, ahead, c, LANES, target + c,
          stride);
    }
  }
}

static void KERNEL(winogradInput)(
  const Winograd *w, int32_t z, int32_t tile0, int32_t tile1, float *target, int64_t stride) {
  if (w->tile == 4) winogradInputOf(w, 4, z, tile0, tile1, target, stride);
  else winogradInputOf(w, 2, z, tile0, tile1, target, stride);
}

// `rows` rows of one frequency, of one block of output channels.
INLINE void multiplyRows(
  const int rows, const int vectors, const float *const *slices, int64_t offset, int64_t channels,
  const float *weights, float *products, int64_t outputChannels, int count) {
  Floats sum[TILE16][2];
  UNROLL for (int v = 0; v < rows; v++)
    UNROLL for (int k = 0; k < vectors; k++) sum[v][k] = splat(0);
  for (int dz = 0; dz < 3; dz++) {
    if (slices[dz])
      accumulate(
        rows, vectors, slices[dz] + offset, channels, channels,
        weights + dz * channels * vectors * LANES, sum);
  }
  UNROLL for (int v = 0; v < rows; v++)
    UNROLL for (int k = 0; k < vectors; k++)
      if (count > k * LANES)
        storeSome(products + v * outputChannels + k * LANES, sum[v][k], count - k * LANES);
}

// Whole register tiles first, then smaller ones.
INLINE void multiplyBlock(
  const int tallest, const int vectors, const float *const *slices, int64_t rows,
  int64_t channels, const float *weights, float *products, int64_t outputChannels, int count) {
#define ROWS(height)                                                                   \
  for (; row + height <= rows; row += height)                                          \
    multiplyRows(                                                                      \
      height, vectors, slices, row * channels, channels, weights,                      \
      products + row * outputChannels, outputChannels, count);
  int64_t row = 0;
  ROWS(tallest)
  if (tallest > 8) ROWS(8)
  if (tallest > 4) ROWS(4)
  ROWS(1)
#undef ROWS
}

static void KERNEL(winogradMultiply)(
  const Winograd *w, int32_t frequency0, int32_t frequency1, const float *const *slices,
  int64_t stride, int64_t rows, float *products, int64_t productStride) {
  const int blocks = (w->outputChannels + w->lanes - 1) / w->lanes;
  const int64_t size = (int64_t)3 * w->inputChannels * w->lanes;
  for (int32_t f = frequency0; f < frequency1; f++) {
    const float *here[3];
    for (int dz = 0; dz < 3; dz++) here[dz] = slices[dz] ? slices[dz] + f * stride : 0;
    for (int block = 0; block < blocks; block++) {
      const float *weights = w->weights + f * w->weightStride + block * size;
      float *target = products + f * productStride + block * w->lanes;
      const int count = w->outputChannels - block * w->lanes;
      if (WIDEST == 32 && w->lanes == 32)
        multiplyBlock(
          PRODUCT32, 2, here, rows, w->inputChannels, weights, target, w->outputChannels, count);
      else
        multiplyBlock(
          TILE16, 1, here, rows, w->inputChannels, weights, target, w->outputChannels, count);
    }
  }
}

// One tile of 16 output channels, of which `count` exist: the part inside the volume.
INLINE void finishTile(
  const Winograd *w, const int tile, const float *products, int64_t stride, int z, int y0, int x0,
  int channel, int count, const bool stream, double *moments) {
  const int size = tile + 2;
  Floats rows[24], sum = {0}, squares = {0};
  UNROLL for (int x = 0; x < size; x++) {
    Floats m[6], y[4];
    UNROLL for (int i = 0; i < size; i++)
      m[i] = loadSome(products + (i * size + x) * stride, count);
    outputTransform(tile, m, y);
    UNROLL for (int i = 0; i < tile; i++) rows[i * size + x] = y[i];
  }
  const Floats bias = w->bias ? loadSome(w->bias + channel, count) : splat(0);
  UNROLL for (int i = 0; i < tile; i++) {
    if (y0 + i >= w->height) break;
    Floats y[4];
    outputTransform(tile, rows + i * size, y);
    float *output = w->output + z * w->outputPlane + (y0 + i) * w->outputRow
                    + (int64_t)x0 * w->outputChannels + channel;
    const float *residual = w->residual
                              ? w->residual + z * w->residualPlane + (y0 + i) * w->residualRow
                                  + (int64_t)x0 * w->outputChannels + channel
                              : 0;
    UNROLL for (int x = 0; x < tile; x++) {
      if (x0 + x >= w->width) break;
      Floats value = y[x] + bias;
      if (residual) value += loadSome(residual + x * w->outputChannels, count);
      if (w->leaky) value = leakyVector(value);
      if (stream) __builtin_nontemporal_store(value, (Aligned *)(output + x * w->outputChannels));
      else storeSome(output + x * w->outputChannels, value, count);
      sum += value;
      squares += value * value;
    }
  }
  if (!moments) return;
  // At most 16 values are added in single precision, the rest in double.
  for (int k = 0; k < count; k++) {
    moments[channel + k] += sum[k];
    moments[w->outputChannels + channel + k] += squares[k];
  }
}

INLINE void winogradOutputOf(
  const Winograd *w, const int tile, int32_t z, int32_t tile0, int32_t tile1,
  const float *products, int64_t stride, double *moments) {
  const int tiles = (w->width + tile - 1) / tile;
  for (int32_t index = tile0; index < tile1; index++, products += w->outputChannels) {
    const int y0 = index / tiles * tile, x0 = index % tiles * tile;
    for (int c = 0; c < w->outputChannels; c += LANES) {
      const int count = w->outputChannels - c;
      if (w->streams && count >= LANES)
        finishTile(w, tile, products + c, stride, z, y0, x0, c, LANES, true, moments);
      else if (count >= LANES)
        finishTile(w, tile, products + c, stride, z, y0, x0, c, LANES, false, moments);
      else finishTile(w, tile, products + c, stride, z, y0, x0, c, count, false, moments);
    }
  }
}

static void KERNEL(winogradOutput)(
  const Winograd *w, int32_t z, int32_t tile0, int32_t tile1, const float *products,
  int64_t stride, double *moments) {
  if (w->tile == 4) winogradOutputOf(w, 4, z, tile0, tile1, products, stride, moments);
  else winogradOutputOf(w, 2, z, tile0, tile1, products, stride, moments);
}

// Slice after slice, with the transforms of three input slices kept in the scratch. The products of
// a group of tiles stay in the first-level cache where their channels are few.
static void KERNEL(winogradStrip)(
  const Winograd *w, int32_t tile0, int32_t tile1, int32_t z0, int32_t z1, float *scratch,
  double *moments) {
  const int64_t frequencies = (w->tile + 2) * (w->tile + 2), count = tile1 - tile0;
  const int64_t stride = count * w->inputChannels + LANES, slice = frequencies * stride;
  const int32_t group = w->outputChannels <= LANES ? 16 : 48;
  const int64_t productStride = group * w->outputChannels + LANES;
  float *products = scratch + 3 * slice;
  int32_t ready = z0 > 0 ? z0 - 1 : 0;
  for (int32_t z = z0; z < z1; z++) {
    for (; ready <= z + 1 && ready < w->depth; ready++)
      KERNEL(winogradInput)(w, ready, tile0, tile1, scratch + ready % 3 * slice, stride);
    for (int32_t first = 0; first < count; first += group) {
      const int32_t rows = count - first < group ? (int32_t)count - first : group;
      const float *slices[3];
      for (int dz = 0; dz < 3; dz++) {
        const int32_t from = z + dz - 1;
        slices[dz] = from >= 0 && from < w->depth
                       ? scratch + from % 3 * slice + first * w->inputChannels
                       : 0;
      }
      KERNEL(winogradMultiply)(
        w, 0, (int32_t)frequencies, slices, stride, rows, products, productStride);
      KERNEL(winogradOutput)(
        w, z, tile0 + first, tile0 + first + rows, products, productStride, moments);
    }
  }
}

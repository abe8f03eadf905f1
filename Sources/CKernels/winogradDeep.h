// Minimal filtering over depth too, F(2, 3): two slices of outputs from four frequencies of depth, with two
// thirds of the products of direct sums over three slices.

// Four slices of one frequency (NULL: zeros) -> the four frequencies of depth, `stride` apart. Up to 15 floats
// more than `count` are read and written.
INLINE void depthTransform(
  const float *const *slices, int64_t offset, int64_t count, float *target, int64_t stride) {
  static const float zeros[LANES];
  const float *from[4];
  int64_t step[4];
  UNROLL for (int i = 0; i < 4; i++) {
    from[i] = slices[i] ? slices[i] + offset : zeros;
    step[i] = slices[i] ? LANES : 0;
  }
  for (int64_t i = 0; i < count; i += LANES) {
    Floats d[4], t[4];
    UNROLL for (int k = 0; k < 4; k++) {
      d[k] = LOAD(from[k]);
      from[k] += step[k];
    }
    inputTransform(2, d, t);
    // The last frequency with the sign that lets its products be added.
    UNROLL for (int k = 0; k < 4; k++) STORE(target + k * stride + i, k == 3 ? -t[k] : t[k]);
  }
}

// `rows` rows of one frequency of the plane, of one block of output channels, for both slices. The middle
// frequencies of depth are in both, as sum and as difference.
INLINE void multiplyDeepRows(
  const int rows, const int vectors, const float *input, int64_t stride, int64_t channels,
  const float *weights, float *first, float *second, int64_t outputChannels, int count) {
  const int64_t size = channels * vectors * LANES;
  Floats sum[TILE16][2];
#define EACH                                     \
  UNROLL for (int v = 0; v < rows; v++)          \
    UNROLL for (int k = 0; k < vectors; k++)     \
      if (count > k * LANES)
#define PLACE(products) products + v * outputChannels + k * LANES, count - k * LANES
#define STORE_SUMS(products) \
  EACH storeSome(products + v * outputChannels + k * LANES, sum[v][k], count - k * LANES);
#define ACCUMULATE(depth)                                                                      \
  accumulate(                                                                                  \
    rows, vectors, input + depth * stride, channels, channels, weights + depth * size, sum);
  UNROLL for (int v = 0; v < rows; v++)
    UNROLL for (int k = 0; k < vectors; k++) sum[v][k] = splat(0);
  ACCUMULATE(1)
  STORE_SUMS(second)
  UNROLL for (int v = 0; v < rows; v++)
    UNROLL for (int k = 0; k < vectors; k++) sum[v][k] = splat(0);
  ACCUMULATE(2)
  EACH {
    const Floats other = loadSome(PLACE(second));
    storeSome(
      second + v * outputChannels + k * LANES, other - sum[v][k], count - k * LANES);
    sum[v][k] += other;
  }
  ACCUMULATE(0)
  STORE_SUMS(first)
  EACH sum[v][k] = loadSome(PLACE(second));
  ACCUMULATE(3)
  STORE_SUMS(second)
#undef ACCUMULATE
#undef STORE_SUMS
#undef PLACE
#undef EACH
}

INLINE void multiplyDeepBlock(
  const int tallest, const int taller, const int vectors, const float *input, int64_t stride,
  int64_t rows, int64_t channels, const float *weights, float *first, float *second,
  int64_t outputChannels, int count) {
#define ROWS(height, condition)                                                        \
  for (; row + height <= rows && (condition); row += height)                           \
    multiplyDeepRows(                                                                  \
      height, vectors, input + row * channels, stride, channels, weights,              \
      first + row * outputChannels, second + row * outputChannels, outputChannels, count);
  BY_REGISTER_TILES(ROWS)
#undef ROWS
}

// The products of one frequency of the plane for two slices, which are `slice` apart.
static void KERNEL(multiplyDeep)(
  const Winograd *w, int64_t frequency, const float *input, int64_t stride, int64_t rows,
  float *products, int64_t slice) {
  for (int c = 0; c < w->outputChannels; c += w->lanes) {
    const float *weights =
      w->weights + frequency * w->weightStride + (int64_t)c * 4 * w->inputChannels;
    const int count = w->outputChannels - c;
    if (WIDEST == 32 && w->lanes == 32)
      multiplyDeepBlock(
        PRODUCT32, TILE32, 2, input, stride, rows, w->inputChannels, weights, products + c,
        products + slice + c, w->outputChannels, count);
    else
      multiplyDeepBlock(
        TILE16, TILE16, 1, input, stride, rows, w->inputChannels, weights, products + c,
        products + slice + c, w->outputChannels, count);
  }
}

static void KERNEL(winogradMultiplyPair)(
  const Winograd *w, int32_t frequency, const float *const *slices, int64_t rows, float *products,
  int64_t slice, float *scratch) {
  const int64_t stride = PAIR_ROWS * w->inputChannels + LANES;
  for (int64_t row = 0; row < rows; row += PAIR_ROWS) {
    const int64_t some = rows - row < PAIR_ROWS ? rows - row : PAIR_ROWS;
    depthTransform(slices, row * w->inputChannels, some * w->inputChannels, scratch, stride);
    KERNEL(multiplyDeep)(
      w, frequency, scratch, stride, some, products + row * w->outputChannels, slice);
  }
}

// Two slices at a time, with the transforms of four input slices kept in the scratch.
static void KERNEL(deepStrip)(
  const Winograd *w, int32_t tile0, int32_t tile1, int32_t z0, int32_t z1, float *scratch,
  double *moments) {
  const int64_t frequencies = (w->tile + 2) * (w->tile + 2), count = tile1 - tile0;
  const int64_t stride = count * w->inputChannels + LANES, slice = frequencies * stride;
  const int32_t group = w->outputChannels <= LANES ? 16 : DEEP_TILES;
  const int64_t productStride = group * w->outputChannels + LANES;
  const int64_t productSlice = frequencies * productStride;
  const int64_t depthStride = group * w->inputChannels + LANES;
  float *products = scratch + 4 * slice, *depths = products + 2 * productSlice;
  int32_t ready = z0 > 0 ? z0 - 1 : 0;
  for (int32_t z = z0; z < z1; z += 2) {
    for (; ready <= z + 2 && ready < w->depth; ready++)
      KERNEL(winogradInput)(w, ready, tile0, tile1, scratch + (ready & 3) * slice, stride);
    for (int32_t first = 0; first < count; first += group) {
      const int32_t rows = count - first < group ? (int32_t)count - first : group;
      const float *slices[4];
      for (int dz = 0; dz < 4; dz++) {
        const int32_t from = z + dz - 1;
        slices[dz] = from >= 0 && from < w->depth
                       ? scratch + (from & 3) * slice + first * w->inputChannels
                       : 0;
      }
      for (int32_t f = 0; f < frequencies; f++) {
        depthTransform(slices, f * stride, rows * w->inputChannels, depths, depthStride);
        KERNEL(multiplyDeep)(
          w, f, depths, depthStride, rows, products + f * productStride, productSlice);
        if (w->streams) continue;
        // A part of the output at a time: nothing has to wait for it.
        for (int32_t out = z; out < z + 2 && out < z1; out++)
          fetchOutput(
            w, out, tile0 + first + (int32_t)(rows * f / frequencies),
            tile0 + first + (int32_t)(rows * (f + 1) / frequencies));
      }
      for (int32_t out = z; out < z + 2 && out < z1; out++)
        KERNEL(winogradOutput)(
          w, out, tile0 + first, tile0 + first + rows, products + (out - z) * productSlice,
          productStride, moments);
    }
  }
}

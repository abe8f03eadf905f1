// The transforms of minimal filtering of a tile of 16 channels: of its samples, and of its products
// with what follows them.

// The transform of one tile of 16 channels, whose samples are row by row at `samples`.
INLINE void transformTile(
  const int tile, const float *samples, int64_t row, int64_t step, float *target,
  int64_t stride) {
  const int size = tile + 2;
  UNROLL for (int pair = 0; pair < size / 2; pair++) {
    const int first = pair == 0 ? 0 : 2 * pair - 1, second = pair == 0 ? size - 1 : 2 * pair;
    Floats columns[2][6], t[6];
    UNROLL for (int x = 0; x < size; x++) {
      Floats d[6];
      UNROLL for (int y = 0; y < size; y++) d[y] = LOAD(samples + y * row + x * step);
      inputPair(tile, pair, d, &columns[0][x], &columns[1][x]);
    }
    inputTransform(tile, columns[0], t);
    UNROLL for (int x = 0; x < size; x++)
      STORE(target + (first * size + x) * stride, t[x]);
    inputTransform(tile, columns[1], t);
    UNROLL for (int x = 0; x < size; x++)
      STORE(target + (second * size + x) * stride, t[x]);
  }
}

// A tile of 16 channels (of which `count` exist) that reaches beyond the volume: samples outside are zero,
// with the input's normalisation where there is one. Rows outside are read within and masked, columns
// outside are passed over.
INLINE void edgeTile(
  const Winograd *w, const int tile, const bool normalised, const float *plane, int y0, int x0,
  int channel, const int count, float *target, int64_t stride) {
  const int size = tile + 2;
  Floats mean = {0}, scale = {0}, shift = {0};
  if (normalised) {
    mean = loadSome(w->affine.mean + channel, count);
    scale = loadSome(w->affine.scale + channel, count);
    shift = loadSome(w->affine.shift + channel, count);
  }
  const float *rows[6];
  Ints within[6];
  UNROLL for (int y = 0; y < size; y++) {
    const bool inside = y0 + y >= 0 && y0 + y < w->height;
    within[y] = (Ints){0} - (inside ? 1 : 0);
    rows[y] = plane + (inside ? y0 + y : 0) * w->inputRow + channel;
  }
  Floats columns[36], t[6];
  for (int x = 0; x < size; x++) {
    if (x0 + x < 0 || x0 + x >= w->width) {
      UNROLL for (int y = 0; y < size; y++) columns[y * size + x] = splat(0);
      continue;
    }
    const int64_t place = (int64_t)(x0 + x) * w->inputChannels;
    Floats d[6];
    UNROLL for (int y = 0; y < size; y++) {
      Floats value = loadSome(rows[y] + place, count);
      if (normalised) value = leakyVector((value - mean) * scale + shift);
      d[y] = (Floats)((Ints)value & within[y]);
    }
    inputTransform(tile, d, t);
    UNROLL for (int y = 0; y < size; y++) columns[y * size + x] = t[y];
  }
  for (int y = 0; y < size; y++) {
    inputTransform(tile, columns + y * size, t);
    UNROLL for (int x = 0; x < size; x++)
      storeSome(target + (y * size + x) * stride, t[x], count);
  }
}

// The same where all 16 channels exist and at most one row and one column on each side is outside: their
// samples are read next to where they would be, and masked.
INLINE void borderTile(
  const Winograd *w, const int tile, const bool normalised, const float *plane, int y0, int x0,
  int channel, float *target, int64_t stride) {
  const int size = tile + 2;
  const int64_t row = w->inputRow, step = w->inputChannels;
  const int top = y0 < 0, bottom = y0 + size > w->height;
  const int left = x0 < 0, right = x0 + size > w->width;
  const float *samples = plane + y0 * row + x0 * step + channel;
  const float *first = samples + top * row, *last = samples + (size - 1 - bottom) * row;
  const Ints within[4] = {
    (Ints){0} + top - 1, (Ints){0} + bottom - 1, (Ints){0} + left - 1, (Ints){0} + right - 1};
  Floats mean = {0}, scale = {0}, shift = {0};
  if (normalised) {
    mean = LOAD(w->affine.mean + channel);
    scale = LOAD(w->affine.scale + channel);
    shift = LOAD(w->affine.shift + channel);
  }
  Floats columns[36], t[6];
  UNROLL for (int x = 0; x < size; x++) {
    const int64_t place = (x == 0 ? left : x == size - 1 ? x - right : x) * step;
    Floats d[6];
    UNROLL for (int y = 0; y < size; y++) {
      Floats value = LOAD((y == 0 ? first : y == size - 1 ? last : samples + y * row) + place);
      if (normalised) value = leakyVector((value - mean) * scale + shift);
      if (y == 0) value = (Floats)((Ints)value & within[0]);
      if (y == size - 1) value = (Floats)((Ints)value & within[1]);
      if (x == 0) value = (Floats)((Ints)value & within[2]);
      if (x == size - 1) value = (Floats)((Ints)value & within[3]);
      d[y] = value;
    }
    inputTransform(tile, d, t);
    UNROLL for (int y = 0; y < size; y++) columns[y * size + x] = t[y];
  }
  UNROLL for (int y = 0; y < size; y++) {
    inputTransform(tile, columns + y * size, t);
    UNROLL for (int x = 0; x < size; x++) STORE(target + (y * size + x) * stride, t[x]);
  }
}

// A whole tile of 16 channels that are normalised as they are read, once each: what is between the
// axes goes through memory.
INLINE void normaliseTile(
  const Winograd *w, const int tile, const float *samples, int channel, float *target,
  int64_t stride) {
  const int size = tile + 2;
  const Floats mean = LOAD(w->affine.mean + channel), scale = LOAD(w->affine.scale + channel);
  const Floats shift = LOAD(w->affine.shift + channel) - mean * scale;
  Floats columns[36], t[6];
  for (int x = 0; x < size; x++) {
    Floats d[6];
    UNROLL for (int y = 0; y < size; y++)
      d[y] =
        leakyVector(LOAD(samples + y * w->inputRow + x * w->inputChannels) * scale + shift);
    inputTransform(tile, d, t);
    UNROLL for (int y = 0; y < size; y++) columns[y * size + x] = t[y];
  }
  for (int y = 0; y < size; y++) {
    inputTransform(tile, columns + y * size, t);
    UNROLL for (int x = 0; x < size; x++) STORE(target + (y * size + x) * stride, t[x]);
  }
}

// A tile within the volume or its halo, the same normalised, one at the border, and any other.
#define INPUT_TILES(tile)                                                                        \
  OUTLINE void KERNEL(insideTile##tile)(                                                         \
    const Winograd *w, const float *samples, float *target, int64_t stride) {                    \
    transformTile(tile, samples, w->inputRow, w->inputChannels, target, stride);                 \
  }                                                                                              \
  OUTLINE void KERNEL(normalisedTile##tile)(                                                     \
    const Winograd *w, const float *samples, int channel, float *target, int64_t stride) {       \
    normaliseTile(w, tile, samples, channel, target, stride);                                    \
  }                                                                                              \
  OUTLINE void KERNEL(edgeTile##tile)(                                                           \
    const Winograd *w, const float *plane, int y0, int x0, int channel, float *target,           \
    int64_t stride) {                                                                            \
    const int count = w->inputChannels - channel;                                                \
    const bool normalised = w->affine.scale != 0;                                                \
    if (count < LANES)                                                                           \
      edgeTile(w, tile, normalised, plane, y0, x0, channel, count, target, stride);              \
    else if (normalised)                                                                         \
      edgeTile(w, tile, true, plane, y0, x0, channel, LANES, target, stride);                    \
    else edgeTile(w, tile, false, plane, y0, x0, channel, LANES, target, stride);                \
  }                                                                                              \
  OUTLINE void KERNEL(borderTile##tile)(                                                         \
    const Winograd *w, const float *plane, int y0, int x0, int channel, float *target,           \
    int64_t stride) {                                                                            \
    if (w->affine.scale) borderTile(w, tile, true, plane, y0, x0, channel, target, stride);      \
    else borderTile(w, tile, false, plane, y0, x0, channel, target, stride);                     \
  }
INPUT_TILES(2)
INPUT_TILES(4)
#undef INPUT_TILES

// Has a tile's samples fetched.
INLINE void fetchTile(const Winograd *w, const int size, const float *samples) {
  UNROLL for (int y = 0; y < size; y++)
    UNROLL for (int x = 2; x < size; x++)
      __builtin_prefetch(samples + y * w->inputRow + x * w->inputChannels, 0, 2);
}

// Where a tile of 16 output channels goes, of which `count` exist, and what is added to it.
typedef struct {
  const float *residual;  // the first of the tile's, or NULL
  float *output;
  int channel, count;
  int rows, columns;      // of the tile, inside the volume
  Floats bias, sum, squares;
} OutputTile;

// Row y of a tile, whose columns are still to be transformed.
INLINE void finishRow(
  const Winograd *w, const int tile, const bool measured, const Floats *row, int y,
  OutputTile *f) {
  if (y >= f->rows) return;
  Floats values[4];
  outputTransform(tile, row, values);
  UNROLL for (int x = 0; x < tile; x++) values[x] += f->bias;
  if (f->residual) {
    const float *residual = f->residual + y * w->residualRow;
    UNROLL for (int x = 0; x < tile; x++)
      if (x < f->columns) values[x] += loadSome(residual + x * w->outputChannels, f->count);
  }
  if (w->leaky) {
    UNROLL for (int x = 0; x < tile; x++) values[x] = leakyVector(values[x]);
  }
  float *output = f->output + y * w->outputRow;
  if (w->streams) {
    UNROLL for (int x = 0; x < tile; x++)
      if (x < f->columns)
        __builtin_nontemporal_store(values[x], (Aligned *)(output + x * w->outputChannels));
  } else {
    UNROLL for (int x = 0; x < tile; x++)
      if (x < f->columns) storeSome(output + x * w->outputChannels, values[x], f->count);
  }
  if (!measured) return;
  UNROLL for (int x = 0; x < tile; x++) {
    if (x < f->columns) {
      f->sum += values[x];
      f->squares += values[x] * values[x];
    }
  }
}

// The transform of a tile's products, and what follows. Rows are finished in order, which their sums
// depend on.
INLINE void finishTile(
  const Winograd *w, const int tile, const bool measured, const float *products, int64_t stride,
  OutputTile *f, double *moments) {
  const int size = tile + 2;
  Floats rows[4][6];
  UNROLL for (int pair = 0; pair < tile / 2; pair++) {
    UNROLL for (int x = 0; x < size; x++) {
      Floats m[6];
      UNROLL for (int i = 0; i < size; i++)
        m[i] = loadSome(products + (i * size + x) * stride, f->count);
      outputPair(tile, pair, m, &rows[pair][x], &rows[pair + tile / 2][x]);
    }
    finishRow(w, tile, measured, rows[pair], pair, f);
  }
  UNROLL for (int y = tile / 2; y < tile; y++) finishRow(w, tile, measured, rows[y], y, f);
  if (!measured) return;
  // At most 16 values are added in single precision, the rest in double.
  double *sums = moments + f->channel, *squares = sums + w->outputChannels;
  if (f->count >= LANES) {
    *(Doubles *)sums += widen(f->sum);
    *(Doubles *)squares += widen(f->squares);
    return;
  }
  for (int k = 0; k < f->count; k++) {
    sums[k] += f->sum[k];
    squares[k] += f->squares[k];
  }
}

// One tile of 16 output channels, of which `count` exist: the part inside the volume.
INLINE void outputTile(
  const Winograd *w, const int tile, const bool whole, const float *products, int64_t stride, int z,
  int y0, int x0, int channel, double *moments) {
  const int64_t place = (int64_t)x0 * w->outputChannels + channel;
  const int count = w->outputChannels - channel;
  OutputTile f = {
    .residual =
      w->residual ? w->residual + z * w->residualPlane + y0 * w->residualRow + place : 0,
    .output = w->output + z * w->outputPlane + y0 * w->outputRow + place,
    .channel = channel,
    .count = whole || count > LANES ? LANES : count,
    .rows = whole || w->height - y0 > tile ? tile : w->height - y0,
    .columns = whole || w->width - x0 > tile ? tile : w->width - x0};
  f.bias = w->bias ? loadSome(w->bias + channel, f.count) : splat(0);
  if (moments) finishTile(w, tile, true, products, stride, &f, moments);
  else finishTile(w, tile, false, products, stride, &f, moments);
}

#define OUTPUT_TILES(tile)                                                                       \
  OUTLINE void KERNEL(wholeOutput##tile)(                                                        \
    const Winograd *w, const float *products, int64_t stride, int z, int y0, int x0,             \
    int channel, double *moments) {                                                              \
    outputTile(w, tile, true, products, stride, z, y0, x0, channel, moments);                    \
  }                                                                                              \
  OUTLINE void KERNEL(edgeOutput##tile)(                                                         \
    const Winograd *w, const float *products, int64_t stride, int z, int y0, int x0,             \
    int channel, double *moments) {                                                              \
    outputTile(w, tile, false, products, stride, z, y0, x0, channel, moments);                   \
  }
OUTPUT_TILES(2)
OUTPUT_TILES(4)
#undef OUTPUT_TILES

// The gradient of the weights of a 3x3x3 convolution. By minimal filtering it is
// Gᵀ [sum over tiles of (A dy Aᵀ) ⊙ (Bᵀ x B)] G with the transforms of the forward pass, transposed
// where it multiplies: as many multiplications for each tile as the forward pass. Here dy is
// w->output; sums are [frequency or tap][input][output].

// tile output gradients -> size frequencies, along one axis: the transposed outputTransform.
INLINE void gradientTransform(const int tile, const Floats *y, Floats *u) {
  if (tile == 2) {
    u[0] = y[0];
    u[1] = y[0] + y[1];
    u[2] = y[0] - y[1];
    u[3] = -y[1];
    return;
  }
  const Floats even = y[0] + P2 * y[2], odd = P1 * y[1] + P3 * y[3];
  const Floats even2 = y[0] + Q2 * y[2], odd2 = Q1 * y[1] + Q3 * y[3];
  u[0] = y[0];
  u[1] = even + odd;
  u[2] = even - odd;
  u[3] = even2 + odd2;
  u[4] = even2 - odd2;
  u[5] = y[3];
}

// size frequencies -> three taps, along one axis: the transposed weightTransform.
INLINE void tapTransform(const int tile, const Floats *t, Floats *g) {
  const Floats sum = t[1] + t[2], difference = t[1] - t[2];
  if (tile == 2) {
    g[0] = t[0] + 0.5f * sum;
    g[1] = 0.5f * difference;
    g[2] = t[3] + 0.5f * sum;
    return;
  }
  const Floats sum2 = t[3] + t[4], difference2 = t[3] - t[4];
  g[0] = t[0] - (2 / 3.0f) * sum + (1 / 6.0f) * sum2;
  g[1] = (1 / 6.0f * Q1) * difference2 - (2 / 3.0f * P1) * difference;
  g[2] = t[5] - (2 / 3.0f * P2) * sum + (1 / 6.0f * Q2) * sum2;
}

// The transform of a tile of 16 channels, of which `count` exist, from its columns.
INLINE void transformGradient(
  const int tile, const Floats *d, int count, float *target, int64_t stride) {
  const int size = tile + 2;
  Floats columns[24];
  UNROLL for (int x = 0; x < tile; x++) {
    Floats u[6];
    gradientTransform(tile, d + x * tile, u);
    UNROLL for (int y = 0; y < size; y++) columns[y * tile + x] = u[y];
  }
  UNROLL for (int y = 0; y < size; y++) {
    Floats u[6];
    gradientTransform(tile, columns + y * tile, u);
    UNROLL for (int x = 0; x < size; x++)
      storeSome(target + (y * size + x) * stride, u[x], count);
  }
}

INLINE void wholeGradient(
  const Winograd *w, const int tile, const float *samples, int64_t ahead, float *target,
  int64_t stride) {
  Floats d[16];
  UNROLL for (int y = 0; y < tile; y++)
    UNROLL for (int x = 0; x < tile; x++) {
      const float *sample = samples + y * w->outputRow + x * w->outputChannels;
      d[x * tile + y] = LOAD(sample);
      __builtin_prefetch(sample + ahead, 0, 2);
    }
  transformGradient(tile, d, LANES, target, stride);
}

INLINE void edgeGradient(
  const Winograd *w, const int tile, const float *samples, int y0, int x0, int count,
  float *target, int64_t stride) {
  Floats d[16];
  for (int y = 0; y < tile; y++)
    for (int x = 0; x < tile; x++)
      d[x * tile + y] = y0 + y < w->height && x0 + x < w->width
                          ? loadSome(samples + y * w->outputRow + x * w->outputChannels, count)
                          : splat(0);
  transformGradient(tile, d, count, target, stride);
}

#define GRADIENT_TILES(tile)                                                                     \
  OUTLINE void KERNEL(wholeGradient##tile)(                                                      \
    const Winograd *w, const float *samples, int64_t ahead, float *target, int64_t stride) {     \
    wholeGradient(w, tile, samples, ahead, target, stride);                                      \
  }                                                                                              \
  OUTLINE void KERNEL(edgeGradient##tile)(                                                       \
    const Winograd *w, const float *samples, int y0, int x0, int count, float *target,           \
    int64_t stride) {                                                                            \
    edgeGradient(w, tile, samples, y0, x0, count, target, stride);                               \
  }
GRADIENT_TILES(2)
GRADIENT_TILES(4)
#undef GRADIENT_TILES

INLINE void winogradGradientOf(
  const Winograd *w, const int tile, int32_t z, int32_t tile0, int32_t tile1, float *target,
  int64_t stride) {
  const int tiles = (w->width + tile - 1) / tile;
  const float *plane = w->output + z * w->outputPlane;
  const int64_t ahead = z + 1 < w->depth ? w->outputPlane : 0;
  for (int32_t index = tile0; index < tile1; index++, target += w->outputChannels) {
    const int y0 = index / tiles * tile, x0 = index % tiles * tile;
    const bool inside = y0 + tile <= w->height && x0 + tile <= w->width;
    const float *samples = plane + y0 * w->outputRow + (int64_t)x0 * w->outputChannels;
    for (int c = 0; c < w->outputChannels; c += LANES) {
      const int count = w->outputChannels - c;
      if (inside && count >= LANES) {
        if (tile == 4) KERNEL(wholeGradient4)(w, samples + c, ahead, target + c, stride);
        else KERNEL(wholeGradient2)(w, samples + c, ahead, target + c, stride);
      } else if (tile == 4)
        KERNEL(edgeGradient4)(w, samples + c, y0, x0, count, target + c, stride);
      else KERNEL(edgeGradient2)(w, samples + c, y0, x0, count, target + c, stride);
    }
  }
}

static void KERNEL(winogradGradient)(
  const Winograd *w, int32_t z, int32_t tile0, int32_t tile1, float *target, int64_t stride) {
  if (w->tile == 4) winogradGradientOf(w, 4, z, tile0, tile1, target, stride);
  else winogradGradientOf(w, 2, z, tile0, tile1, target, stride);
}

static void KERNEL(gradientProducts)(
  const Winograd *w, int64_t tiles, int32_t z0, int32_t z1, int64_t samples, const float *input,
  int64_t inputStride, const float *gradient, int64_t gradientStride, ChannelBlock block,
  float *sums, bool adds) {
  const int frequencies = (w->tile + 2) * (w->tile + 2), before = z0 > 0 ? z0 - 1 : 0;
  const int64_t a = tiles * w->inputChannels, b = tiles * w->outputChannels;
  OuterProducts p = {
    .aStride = w->inputChannels, .aRow = 1, .aLine = w->depth * a, .bStride = w->outputChannels,
    .bLine = w->depth * b, .lines = samples, .rows = block.input1 - block.input0,
    .columns = block.output1 - block.output0, .sums = sums, .sumsStride = block.stride,
    .adds = adds};
  for (int f = 0; f < frequencies; f++) {
    for (int dz = -1; dz <= 1; dz++, p.sums += (int64_t)p.rows * p.sumsStride) {
      // The slices whose neighbour is in the volume.
      const int first = z0 + dz < 0 ? 1 : z0, end = z1 + dz > w->depth ? w->depth - 1 : z1;
      p.n = end > first ? (end - first) * tiles : 0;
      p.a = input + f * inputStride + (first + dz - before) * a + block.input0;
      p.b = gradient + f * gradientStride + (first - z0) * b + block.output0;
      KERNEL(outerProducts)(&p);
    }
  }
}

static void KERNEL(gradientStrip)(
  const Winograd *w, int32_t tile0, int32_t tile1, int32_t z0, int32_t z1, float *scratch,
  float *sums) {
  const int64_t tiles = tile1 - tile0, frequencies = (w->tile + 2) * (w->tile + 2);
  const int32_t before = z0 > 0 ? z0 - 1 : 0, after = z1 < w->depth ? z1 + 1 : z1;
  const int64_t a = tiles * w->inputChannels, b = tiles * w->outputChannels;
  const int64_t inputStride = (after - before) * a + LANES, stride = (z1 - z0) * b + LANES;
  float *gradient = scratch + frequencies * inputStride;
  for (int32_t z = before; z < after; z++)
    KERNEL(winogradInput)(w, z, tile0, tile1, scratch + (z - before) * a, inputStride);
  for (int32_t z = z0; z < z1; z++)
    KERNEL(winogradGradient)(w, z, tile0, tile1, gradient + (z - z0) * b, stride);
  const ChannelBlock block = {
    0, w->inputChannels, 0, w->outputChannels, (w->outputChannels + LANES - 1) / LANES * LANES};
  KERNEL(gradientProducts)(
    w, tiles, z0, z1, 1, scratch, inputStride, gradient, stride, block, sums, true);
}

enum { PAIRS = 64, INPUTS_OF_BLOCK = 16, OUTPUTS_OF_BLOCK = 32 };

// The pairs of an input and an output gradient that a tap joins are gathered from all samples: small grids
// have lines of a few voxels, which by themselves would be sums that are loaded and stored again.
static void KERNEL(directGradient)(
  const Winograd *samples, int64_t count, ChannelBlock block, float *sums) {
  const int rows = block.input1 - block.input0, columns = block.output1 - block.output0;
  float a[PAIRS * INPUTS_OF_BLOCK], b[PAIRS * OUTPUTS_OF_BLOCK];
  OuterProducts p = {
    .a = a, .aStride = INPUTS_OF_BLOCK, .aRow = 1, .b = b, .bStride = OUTPUTS_OF_BLOCK, .lines = 1,
    .rows = rows, .columns = columns, .sums = sums, .sumsStride = block.stride};
  for (int tap = 0; tap < 27; tap++, p.sums += (int64_t)rows * p.sumsStride) {
    const int dz = tap / 9 - 1, dy = tap / 3 % 3 - 1, dx = tap % 3 - 1;
    p.n = 0;
    p.adds = false;
    for (const Winograd *w = samples; w < samples + count; w++) {
      // The voxels whose neighbour is in the volume.
      for (int z = dz < 0; z < w->depth - (dz > 0); z++)
        for (int y = dy < 0; y < w->height - (dy > 0); y++)
          for (int x = dx < 0; x < w->width - (dx > 0); x++) {
            const float *input = w->input + (z + dz) * w->inputPlane + (y + dy) * w->inputRow
                                 + (int64_t)(x + dx) * w->inputChannels + block.input0;
            const float *gradient = w->output + z * w->outputPlane + y * w->outputRow
                                    + (int64_t)x * w->outputChannels + block.output0;
            STORE(a + p.n * INPUTS_OF_BLOCK, loadSome(input, rows));
            STORE(b + p.n * OUTPUTS_OF_BLOCK, loadSome(gradient, columns));
            if (columns > LANES)
              STORE(
                b + p.n * OUTPUTS_OF_BLOCK + LANES, loadSome(gradient + LANES, columns - LANES));
            if (++p.n < PAIRS) continue;
            KERNEL(outerProducts)(&p);
            p.n = 0;
            p.adds = true;
          }
    }
    if (p.n > 0 || !p.adds) KERNEL(outerProducts)(&p);
  }
}

// One row of voxels, one input, lines [line, line + lines) of three taps each.
INLINE void narrowLines(
  const int lines, const float *const *input, int64_t step, const float *gradient,
  int64_t outputs, int64_t n, int count, float *sums, int64_t tapStride) {
  Floats sum[27];
  UNROLL for (int i = 0; i < 3 * lines; i++) sum[i] = splat(0);
  for (int64_t x = 0; x < n; x++) {
    const Floats y = loadSome(gradient + x * outputs, count);
    UNROLL for (int i = 0; i < 3 * lines; i++) sum[i] += input[i / 3][(x + i % 3) * step] * y;
  }
  UNROLL for (int i = 0; i < 3 * lines; i++) {
    float *target = sums + i * tapStride;
    STORE(target, LOAD(target) + sum[i]);
  }
}

static void KERNEL(narrowGradient)(
  const Winograd *w, int64_t row0, int64_t row1, float *sums) {
  const int64_t stride = (w->outputChannels + LANES - 1) / LANES * LANES;
  const int64_t tapStride = w->inputChannels * stride;
  for (int64_t row = row0; row < row1; row++) {
    const int64_t z = row / w->height, y = row % w->height;
    for (int c = 0; c < w->outputChannels; c += LANES) {
      const float *gradient = w->output + z * w->outputPlane + y * w->outputRow + c;
      for (int i = 0; i < w->inputChannels; i++) {
        const float *lines[9];
        for (int line = 0; line < 9; line++)
          lines[line] = w->input + (z + line / 3 - 1) * w->inputPlane
                        + (y + line % 3 - 1) * w->inputRow + i - w->inputChannels;
        for (int line = 0; line < 9; line += NARROW_LINES)
          narrowLines(
            NARROW_LINES, lines + line, w->inputChannels, gradient, w->outputChannels, w->width,
            w->outputChannels - c, sums + 3 * line * tapStride + i * stride + c, tapStride);
      }
    }
  }
}

// The 27 taps of one input and 16 outputs from the sums of all parts.
INLINE void tapsOf(
  const GradientSums *s, const int tile, const float *sums, Floats *taps) {
  const int size = tile + 2;
  for (int z = 0; z < 3; z++) {
    Floats m[36], columns[18];
    for (int f = 0; f < size * size; f++) {
      const float *place = sums + (f * 3 + z) * s->tapStride;
      m[f] = LOAD(place);
      for (int32_t part = 1; part < s->parts; part++) m[f] += LOAD(place + part * s->partStride);
    }
    UNROLL for (int x = 0; x < size; x++) {
      Floats t[6], g[3];
      UNROLL for (int y = 0; y < size; y++) t[y] = m[y * size + x];
      tapTransform(tile, t, g);
      UNROLL for (int y = 0; y < 3; y++) columns[y * size + x] = g[y];
    }
    UNROLL for (int y = 0; y < 3; y++) tapTransform(tile, columns + y * size, taps + z * 9 + y * 3);
  }
}

// The taps of one input and the 16 outputs from `sums` on, a line of 27 in each of the first `count` rows.
INLINE void storeTaps(
  const GradientSums *s, const float *sums, int64_t count, float *target, int64_t rowStride) {
  Floats taps[27], low[LANES], high[LANES];
  if (s->tile == 4) tapsOf(s, 4, sums, taps);
  else if (s->tile == 2) tapsOf(s, 2, sums, taps);
  else
    for (int t = 0; t < 27; t++) {
      taps[t] = LOAD(sums + t * s->tapStride);
      for (int32_t part = 1; part < s->parts; part++)
        taps[t] += LOAD(sums + t * s->tapStride + part * s->partStride);
    }
  UNROLL for (int t = 0; t < LANES; t++) low[t] = taps[t], high[t] = taps[t + 11];
  transpose(low);
  transpose(high);
  for (int lane = 0; lane < LANES && lane < count; lane++, target += rowStride) {
    STORE(target, low[lane]);
    STORE(target + 11, high[lane]);
  }
}

// Rows of sixteen inputs are whole cache lines, which are written once, and need not be fetched for it.
static void KERNEL(gradientTaps)(
  const GradientSums *s, int64_t inputs, int64_t outputs, int64_t outputStride,
  float *gradient) {
  enum { ROW = INPUTS_OF_BLOCK * 27, ROW_STRIDE = ROW + LANES };
  const bool streams = inputs == INPUTS_OF_BLOCK && ((uintptr_t)gradient & 63) == 0
                       && outputStride % LANES == 0;
  Aligned rows[LANES * ROW_STRIDE / LANES];
  for (int64_t output = 0; output < outputs; output += LANES) {
    const int64_t count = outputs - output < LANES ? outputs - output : LANES;
    float *target = gradient + output * outputStride;
    for (int64_t input = 0; input < inputs; input++) {
      const float *sums = s->sums + input * s->inputStride + output;
      if (streams) storeTaps(s, sums, count, (float *)rows + input * 27, ROW_STRIDE);
      else storeTaps(s, sums, count, target + input * 27, outputStride);
    }
    for (int64_t lane = 0; streams && lane < count; lane++, target += outputStride)
      for (int i = 0; i < ROW / LANES; i++)
        __builtin_nontemporal_store(
          rows[lane * ROW_STRIDE / LANES + i], (Aligned *)target + i);
  }
}

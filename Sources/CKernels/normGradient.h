// Gradients of normalisations over rows of channels, with LeakyReLU after them.

// 16 channels of one row's gradient before LeakyReLU. Its slope follows from its output's sign, or
// from its input's, which is computed again.
INLINE Floats gradientBefore(
  const NormGradient *g, const int mask, int64_t place, Floats x, Floats mean, Floats scale,
  Floats shift, int count) {
  const Floats gradient = loadSome(g->gradient + place, count);
  if (mask == 1)
    return choose(loadSome(g->output + place, count) > 0, gradient, gradient * slope);
  if (mask == 2) return choose((x - mean) * scale + shift > 0, gradient, gradient * slope);
  return gradient;
}

// Sixteen rows at a time in single precision, these in double.
INLINE void normSumsOf(
  const NormGradient *g, const int mask, int64_t row0, int64_t row1, int c, const int count,
  double *sums) {
  const Floats mean = loadSome(g->affine.mean + c, count);
  const Floats scale = loadSome(g->affine.scale + c, count);
  const Floats shift = loadSome(g->affine.shift + c, count);
  Doubles sum = {0}, product = {0};
  for (int64_t first = row0; first < row1; first += 16) {
    const int64_t end = first + 16 < row1 ? first + 16 : row1;
    Floats a = {0}, b = {0};
    for (int64_t row = first; row < end; row++) {
      const int64_t place = row * g->channels + c;
      const Floats x = loadSome(g->input + place, count);
      const Floats y = gradientBefore(g, mask, place, x, mean, scale, shift, count);
      a += y;
      b += y * (x - mean);
    }
    sum += widen(a);
    product += widen(b);
  }
  for (int k = 0; k < count; k++) sums[c + k] += sum[k], sums[g->channels + c + k] += product[k];
}

INLINE void normGradientOf(
  const NormGradient *g, const int mask, int64_t row0, int64_t row1, int c, const int count) {
  const bool streams = count >= LANES && g->streams;
  const Floats mean = loadSome(g->affine.mean + c, count);
  const Floats scale = loadSome(g->affine.scale + c, count);
  const Floats shift = loadSome(g->affine.shift + c, count);
  const Floats a = loadSome(g->factors + c, count);
  const Floats b = loadSome(g->factors + g->channels + c, count);
  const Floats d = loadSome(g->factors + 2 * g->channels + c, count);
  for (int64_t row = row0; row < row1; row++) {
    const int64_t place = row * g->channels + c;
    const Floats x = loadSome(g->input + place, count);
    const Floats y = gradientBefore(g, mask, place, x, mean, scale, shift, count);
    if (g->before) storeSome(g->before + place, y, count);
    const Floats dx = y * a - b - (x - mean) * d;
    if (streams) __builtin_nontemporal_store(dx, (Aligned *)(g->result + place));
    else storeSome(g->result + place, dx, count);
  }
}

#define FOR_EACH_MASK(call)            \
  if (g->mask == 1) call(1);           \
  else if (g->mask == 2) call(2);      \
  else call(0);

static void KERNEL(normSums)(const NormGradient *g, int64_t row0, int64_t row1, double *sums) {
  for (int c = 0; c < g->channels; c += LANES) {
    const int count = g->channels - c;
#define WHOLE(mask) normSumsOf(g, mask, row0, row1, c, LANES, sums)
#define SOME(mask) normSumsOf(g, mask, row0, row1, c, count, sums)
    if (count >= LANES) {
      FOR_EACH_MASK(WHOLE)
    } else {
      FOR_EACH_MASK(SOME)
    }
#undef WHOLE
#undef SOME
  }
}

static void KERNEL(normGradient)(const NormGradient *g, int64_t row0, int64_t row1) {
  for (int c = 0; c < g->channels; c += LANES) {
    const int count = g->channels - c;
#define WHOLE(mask) normGradientOf(g, mask, row0, row1, c, LANES)
#define SOME(mask) normGradientOf(g, mask, row0, row1, c, count)
    if (count >= LANES) {
      FOR_EACH_MASK(WHOLE)
    } else {
      FOR_EACH_MASK(SOME)
    }
#undef WHOLE
#undef SOME
  }
}

// LayerNorm's mean and deviation are computed again, row by row. Sums of 32 rows in single
// precision, these in double.
static void KERNEL(layerNormGradient)(
  const float *input, const float *gradient, const float *weight, int64_t n, int32_t channels,
  float *result, float *position, bool adds, double *sums) {
  Floats total[MOST_CHANNELS / LANES], products[MOST_CHANNELS / LANES];
  const int blocks = (channels + LANES - 1) / LANES;
  const float share = 1.0f / channels;
  for (int64_t first = 0; first < n; first += 32) {
    const int64_t end = first + 32 < n ? first + 32 : n;
    for (int k = 0; k < blocks; k++) total[k] = products[k] = splat(0);
    for (int64_t row = first; row < end; row++) {
      const int64_t line = row * channels;
      Floats sum = {0}, squares = {0}, sumOfGradient = {0}, product = {0};
      for (int c = 0; c < channels; c += LANES) sum += loadSome(input + line + c, channels - c);
      const Floats mean = sumOfLanes(sum) * share;
      for (int c = 0; c < channels; c += LANES) {
        const int count = channels - c;
        Floats d = loadSome(input + line + c, count) - mean;
        if (count < LANES)
          for (int k = count; k < LANES; k++) d[k] = 0;
        const Floats y = loadSome(gradient + line + c, count);
        const Floats weighted = y * loadSome(weight + c, count);
        squares += d * d;
        sumOfGradient += weighted;
        product += weighted * d;
      }
      const Floats variance = sumOfLanes(squares) * share;
      const float inverse = 1 / sqrtf(variance[0] + epsilon);
      const Floats meanGradient = sumOfLanes(sumOfGradient) * share;
      const Floats along = sumOfLanes(product) * (share * inverse * inverse);
      for (int c = 0, k = 0; c < channels; c += LANES, k++) {
        const int count = channels - c;
        const Floats d = loadSome(input + line + c, count) - mean;
        const Floats y = loadSome(gradient + line + c, count);
        total[k] += y;
        products[k] += y * d * inverse;
        const Floats dx =
          (y * loadSome(weight + c, count) - meanGradient - d * along) * inverse
          + loadSome(result + line + c, count);
        storeSome(result + line + c, dx, count);
        if (position)
          storeSome(
            position + line + c, adds ? loadSome(position + line + c, count) + dx : dx, count);
      }
    }
    for (int c = 0; c < channels; c++) {
      sums[c] += total[c / LANES][c % LANES];
      sums[channels + c] += products[c / LANES][c % LANES];
    }
  }
}

// result = x * factors [+ residual], n rows.
static void KERNEL(scaleRows)(
  const float *x, const float *factors, const float *residual, int64_t n, int32_t channels,
  float *result) {
  for (int c = 0; c < channels; c += LANES) {
    const int count = channels - c;
    const Floats factor = loadSome(factors + c, count);
    for (int64_t i = c; i < n * channels; i += channels) {
      Floats y = loadSome(x + i, count) * factor;
      if (residual) y += loadSome(residual + i, count);
      storeSome(result + i, y, count);
    }
  }
}

// result = gradient * factors; sums[c] += sum over rows of gradient * x.
static void KERNEL(scaleGradient)(
  const float *gradient, const float *x, const float *factors, int64_t n, int32_t channels,
  float *result, double *sums) {
  for (int c = 0; c < channels; c += LANES) {
    const int count = channels - c;
    const Floats factor = loadSome(factors + c, count);
    Doubles sum = {0};
    for (int64_t first = 0; first < n; first += 16) {
      const int64_t end = first + 16 < n ? first + 16 : n;
      Floats part = {0};
      for (int64_t i = first * channels + c; i < end * channels; i += channels) {
        const Floats y = loadSome(gradient + i, count);
        part += y * loadSome(x + i, count);
        storeSome(result + i, y * factor, count);
      }
      sum += widen(part);
    }
    for (int k = 0; k < LANES && k < count; k++) sums[c + k] += sum[k];
  }
}

// result += x.
static void KERNEL(add)(const float *x, int64_t n, float *result) {
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) STORE(result + i, LOAD(result + i) + LOAD(x + i));
  for (; i < n; i++) result[i] += x[i];
}

// The gradient of the spatial attention, its probabilities computed again, and of the last layer.

enum { TOKENS_OF_CHUNK = 128, GROUPS = TOKENS_OF_CHUNK / LANES };

// Columns of n rows: columns[c*stride + row], zero up to a multiple of 16 rows.
static void KERNEL(toColumns)(
  const float *rows, int64_t n, int32_t channels, float *columns, int64_t stride) {
  for (int64_t row = 0; row < n; row += LANES) {
    const int some = n - row < LANES ? (int)(n - row) : LANES;
    for (int32_t c = 0; c < channels; c += LANES) {
      const int count = channels - c < LANES ? channels - c : LANES;
      Floats block[LANES];
      loadColumns(rows + row * channels + c, channels, some, count, block);
      if (count == LANES) {
        UNROLL for (int i = 0; i < LANES; i++) STORE(columns + (c + i) * stride + row, block[i]);
      } else {
        for (int i = 0; i < count; i++) STORE(columns + (c + i) * stride + row, block[i]);
      }
    }
  }
}

static void KERNEL(toRows)(
  const float *columns, int64_t stride, int64_t n, int32_t channels, float *rows) {
  for (int64_t row = 0; row < n; row += LANES) {
    const int some = n - row < LANES ? (int)(n - row) : LANES;
    for (int32_t c = 0; c < channels; c += LANES) {
      const int count = channels - c < LANES ? channels - c : LANES;
      Floats block[LANES];
      if (some == LANES && count == LANES) {
        UNROLL for (int i = 0; i < LANES; i++) block[i] = LOAD(columns + (c + i) * stride + row);
        transpose(block);
        UNROLL for (int i = 0; i < LANES; i++) STORE(rows + (row + i) * channels + c, block[i]);
        continue;
      }
      for (int i = 0; i < LANES; i++)
        block[i] = i < count ? LOAD(columns + (c + i) * stride + row) : splat(0);
      transpose(block);
      for (int i = 0; i < some; i++) storeSome(rows + (row + i) * channels + c, block[i], count);
    }
  }
}

// 16 tokens of one head: probabilities and gradients of the logits to [p][GROUPS], and dq.
INLINE void attendGroup(
  const Floats *queries, const Floats *gradient, const float *keys, const float *values,
  int32_t d, int32_t projection, Floats *probabilities, Floats *logits, float *queryGradient,
  int64_t stride) {
  Floats weights[MOST_PROJECTION], slopes[MOST_PROJECTION];
  const Floats largest = attentionLogits(queries, keys, d, projection, weights);
  attentionLogits(gradient, values, d, projection, slopes);
  Floats sum = splat(0), mean = splat(0);
  for (int32_t p = 0; p < projection; p++) {
    weights[p] = exponential(weights[p] - largest);
    sum += weights[p];
    mean += weights[p] * slopes[p];
  }
  const Floats scale = 1.0f / sum;
  mean *= scale;
  for (int32_t p = 0; p < projection; p++) {
    const Floats w = weights[p] * scale;
    probabilities[p * GROUPS] = w;
    logits[p * GROUPS] = w * (slopes[p] - mean);
  }
  for (int32_t j = 0; j < d; j += 8) {
    Floats result[8];
    UNROLL for (int i = 0; i < 8; i++) result[i] = splat(0);
    const int some = d - j < 8 ? d - j : 8;
    if (some == 8) {
      for (int32_t p = 0; p < projection; p++)
        UNROLL for (int i = 0; i < 8; i++)
          result[i] += logits[p * GROUPS] * keys[(j + i) * projection + p];
    } else {
      for (int32_t p = 0; p < projection; p++)
        for (int i = 0; i < some; i++)
          result[i] += logits[p * GROUPS] * keys[(j + i) * projection + p];
    }
    for (int i = 0; i < some; i++) STORE(queryGradient + (j + i) * stride, result[i]);
  }
}

// sums[j*columns + p] = (or +=) a[j] * b[p] in each lane, over `groups` vectors of tokens.
INLINE void addTile(
  const int rows, const int columns, const float *a, int64_t stride, const Floats *b,
  int groups, bool adds, Floats *sums, int64_t rowStride) {
  Floats sum[16];
  if (adds) {
    UNROLL for (int i = 0; i < rows * columns; i++)
      sum[i] = sums[i / columns * rowStride + i % columns];
  } else {
    UNROLL for (int i = 0; i < rows * columns; i++) sum[i] = splat(0);
  }
  for (int g = 0; g < groups; g++)
    UNROLL for (int i = 0; i < rows * columns; i++)
      sum[i] += LOAD(a + i / columns * stride + g * LANES) * b[i % columns * GROUPS + g];
  UNROLL for (int i = 0; i < rows * columns; i++)
    sums[i / columns * rowStride + i % columns] = sum[i];
}

INLINE void addOuter(
  const float *a, int64_t stride, int32_t d, const Floats *b, int32_t projection, int groups,
  bool adds, Floats *sums) {
  int32_t j = 0;
  for (; j + OUTER_LANES <= d; j += OUTER_LANES) {
    int32_t p = 0;
    for (; p + 4 <= projection; p += 4)
      addTile(
        OUTER_LANES, 4, a + j * stride, stride, b + p * GROUPS, groups, adds,
        sums + j * projection + p, projection);
    for (; p < projection; p++)
      addTile(
        OUTER_LANES, 1, a + j * stride, stride, b + p * GROUPS, groups, adds,
        sums + j * projection + p, projection);
  }
  for (; j < d; j++)
    for (int32_t p = 0; p < projection; p++)
      addTile(
        1, 1, a + j * stride, stride, b + p * GROUPS, groups, adds, sums + j * projection + p,
        projection);
}

// sums[i] = the sum of the lanes of values[i], in the order of sumOfLanes.
INLINE void addLanes(const Floats *values, int64_t count, float *sums) {
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES) {
    Floats lanes[LANES];
    UNROLL for (int k = 0; k < LANES; k++) lanes[k] = values[i + k];
    transpose(lanes);
    UNROLL for (int half = LANES / 2; half > 0; half /= 2)
      UNROLL for (int k = 0; k < half; k++) lanes[k] += lanes[k + half];
    STORE(sums + i, lanes[0]);
  }
  for (; i < count; i++) sums[i] = sumOfLanes(values[i])[0];
}

static void KERNEL(attendGradient)(const AttendGradient *a, int64_t n, float *scratch) {
  const int32_t d = a->d, projection = a->projection, channels = a->heads * d;
  const int64_t padded = (n + LANES - 1) / LANES * LANES, flat = (int64_t)d * projection;
  float *queries = scratch, *queryGradient = queries + channels * padded;
  Floats *gradients = (Floats *)(queryGradient + channels * padded);  // [d][GROUPS] of dO
  Floats *probabilities = gradients + d * GROUPS;
  Floats *logits = probabilities + projection * GROUPS;
  Floats *keySums = logits + projection * GROUPS, *valueSums = keySums + flat;
  KERNEL(toColumns)(a->queries, n, channels, queries, padded);
  for (int32_t head = 0; head < a->heads; head++) {
    const float *keys = a->keys + head * flat, *values = a->values + head * flat;
    for (int64_t first = 0; first < n; first += TOKENS_OF_CHUNK) {
      const int64_t left = n - first < TOKENS_OF_CHUNK ? n - first : TOKENS_OF_CHUNK;
      const int groups = (int)((left + LANES - 1) / LANES);
      const float *here = queries + head * d * padded + first;
      for (int g = 0; g < groups; g++) {
        const int count = left - g * LANES < LANES ? (int)(left - g * LANES) : LANES;
        Floats q[MOST_CHANNELS], o[MOST_CHANNELS];
        for (int32_t j = 0; j < d; j++) {
          q[j] = LOAD(here + j * padded + g * LANES);
          o[j] = loadSome(
            a->gradient + ((int64_t)j * a->heads + head) * a->tokens + first + g * LANES, count);
          gradients[j * GROUPS + g] = o[j];
        }
        attendGroup(
          q, o, keys, values, d, projection, probabilities + g, logits + g,
          queryGradient + head * d * padded + first + g * LANES, padded);
      }
      addOuter(here, padded, d, logits, projection, groups, first > 0, keySums);
      addOuter(
        (const float *)gradients, GROUPS * LANES, d, probabilities, projection, groups, first > 0,
        valueSums);
    }
    addLanes(keySums, flat, a->keySums + head * flat);
    addLanes(valueSums, flat, a->valueSums + head * flat);
  }
  KERNEL(toRows)(queryGradient, padded, n, channels, a->queryGradient);
}

// Classes [class0, class0 + classes) of the head's gradient, 16 channels of n voxels.
INLINE void headGradientOf(
  const HeadGradient *h, const int classes, int32_t class0, int c, const int count, int64_t n,
  float *sums) {
  Floats weights[8], sum[8];
  UNROLL for (int k = 0; k < classes; k++) {
    weights[k] = loadSome(h->weights + (class0 + k) * h->channels + c, count);
    sum[k] = splat(0);
  }
  const float *logits = h->gradient + class0 * h->plane;
  const bool adds = h->adds || class0 > 0;
  for (int64_t i = 0; i < n; i++) {
    const Floats x = loadSome(h->values + i * h->channels + c, count);
    float *target = h->result + i * h->channels + c;
    Floats y = adds ? loadSome(target, count) : splat(0);
    UNROLL for (int k = 0; k < classes; k++) {
      const float g = logits[k * h->plane + i];
      y += g * weights[k];
      sum[k] += g * x;
    }
    storeSome(target, y, count);
  }
  UNROLL for (int k = 0; k < classes; k++)
    storeSome(sums + (class0 + k) * h->channels + c, sum[k], count);
}

static void KERNEL(headGradient)(const HeadGradient *h, int64_t n, float *sums) {
  for (int c = 0; c < h->channels; c += LANES) {
    const int count = h->channels - c;
    int32_t k = 0;
#define CLASSES(some)                                                              \
  for (; k + some <= h->classes; k += some) {                                      \
    if (count >= LANES) headGradientOf(h, some, k, c, LANES, n, sums);             \
    else headGradientOf(h, some, k, c, count, n, sums);                            \
  }
    CLASSES(4)
    CLASSES(1)
#undef CLASSES
  }
  for (int32_t k = 0; k < h->classes; k++) {
    const float *logits = h->gradient + k * h->plane;
    Floats sum = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) sum += LOAD(logits + i);
    float total = sumOfLanes(sum)[0];
    for (; i < n; i++) total += logits[i];
    sums[h->classes * h->channels + k] = total;
  }
}

// Attention over a block of tokens, and the last layer. Sixteen tokens or voxels are in the lanes, so
// that sums and the largest of a row need no exchange between lanes.

// result[h][i][j] = sum over n tokens of a[h*d+i] * b[h*d+j]: the products of equal heads only.
static void KERNEL(headProducts)(
  const float *a, const float *b, int64_t n, int32_t channels, int32_t d, float *result) {
  for (int32_t column = 0; column < channels; column += LANES) {
    const int count = channels - column < LANES ? channels - column : LANES;
    const int32_t row1 = ((column + count - 1) / d + 1) * d;
    for (int32_t row = column / d * d; row < row1; row += LANES) {
      Floats sum[LANES];
      UNROLL for (int i = 0; i < LANES; i++) sum[i] = splat(0);
      const int rows = row1 - row < LANES ? row1 - row : LANES;
      if (rows == LANES && count == LANES) {
        for (int64_t t = 0; t < n; t++) {
          const Floats y = LOAD(b + t * channels + column);
          UNROLL for (int i = 0; i < LANES; i++) sum[i] += a[t * channels + row + i] * y;
        }
      } else {
        for (int64_t t = 0; t < n; t++) {
          const Floats y = loadSome(b + t * channels + column, count);
          for (int i = 0; i < rows; i++) sum[i] += a[t * channels + row + i] * y;
        }
      }
      for (int i = 0; i < rows; i++)
        for (int k = 0; k < count; k++)
          if ((row + i) / d == (column + k) / d)
            result[(row + i) * d + (column + k) % d] = sum[i][k];
    }
  }
}

OUTLINE void loadSomeColumns(
  const float *rows, int64_t stride, int tokens, int count, Floats *columns) {
  Floats block[LANES];
  for (int i = 0; i < LANES; i++)
    block[i] = i < tokens ? loadSome(rows + i * stride, count) : splat(0);
  transpose(block);
  for (int i = 0; i < count; i++) columns[i] = block[i];
}

// `tokens` <= 16 rows of `channels` values, a token in each lane: columns[c].
INLINE void loadColumns(
  const float *rows, int64_t stride, int tokens, int32_t channels, Floats *columns) {
  for (int32_t c = 0; c < channels; c += LANES) {
    const int count = channels - c < LANES ? channels - c : LANES;
    if (tokens < LANES || count < LANES) {
      loadSomeColumns(rows + c, stride, tokens, count, columns + c);
      continue;
    }
    Floats block[LANES];
    UNROLL for (int i = 0; i < LANES; i++) block[i] = LOAD(rows + i * stride + c);
    transpose(block);
    UNROLL for (int i = 0; i < LANES; i++) columns[c + i] = block[i];
  }
}

// Logits of `projection` keys for 16 tokens of one head; returns the largest of each token.
INLINE Floats attentionLogits(
  const Floats *queries, const float *keys, int32_t d, int32_t projection, Floats *logits) {
  Floats largest = splat(-INFINITY);
  int32_t p = 0;
  for (; p + 8 <= projection; p += 8) {
    Floats sum[8];
    UNROLL for (int i = 0; i < 8; i++) sum[i] = splat(0);
    for (int32_t j = 0; j < d; j++)
      UNROLL for (int i = 0; i < 8; i++) sum[i] += queries[j] * keys[j * projection + p + i];
    UNROLL for (int i = 0; i < 8; i++) {
      logits[p + i] = sum[i];
      largest = choose(sum[i] > largest, sum[i], largest);
    }
  }
  for (; p < projection; p++) {
    Floats sum = splat(0);
    for (int32_t j = 0; j < d; j++) sum += queries[j] * keys[j * projection + p];
    logits[p] = sum;
    largest = choose(sum > largest, sum, largest);
  }
  return largest;
}

// output[j][head][token] = softmax(queries · keys) · values; keys and values [head][d][projection].
static void KERNEL(attend)(
  const float *queries, int64_t n, const float *keys, const float *values, int32_t heads,
  int32_t d, int32_t projection, float *output, int64_t tokens) {
  Floats columns[MOST_CHANNELS], weights[MOST_PROJECTION];
  const int32_t channels = heads * d;
  for (int64_t first = 0; first < n; first += LANES) {
    const int count = n - first < LANES ? (int)(n - first) : LANES;
    loadColumns(queries + first * channels, channels, count, channels, columns);
    for (int32_t head = 0; head < heads; head++) {
      const float *value = values + (int64_t)head * d * projection;
      const Floats largest = attentionLogits(
        columns + head * d, keys + (int64_t)head * d * projection, d, projection, weights);
      Floats sum = splat(0);
      for (int32_t p = 0; p < projection; p++) {
        weights[p] = exponential(weights[p] - largest);
        sum += weights[p];
      }
      const Floats scale = 1.0f / sum;
      for (int32_t j = 0; j < d; j += 8) {
        Floats result[8];
        UNROLL for (int i = 0; i < 8; i++) result[i] = splat(0);
        const int some = d - j < 8 ? d - j : 8;
        if (some == 8) {
          for (int32_t p = 0; p < projection; p++)
            UNROLL for (int i = 0; i < 8; i++)
              result[i] += weights[p] * value[(j + i) * projection + p];
        } else {
          for (int32_t p = 0; p < projection; p++)
            for (int i = 0; i < some; i++)
              result[i] += weights[p] * value[(j + i) * projection + p];
        }
        for (int i = 0; i < some; i++)
          storeSome(
            output + ((int64_t)(j + i) * heads + head) * tokens + first, result[i] * scale, count);
      }
    }
  }
}

// LeakyReLU(affine(values) + residual) of `count` <= 16 voxels, of channels [c, c + some).
INLINE void activateRows(
  const float *values, const float *residual, ChannelAffine a, int count, int32_t channels,
  int32_t c, int some, float *rows) {
  const Floats mean = loadSome(a.mean + c, some), scale = loadSome(a.scale + c, some);
  const Floats shift = loadSome(a.shift + c, some);
  for (int i = 0; i < count; i++) {
    const int64_t place = i * channels + c;
    Floats x = (loadSome(values + place, some) - mean) * scale + shift
               + loadSome(residual + place, some);
    storeSome(rows + place, leakyVector(x), some);
  }
}
OUTLINE void activateSomeRows(
  const float *values, const float *residual, ChannelAffine a, int count, int32_t channels,
  int32_t c, int some, float *rows) {
  activateRows(values, residual, a, count, channels, c, some, rows);
}

// planar[k*plane + voxel] = bias[k] + weights[k] · LeakyReLU(affine(values) + residual), n voxels, or
// of the values themselves.
static void KERNEL(head)(
  const float *values, const float *residual, ChannelAffine a, const float *weights,
  const float *bias, int64_t n, int32_t channels, int32_t classes, float *planar, int64_t plane) {
  Floats columns[MOST_CHANNELS];
  for (int64_t first = 0; first < n; first += LANES) {
    const int count = n - first < LANES ? (int)(n - first) : LANES;
    float rows[LANES * MOST_CHANNELS];
    for (int32_t c = 0; residual && c < channels; c += LANES) {
      const float *x = values + first * channels, *add = residual + first * channels;
      if (channels - c >= LANES) activateRows(x, add, a, count, channels, c, LANES, rows);
      else activateSomeRows(x, add, a, count, channels, c, channels - c, rows);
    }
    loadColumns(
      residual ? rows : values + first * channels, channels, count, channels, columns);
    for (int32_t k = 0; k < classes; k++) {
      Floats even = splat(bias[k]), odd = splat(0);  // two chains of sums
      int32_t c = 0;
      for (; c + 2 <= channels; c += 2) {
        even += columns[c] * weights[k * channels + c];
        odd += columns[c + 1] * weights[k * channels + c + 1];
      }
      if (c < channels) even += columns[c] * weights[k * channels + c];
      storeSome(planar + k * plane + first, even + odd, count);
    }
  }
}

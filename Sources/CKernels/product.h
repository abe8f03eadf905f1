// Products of rows with a small matrix of weights: register tiles of `rows` rows and `vectors` x 16
// columns, inputs broadcast, weights streamed.

INLINE void accumulate(
  const int rows, const int vectors, const float *input, int64_t inputStride, int64_t inner,
  const float *weights, Floats sum[][2]) {
  for (int64_t j = 0; j < inner; j++) {
    Floats w0 = LOAD(weights), w1 = vectors > 1 ? LOAD(weights + LANES) : w0;
    UNROLL for (int v = 0; v < rows; v++) {
      float x = input[v * inputStride + j];
      sum[v][0] += x * w0;
      if (vectors > 1) sum[v][1] += x * w1;
    }
    weights += vectors * LANES;
  }
}

// `rows` rows from `row` of one block of columns, of which `count` exist.
INLINE void productRows(
  const Product *p, const int rows, const int vectors, int64_t row, int32_t block, int count) {
  const int column = block * p->lanes;
  Floats sum[TILE16][2];
  UNROLL for (int v = 0; v < rows; v++)
    UNROLL for (int k = 0; k < vectors; k++) sum[v][k] = splat(0);
  accumulate(
    rows, vectors, p->input + row * p->inputStride, p->inputStride, p->inner,
    p->weights + (int64_t)block * p->inner * p->lanes, sum);
  int64_t line = row / p->lineLength, place = row % p->lineLength;
  UNROLL for (int v = 0; v < rows; v++) {
    float *output = p->output + line * p->outputLine + place * p->outputStride + column;
    const float *residual = p->residual
                              ? p->residual + line * p->residualLine + place * p->residualStride
                                  + column
                              : 0;
    const float *extra = p->extra ? p->extra + (row + v) * p->extraStride + column : 0;
    UNROLL for (int k = 0; k < vectors; k++) {
      const int some = count - k * LANES;
      if (some <= 0) break;
      Floats value = sum[v][k];
      if (p->bias) value += loadSome(p->bias + column + k * LANES, some);
      if (extra) value += loadSome(extra + k * LANES, some);
      if (p->scale) value *= loadSome(p->scale + column + k * LANES, some);
      if (residual) value += loadSome(residual + k * LANES, some);
      storeSome(output + k * LANES, value, some);
    }
    if (++place == p->lineLength) place = 0, line++;
  }
}

INLINE void productBlock(
  const Product *p, const int tallest, const int vectors, int64_t row0, int64_t row1,
  int32_t block) {
  const int count = p->columns - block * p->lanes;
  int64_t row = row0;
#define ROWS(height) \
  for (; row + height <= row1; row += height) productRows(p, height, vectors, row, block, count);
  ROWS(tallest)
  if (tallest > 8) ROWS(8)
  if (tallest > 4) ROWS(4)
  ROWS(1)
#undef ROWS
}

static void KERNEL(product)(const Product *p, int64_t row0, int64_t row1) {
  const int blocks = (p->columns + p->lanes - 1) / p->lanes;
  for (int32_t block = 0; block < blocks; block++) {
    if (WIDEST == 32 && p->lanes == 32) productBlock(p, PRODUCT32, 2, row0, row1, block);
    else productBlock(p, TILE16, 1, row0, row1, block);
  }
}

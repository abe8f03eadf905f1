// Sums of outer products of rows, the gradient of weights: register tiles of `rows` rows of a and
// `vectors` x 16 columns of b, a broadcast, b streamed.

INLINE void outerTile(
  const OuterProducts *p, const int rows, const int vectors, const bool whole, const bool isDense,
  const float *a, const float *b, int count, float *sums) {
  Floats sum[16][2];
  UNROLL for (int v = 0; v < rows; v++)
    UNROLL for (int k = 0; k < vectors; k++) sum[v][k] = splat(0);
  int64_t left = p->linesOfSlice;
  for (int64_t line = 0; line < p->lines; line++) {
    const float *x = a, *y = b;
    for (int64_t i = 0; i < p->n; i++, x += p->aStride, y += p->bStride) {
      Floats y0 = whole || vectors > 1 ? LOAD(y) : loadSome(y, count), y1 = y0;
      if (vectors > 1) y1 = whole ? LOAD(y + LANES) : loadSome(y + LANES, count - LANES);
      UNROLL for (int v = 0; v < rows; v++) {
        const float factor = x[isDense ? v : v * p->aRow];
        sum[v][0] += factor * y0;
        if (vectors > 1) sum[v][1] += factor * y1;
      }
    }
    a += p->aLine;
    b += p->bLine;
    if (--left == 0) b += p->bJump, left = p->linesOfSlice;
  }
  UNROLL for (int v = 0; v < rows; v++) {
    UNROLL for (int k = 0; k < vectors; k++) {
      float *target = sums + v * p->sumsStride + k * LANES;
      const int some = whole ? LANES : count - k * LANES;
      storeSome(target, p->adds ? loadSome(target, some) + sum[v][k] : sum[v][k], some);
    }
  }
}

INLINE void outerColumns(
  const OuterProducts *p, const int tallest, const int vectors, const bool whole,
  const bool isDense, int column, int count) {
  int row = 0;
#define ROWS(height)                                                       \
  for (; row + height <= p->rows; row += height)                           \
    outerTile(                                                             \
      p, height, vectors, whole, isDense, p->a + row * p->aRow, p->b + column, count, \
      p->sums + row * p->sumsStride + column);
  ROWS(tallest)
  if (tallest > 4) ROWS(4)
  ROWS(1)
#undef ROWS
}

INLINE void outerProductsOf(const OuterProducts *p, const bool isDense) {
  int column = 0;
  while (column < p->columns) {
    const int count = p->columns - column;
    if (WIDEST == 32 && count >= 2 * LANES) {
      outerColumns(p, OUTER32, 2, true, isDense, column, 2 * LANES);
      column += 2 * LANES;
    } else if (count >= LANES) {
      outerColumns(p, OUTER16, 1, true, isDense, column, LANES);
      column += LANES;
    } else {
      outerColumns(p, 4, 1, false, isDense, column, count);
      column += count;
    }
  }
}

static void KERNEL(outerProducts)(const OuterProducts *p) {
  if (p->aRow == 1) outerProductsOf(p, true);
  else outerProductsOf(p, false);
}

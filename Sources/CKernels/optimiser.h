// Steps of an optimiser on flat arrays.

INLINE Floats squareRoot(Floats x) { return __builtin_elementwise_sqrt(x); }

static void KERNEL(adamW)(
  const AdamW *a, int64_t n, float *values, const float *gradients, float *first,
  float *second) {
  for (int64_t i = 0; i < n; i += LANES) {
    const int count = n - i < LANES ? (int)(n - i) : LANES;
    const Floats gradient = loadSome(gradients + i, count) * a->scale;
    const Floats before = loadSome(first + i, count);
    const Floats mean = before + a->share1 * (gradient - before);
    const Floats square =
      a->beta2 * loadSome(second + i, count) + a->share2 * gradient * gradient;
    storeSome(first + i, mean, count);
    storeSome(second + i, square, count);
    const Floats deviation = squareRoot(square) / a->correction + a->epsilon;
    storeSome(
      values + i, loadSome(values + i, count) * a->keep - a->size * mean / deviation, count);
  }
}

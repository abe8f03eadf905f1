// What the softmax over the classes of a row of voxels adds to weighted sums. Sixteen voxels are in
// the lanes; a row shorter than that, or the end of one, takes the same way with fewer.

INLINE Floats reverse(Floats x) {
  return __builtin_shufflevector(x, x, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
}

// `count` logits from `values` on, in the order of the sums.
INLINE Floats loadLogits(const float *values, int count, const bool reversed) {
  if (!reversed) return loadSome(values, count);
  if (count >= LANES) return reverse(LOAD(values));
  Floats result = {0};
  for (int i = 0; i < count; i++) result[i] = values[count - 1 - i];
  return result;
}

INLINE void addVoxels(
  const float *logits, int64_t plane, int32_t classes, const float *weights, float share,
  const bool reversed, float *sums, int64_t sumsPlane, int count) {
  Floats exponentials[MOST_CLASSES];
  Floats most = loadLogits(logits, count, reversed);
  exponentials[0] = most;
  for (int32_t k = 1; k < classes; k++) {
    const Floats x = exponentials[k] = loadLogits(logits + k * plane, count, reversed);
    most = choose(x > most, x, most);
  }
  Floats sum = splat(0);
  for (int32_t k = 0; k < classes; k++)
    sum += exponentials[k] = exponential(exponentials[k] - most);
  const Floats scale = (weights ? loadSome(weights, count) * share : splat(share)) / sum;
  for (int32_t k = 0; k < classes; k++) {
    float *target = sums + k * sumsPlane;
    storeSome(target, loadSome(target, count) + exponentials[k] * scale, count);
  }
}

static void KERNEL(addProbabilities)(
  const float *logits, int64_t plane, int32_t classes, const float *weights, float share,
  bool reversed, float *sums, int64_t sumsPlane, int64_t n) {
  for (int64_t x = 0; x < n; x += LANES) {
    const int count = n - x < LANES ? (int)(n - x) : LANES;
    const float *from = reversed ? logits + n - x - count : logits + x;
    const float *weight = weights ? weights + x : 0;
    if (reversed)
      addVoxels(from, plane, classes, weight, share, 1, sums + x, sumsPlane, count);
    else addVoxels(from, plane, classes, weight, share, 0, sums + x, sumsPlane, count);
  }
}

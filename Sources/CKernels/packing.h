// Weights from the order in which PyTorch stores them to that of the kernels, and back. In training
// this is done at every step, so whole tiles of 16 x 27 taps are transposed in registers.

// The 27 taps of 16 lanes, of which `count` exist (the rest are zero): taps[t] has a lane in each.
// Two transposes, of taps 0-15 and 11-26, need no tap beyond the last. What is `ahead` floats further is
// fetched: sixteen lines of 27 are too many and too short for the processor to foresee.
INLINE void transposeTaps(
  const float *weights, int64_t laneStride, int count, int64_t ahead, Floats *taps) {
  Floats low[LANES], high[LANES];
  for (int i = 0; i < LANES; i++) {
    low[i] = i < count ? LOAD(weights + i * laneStride) : splat(0);
    high[i] = i < count ? LOAD(weights + i * laneStride + 11) : splat(0);
    __builtin_prefetch(weights + i * laneStride + ahead, 0, 2);
    __builtin_prefetch(weights + i * laneStride + ahead + LANES, 0, 2);
  }
  transpose(low);
  transpose(high);
  UNROLL for (int t = 0; t < LANES; t++) taps[t] = low[t];
  UNROLL for (int t = LANES; t < 27; t++) taps[t] = high[t - 11];
}

static void KERNEL(packTaps)(
  const float *weights, int64_t laneStride, int64_t inputStride, int64_t input0, int64_t input1,
  int64_t tapStride, int32_t count, int32_t lanes, bool flipped, float *target) {
  for (int64_t input = input0; input < input1; input++) {
    for (int32_t lane = 0; lane < lanes; lane += LANES) {
      Floats taps[27];
      const int some = count - lane < LANES ? count - lane : LANES;
      transposeTaps(
        weights + lane * laneStride + input * inputStride, laneStride, some,
        8 * inputStride, taps);
      float *to = target + input * lanes + lane;
      for (int t = 0; t < 27; t++) STORE(to + t * tapStride, taps[flipped ? 26 - t : t]);
    }
  }
}

// Runs that follow one another, to every `stride` floats.
static void KERNEL(spread)(
  const float *input, int64_t run, int64_t runs, float *target, int64_t stride) {
  for (int64_t i = 0; i < runs; i++, input += run, target += stride)
    for (int64_t j = 0; j < run; j += LANES)
      storeSome(target + j, loadSome(input + j, (int)(run - j)), (int)(run - j));
}

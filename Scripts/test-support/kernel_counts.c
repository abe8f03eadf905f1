// Runs each of the main kernels once, for callgrind: see Scripts/count-instructions.sh.
#include "CKernels.h"

#include <stdio.h>
#include <stdlib.h>

enum { CHANNELS = 32, DEPTH = 8, SIDE = 32, TOKENS = 8192, PROJECTION = 64, CLASSES = 14 };

static float *numbers(size_t count) {
  float *values = aligned_alloc(64, (count * sizeof(float) + 63) / 64 * 64);
  for (size_t i = 0; values && i < count; i++) values[i] = (float)(rand() % 2001 - 1000) * 1e-3f;
  return values;
}

int main(int argc, char **argv) {
  const KernelTable *kernels = argc > 1 ? kernelsNamed(argv[1]) : NULL;
  if (!kernels) return fprintf(stderr, "usage: kernel_counts portable|avx2\n"), 1;
  const int lanes = kernels->widestBlock, blocks = CHANNELS / lanes;
  const int64_t row = (SIDE + 2) * CHANNELS, plane = (SIDE + 2) * row;
  float *input = numbers((DEPTH + 2) * plane), *output = numbers(TOKENS * CHANNELS);
  float *weights = numbers(CHANNELS * CHANNELS * 36 * 3), *taps = numbers(CHANNELS * CHANNELS * 27);

  const Convolution3 direct = {
    .input = input, .weights = taps, .output = output, .outputRow = SIDE * CHANNELS,
    .outputPlane = SIDE * SIDE * CHANNELS, .depth = DEPTH, .height = SIDE, .width = SIDE,
    .inputChannels = CHANNELS, .outputChannels = CHANNELS, .lanes = lanes};
  kernels->convolve3(&direct, 0, DEPTH * SIDE, 0, blocks);

  const Winograd winograd = {
    .input = input + plane + row + CHANNELS, .taps = taps, .weights = weights,
    .weightStride = 3 * CHANNELS * CHANNELS, .output = output,
    .inputRow = row, .inputPlane = plane, .outputRow = SIDE * CHANNELS,
    .outputPlane = SIDE * SIDE * CHANNELS, .depth = DEPTH, .height = SIDE, .width = SIDE,
    .inputChannels = CHANNELS, .outputChannels = CHANNELS, .lanes = lanes, .tile = 4,
    .halo = true};
  float *scratch = numbers(winogradScratch(4, 64, CHANNELS, CHANNELS));
  for (int block = 0; block < blocks; block++)
    kernels->winogradWeights(&winograd, block, 0, CHANNELS, weights);
  kernels->winogradStrip(&winograd, 0, 64, 0, DEPTH, scratch, NULL);

  const Product product = {
    .input = input, .weights = weights, .output = output, .inputStride = CHANNELS,
    .lineLength = TOKENS, .outputStride = CHANNELS, .inner = CHANNELS, .columns = CHANNELS,
    .lanes = lanes};
  kernels->product(&product, 0, TOKENS);
  kernels->attend(
    input, TOKENS, weights, taps, 4, CHANNELS / 4, PROJECTION, output, TOKENS);
  const ChannelAffine affine = {weights, weights, weights};
  float *planar = numbers(CLASSES * TOKENS);
  kernels->head(
    input, output, affine, weights, weights, TOKENS, 16, CLASSES, planar, TOKENS);
  return 0;
}

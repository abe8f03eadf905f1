// Loops over planar volumes, as they come into the network.
#include "CKernels.h"

#include <string.h>

void gatherPlanar(
  const float *input, int64_t channels, int64_t depth, int64_t height, int64_t width, int64_t kz,
  int64_t ky, int64_t kx, int64_t z, int64_t y, float *rows) {
  for (int64_t x = 0; x < width / kx; x++)
    for (int64_t c = 0; c < channels; c++)
      for (int64_t dz = 0; dz < kz; dz++)
        for (int64_t dy = 0; dy < ky; dy++) {
          const float *line =
            input + ((c * depth + z * kz + dz) * height + y * ky + dy) * width + x * kx;
          // A count that is known spares a call for a few bytes.
          if (kx == 2) memcpy(rows, line, 2 * sizeof(float));
          else if (kx == 4) memcpy(rows, line, 4 * sizeof(float));
          else memcpy(rows, line, kx * sizeof(float));
          rows += kx;
        }
}

void interleave(
  const float *input, int64_t plane, int64_t channels, int64_t n, float *output) {
  for (int64_t c = 0; c < channels; c++)
    for (int64_t x = 0; x < n; x++) output[x * channels + c] = input[c * plane + x];
}

void planarMoments(
  const float *input, int64_t plane, int64_t channels, int64_t n, double *sum, double *products) {
  for (int64_t a = 0; a < channels; a++) {
    const float *first = input + a * plane;
    for (int64_t x = 0; x < n; x++) sum[a] += first[x];
    for (int64_t b = 0; b < channels; b++) {
      const float *second = input + b * plane;
      double partial[8] = {0};  // independent sums keep the adder busy
      int64_t x = 0;
      for (; x + 8 <= n; x += 8)
        for (int k = 0; k < 8; k++) partial[k] += (double)first[x + k] * second[x + k];
      for (; x < n; x++) partial[0] += (double)first[x] * second[x];
      for (int k = 0; k < 8; k++) products[a * channels + b] += partial[k];
    }
  }
}

void packColumns(
  const float *weights, int64_t columnStride, int64_t column0, int64_t column1, int64_t countA,
  int64_t strideA, int64_t countB, int64_t strideB, int32_t lanes, float *target) {
  const int64_t rows = countA * countB;
  // A run of columns of one block at a time: its lines of weights stay in the cache.
  for (int64_t first = column0; first < column1;) {
    const int64_t lane = first % lanes;
    const int64_t count = lanes - lane < column1 - first ? lanes - lane : column1 - first;
    float *to = target + first / lanes * rows * lanes + lane;
    const float *from = weights + (first - column0) * columnStride;
    for (int64_t a = 0; a < countA; a++)
      for (int64_t b = 0; b < countB; b++, to += lanes) {
        const float *row = from + a * strideA + b * strideB;
        for (int64_t c = 0; c < count; c++) to[c] = row[c * columnStride];
      }
    first += count;
  }
}

// Sums that are taken side by side, in double.
enum { SUMS = 16 };

static void addParts(const float *sums, int64_t parts, int64_t stride, int64_t count, double *total) {
  if (count == SUMS) {
    for (int64_t part = 0; part < parts; part++)
      for (int i = 0; i < SUMS; i++) total[i] += sums[part * stride + i];
    return;
  }
  for (int64_t part = 0; part < parts; part++)
    for (int64_t i = 0; i < count; i++) total[i] += sums[part * stride + i];
}

void addUp(const float *sums, int64_t blocks, int64_t stride, int64_t size, float *result) {
  for (int64_t first = 0; first < size; first += SUMS) {
    const int64_t count = size - first < SUMS ? size - first : SUMS;
    double total[SUMS] = {0};
    addParts(sums + first, blocks, stride, count, total);
    for (int64_t i = 0; i < count; i++) result[first + i] = (float)total[i];
  }
}

void addTo(const float *sums, int64_t blocks, int64_t stride, int64_t size, float *result) {
  for (int64_t first = 0; first < size; first += SUMS) {
    const int64_t count = size - first < SUMS ? size - first : SUMS;
    double total[SUMS];
    for (int64_t i = 0; i < count; i++) total[i] = result[first + i];
    addParts(sums + first, blocks, stride, count, total);
    for (int64_t i = 0; i < count; i++) result[first + i] = (float)total[i];
  }
}

void addPatchSums(
  const float *sums, int64_t parts, int64_t lines, int64_t groups, int64_t coarse, int64_t width,
  int64_t fine, int64_t first, int64_t end, float *result) {
  const int64_t size = coarse * width * fine, taps = lines * width, all = lines * groups * size;
  for (int64_t c = first; c < end; c++)
    for (int64_t line = 0; line < lines; line++)
      for (int64_t group = 0; group < groups; group++)
        for (int64_t x = 0; x < width; x++)
          for (int64_t f = 0; f < fine; f += SUMS) {
            const int64_t count = fine - f < SUMS ? fine - f : SUMS;
            double total[SUMS] = {0};
            addParts(
              sums + (line * groups + group) * size + (c * width + x) * fine + f, parts, all, count,
              total);
            float *target = result + ((c * groups + group) * fine + f) * taps + line * width + x;
            for (int64_t i = 0; i < count; i++) target[i * taps] += (float)total[i];
          }
}

int64_t winogradScratch(
  int32_t tile, bool deep, int64_t tiles, int32_t inputChannels, int32_t outputChannels) {
  const int64_t frequencies = (tile + 2) * (tile + 2);
  if (deep)
    return frequencies * (4 * (tiles * inputChannels + 16) + 2 * (DEEP_TILES * outputChannels + 16))
           + 4 * (DEEP_TILES * inputChannels + 16);
  return frequencies * (3 * (tiles * inputChannels + 16) + 48 * outputChannels + 16);
}

int64_t depthFrequencies(int32_t inputChannels) {
  return 4 * ((int64_t)PAIR_ROWS * inputChannels + 16);
}

int64_t attendGradientScratch(int64_t n, int32_t heads, int32_t d, int32_t projection) {
  const int64_t padded = (n + 15) / 16 * 16;
  return 2 * heads * d * padded + (d + 2 * projection) * 128 + (int64_t)2 * d * projection * 16;
}

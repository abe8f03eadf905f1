// Transform of the weights for minimal filtering, once when a network is loaded.
#include "CKernels.h"

#include <math.h>

enum { WIDEST_BLOCK = 32 };

// Rows of G: what each frequency takes of three taps (see winograd.h for the points).
static void rowsOfG(int32_t tile, double g[6][3]) {
  if (tile == 2) {
    const double rows[4][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};
    for (int i = 0; i < 4; i++)
      for (int k = 0; k < 3; k++) g[i][k] = rows[i][k];
    return;
  }
  const double points[5] = {0, sqrt(0.5), -sqrt(0.5), sqrt(2), -sqrt(2)};
  for (int i = 0; i < 5; i++) {
    double product = 1;
    for (int k = 0; k < 5; k++)
      if (k != i) product *= points[i] - points[k];
    for (int k = 0; k < 3; k++) g[i][k] = pow(points[i], k) / product;
  }
  g[5][0] = g[5][1] = 0;
  g[5][2] = 1;
}

void winogradWeights(
  const float *weights, int32_t inputs, int32_t outputs, int32_t lanes, int32_t tile,
  int32_t block, float *packed) {
  const int size = tile + 2;
  const int64_t blocks = (outputs + lanes - 1) / lanes, blockSize = (int64_t)3 * inputs * lanes;
  double g[6][3];
  rowsOfG(tile, g);
  for (int64_t i = 0; i < (int64_t)inputs * 3; i++) {  // input and z
    const int64_t input = i / 3, z = i % 3;
    double taps[9][WIDEST_BLOCK] = {{0}}, columns[6][3][WIDEST_BLOCK];
    for (int k = 0; k < lanes && block * lanes + k < outputs; k++) {
      const float *source = weights + (((block * lanes + k) * inputs + input) * 3 + z) * 9;
      for (int tap = 0; tap < 9; tap++) taps[tap][k] = source[tap];
    }
    for (int f = 0; f < size; f++)
      for (int x = 0; x < 3; x++)
        for (int k = 0; k < lanes; k++)
          columns[f][x][k] =
            g[f][0] * taps[x][k] + g[f][1] * taps[3 + x][k] + g[f][2] * taps[6 + x][k];
    float *target = packed + block * blockSize + (z * inputs + input) * lanes;
    for (int f = 0; f < size * size; f++, target += blocks * blockSize) {
      const double *row = g[f % size];
      for (int k = 0; k < lanes; k++)
        target[k] = (float)(columns[f / size][0][k] * row[0] + columns[f / size][1][k] * row[1]
                            + columns[f / size][2][k] * row[2]);
    }
  }
}

int64_t winogradScratch(
  int32_t tile, int64_t tiles, int32_t inputChannels, int32_t outputChannels) {
  const int64_t frequencies = (tile + 2) * (tile + 2);
  return frequencies * (3 * (tiles * inputChannels + 16) + 48 * outputChannels + 16);
}

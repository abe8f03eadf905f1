// The kernels, written once with vector types and compiled for each instruction set. The file
// that includes this sets ISA, WIDEST (16 or 32), TILE16 and TILE32 (voxels that a register tile
// holds with 16 and 32 output channels) and the target attribute.

#include "vectors.h"

// A kernel's name, for profilers and debuggers: operation_tile_isa, the tile being the voxels and
// the output channels that the registers hold.
#define JOIN(operation, voxels, isa) operation##_##voxels##x16_##isa
#define JOINED(operation, voxels, isa) JOIN(operation, voxels, isa)
#define KERNEL(operation) JOINED(operation, TILE16, ISA)
#define TEXT_OF(name) #name
#define TEXT(name) TEXT_OF(name)

// Sums of the taps of slices [z0, z1) of three for `voxels` voxels and `vectors` x 16 channels, kept
// in registers. The three taps along x of all input channels are contiguous. Voxel v begins at
// offset[v], or at v*stride where a constant stride is given.
INLINE void convolveTile(
  const int voxels, const int vectors, const int stride, const float *input,
  const int64_t *offset, const float *weights, int64_t channels, int64_t row, int64_t plane,
  int z0, int z1, Floats sums[][2]) {
  Floats sum[TILE16][2];
  UNROLL for (int v = 0; v < voxels; v++)
    UNROLL for (int k = 0; k < vectors; k++) sum[v][k] = splat(0);
  const int64_t taps = stride ? 3 * stride : 3 * channels;
  weights += z0 * 3 * taps * vectors * LANES;
  for (int z = z0; z < z1; z++) {
    for (int y = 0; y < 3; y++) {
      const float *line = input + z * plane + y * row;
      for (int64_t j = 0; j < taps; j++) {
        Floats w0 = LOAD(weights), w1 = vectors > 1 ? LOAD(weights + LANES) : w0;
        UNROLL for (int v = 0; v < voxels; v++) {
          float x = stride ? line[v * stride + j] : line[offset[v] + j];
          sum[v][0] += x * w0;
          if (vectors > 1) sum[v][1] += x * w1;
        }
        weights += vectors * LANES;
      }
    }
  }
  UNROLL for (int v = 0; v < voxels; v++)
    UNROLL for (int k = 0; k < vectors; k++) sums[v][k] = sum[v][k];
}

// Bias, residual, activation and store of one voxel's 16 channels, of which `count` exist.
INLINE void finishVoxel(
  Floats sum, const float *bias, const float *residual, bool leaky, float *output, int count) {
  if (count >= LANES) {
    if (bias) sum += LOAD(bias);
    if (residual) sum += LOAD(residual);
    STORE(output, leaky ? leakyVector(sum) : sum);
    return;
  }
  for (int i = 0; i < count; i++) {
    float value = sum[i];
    if (bias) value += bias[i];
    if (residual) value += residual[i];
    output[i] = leaky ? leakyScalar(value) : value;
  }
}

// `count` voxels from index `first` (row-major over the grid), of one block of channels.
INLINE void convolveVoxels(
  const Convolution3 *c, const int tile, const int vectors, const int stride, int64_t first,
  int count, int32_t block) {
  const int64_t row = (int64_t)(c->width + 2) * c->inputChannels;
  const int64_t plane = (c->height + 2) * row;
  int64_t offset[TILE16], output[TILE16], residual[TILE16];
  const int64_t line = first / c->width;
  int64_t x = first % c->width, y = line % c->height, z = line / c->height;
  const int z1 = z == c->depth - 1 ? 2 : 3;
  for (int v = 0; v < tile; v++) {
    if (v >= count) {  // the rest of the tile repeats the last voxel
      offset[v] = offset[count - 1];
      continue;
    }
    if (x == c->width) {
      x = 0;
      if (++y == c->height) y = 0, z++;
    }
    offset[v] = z * plane + y * row + x * c->inputChannels;
    output[v] = z * c->outputPlane + y * c->outputRow + x * c->outputChannels;
    residual[v] = z * c->residualPlane + y * c->residualRow + x * c->outputChannels;
    x++;
  }
  Floats sums[TILE16][2];
  const int64_t size = (int64_t)27 * c->inputChannels * c->lanes;
  // What is before the first slice and behind the last is zero, for all voxels of the tile alike.
  convolveTile(
    tile, vectors, stride, stride ? c->input + offset[0] : c->input, offset,
    c->weights + block * size, c->inputChannels, row, plane, z == 0 ? 1 : 0, z1, sums);
  for (int v = 0; v < count; v++) {
    for (int k = 0; k < vectors; k++) {
      int channel = block * c->lanes + k * LANES;
      if (channel >= c->outputChannels) break;
      finishVoxel(
        sums[v][k], c->bias ? c->bias + channel : 0,
        c->residual ? c->residual + residual[v] + channel : 0, c->leaky,
        c->output + output[v] + channel, c->outputChannels - channel);
    }
  }
}

static void KERNEL(convolve3)(
  const Convolution3 *c, int64_t row0, int64_t row1, int32_t block0, int32_t block1) {
  const int64_t first = row0 * c->width, end = row1 * c->width;
  const int wide = WIDEST == 32 && c->lanes == 32;
  const int tile = wide ? TILE32 : TILE16;
  // Tiles end with the slice where two thirds of the taps of the first and the last are worth more
  // than the registers that the last tile of a slice leaves unused.
  const int64_t slice = (int64_t)c->height * c->width, all = c->depth * slice;
  const bool bySlice =
    (slice + tile - 1) / tile * (3 * c->depth - 2) < (all + tile - 1) / tile * 3;
  for (int32_t block = block0; block < block1; block++) {
    int count = 0;
    for (int64_t voxel = first; voxel < end; voxel += count) {
      int64_t most = end - voxel;
      if (bySlice && most > slice - voxel % slice) most = slice - voxel % slice;
      count = most < tile ? (int)most : tile;
      if (wide) convolveVoxels(c, TILE32, 2, 0, voxel, count, block);
      else if (c->inputChannels == 16 && c->width % TILE16 == 0)
        convolveVoxels(c, TILE16, 1, 16, voxel, count, block);
      else if (c->inputChannels == 1 && c->width % TILE16 == 0)
        convolveVoxels(c, TILE16, 1, 1, voxel, count, block);
      else convolveVoxels(c, TILE16, 1, 0, voxel, count, block);
    }
  }
}

#include "product.h"
#include "packing.h"
#include "directBatch.h"
#include "winograd.h"
#include "outerProducts.h"
#include "weightGradient.h"
#include "attention.h"
#include "attentionGradient.h"
#include "normGradient.h"
#include "optimiser.h"
#include "probabilities.h"

// `whole`: the channels are whole vectors.
INLINE void layerNormOf(
  const bool whole, const float *tokens, const float *position, const float *weight,
  const float *bias, float *sum, float *normalised, int64_t n, int64_t channels) {
  for (int64_t t = 0; t < n; t++) {
    const float *x = tokens + t * channels, *p = position + t * channels;
    float *placed = sum + t * channels, *y = normalised + t * channels;
    Floats total = {0}, squares = {0};
    for (int64_t c = 0; c < channels; c += LANES) {
      const int count = whole || channels - c >= LANES ? LANES : (int)(channels - c);
      Floats value = loadSome(x + c, count) + loadSome(p + c, count);
      storeSome(placed + c, value, count);
      total += value;
    }
    const Floats mean = sumOfLanes(total) / (float)channels;
    for (int64_t c = 0; c < channels; c += LANES) {
      const int count = whole || channels - c >= LANES ? LANES : (int)(channels - c);
      Floats d = loadSome(placed + c, count) - mean;
      if (count < LANES)
        for (int k = count; k < LANES; k++) d[k] = 0;
      squares += d * d;
    }
    const Floats variance = sumOfLanes(squares) / (float)channels;
    const float scale = 1 / sqrtf(variance[0] + epsilon);
    for (int64_t c = 0; c < channels; c += LANES) {
      const int count = whole || channels - c >= LANES ? LANES : (int)(channels - c);
      Floats d = loadSome(placed + c, count) - mean;
      storeSome(
        y + c, d * scale * loadSome(weight + c, count) + loadSome(bias + c, count), count);
    }
  }
}

static void KERNEL(layerNorm)(
  const float *tokens, const float *position, const float *weight, const float *bias, float *sum,
  float *normalised, int64_t n, int64_t channels) {
  if (channels % LANES == 0)
    layerNormOf(true, tokens, position, weight, bias, sum, normalised, n, channels);
  else layerNormOf(false, tokens, position, weight, bias, sum, normalised, n, channels);
}

static void KERNEL(softmax)(float *values, int64_t rows, int64_t columns) {
  const int64_t whole = columns - columns % LANES;
  for (int64_t i = 0; i < rows; i++) {
    float *row = values + i * columns;
    float largest = row[0];
    if (whole) {
      Floats most = LOAD(row);
      for (int64_t j = LANES; j < whole; j += LANES) {
        Floats x = LOAD(row + j);
        most = choose(x > most, x, most);
      }
      for (int k = 0; k < LANES; k++) largest = most[k] > largest ? most[k] : largest;
    }
    for (int64_t j = whole; j < columns; j++) largest = row[j] > largest ? row[j] : largest;
    Floats sums = splat(0);
    for (int64_t j = 0; j < whole; j += LANES) {
      Floats e = exponential(LOAD(row + j) - largest);
      STORE(row + j, e);
      sums += e;
    }
    double sum = 0;
    for (int k = 0; k < LANES; k++) sum += sums[k];
    for (int64_t j = whole; j < columns; j++) sum += row[j] = expf(row[j] - largest);
    const float scale = (float)(1 / sum);
    for (int64_t j = 0; j < whole; j += LANES) STORE(row + j, LOAD(row + j) * scale);
    for (int64_t j = whole; j < columns; j++) row[j] *= scale;
  }
}

static void KERNEL(channelSums)(
  const float *values, int64_t n, int64_t channels, double *sum, double *squares) {
  const int64_t whole = channels - channels % LANES;
  for (int64_t c = 0; c < whole; c += LANES) {
    Doubles sums = {0}, products = {0};
    for (int64_t i = 0; i < n; i++) {
      Doubles x = widen(LOAD(values + i * channels + c));
      sums += x;
      products += x * x;
    }
    for (int k = 0; k < LANES; k++) sum[c + k] += sums[k], squares[c + k] += products[k];
  }
  for (int64_t i = 0; i < n; i++) {
    for (int64_t c = whole; c < channels; c++) {
      double x = values[i * channels + c];
      sum[c] += x;
      squares[c] += x * x;
    }
  }
}

static void KERNEL(normalise)(
  const float *input, int64_t inputRow, const float *residual, int64_t residualRow, float *output,
  int64_t outputRow, int64_t rows, int64_t n, int64_t channels, ChannelAffine a, bool leaky) {
  const int64_t whole = channels - channels % LANES;
  for (int64_t r = 0; r < rows; r++) {
    const float *x = input + r * inputRow, *add = residual ? residual + r * residualRow : 0;
    float *y = output + r * outputRow;
    for (int64_t c = 0; c < whole; c += LANES) {
      const Floats mean = LOAD(a.mean + c), scale = LOAD(a.scale + c), shift = LOAD(a.shift + c);
      for (int64_t i = c; i < n * channels; i += channels) {
        Floats value = (LOAD(x + i) - mean) * scale + shift;
        if (add) value += LOAD(add + i);
        STORE(y + i, leaky ? leakyVector(value) : value);
      }
    }
    for (int64_t c = whole; c < channels; c++) {
      for (int64_t i = c; i < n * channels; i += channels) {
        float value = (x[i] - a.mean[c]) * a.scale[c] + a.shift[c];
        if (add) value += add[i];
        y[i] = leaky ? leakyScalar(value) : value;
      }
    }
  }
}

static void KERNEL(normaliseShortcut)(
  const float *values, const float *input, int64_t plane, int64_t step, int64_t inputs,
  const float *factors, float *output, int64_t n, int64_t channels, ChannelAffine a) {
  for (int64_t c = 0; c < channels; c += LANES) {
    const int count = channels - c < LANES ? (int)(channels - c) : LANES;
    const Floats mean = loadSome(a.mean + c, count), scale = loadSome(a.scale + c, count);
    const Floats shift =
      loadSome(a.shift + c, count) + loadSome(factors + inputs * channels + c, count);
    for (int64_t i = 0; i < n; i++) {
      Floats value = (loadSome(values + i * channels + c, count) - mean) * scale + shift;
      for (int64_t k = 0; k < inputs; k++)
        value += input[k * plane + i * step] * loadSome(factors + k * channels + c, count);
      storeSome(output + i * channels + c, leakyVector(value), count);
    }
  }
}

// As many independent sums as the registers hold: the most that the machine can do.
static float KERNEL(multiplyAdds)(int64_t repetitions) {
  Floats sum[PEAK_SUMS];
  Floats factor = splat(0.999f), term = splat(0.001f);
  UNROLL for (int i = 0; i < PEAK_SUMS; i++) sum[i] = splat((float)i);
  for (int64_t n = 0; n < repetitions; n++) {
    UNROLL for (int i = 0; i < PEAK_SUMS; i++) sum[i] = sum[i] * factor + term;
  }
  UNROLL for (int i = 1; i < PEAK_SUMS; i++) sum[0] += sum[i];
  return sum[0][0];
}

const KernelTable TABLE = {
  .name = TEXT(ISA),
  .widestBlock = WIDEST,
  .multiplyAdds = KERNEL(multiplyAdds),
  .multiplyAddsEach = PEAK_SUMS * LANES,
  .convolve3 = KERNEL(convolve3),
  .convolveBatch = KERNEL(convolveBatch),
  .spread = KERNEL(spread),
  .packTaps = KERNEL(packTaps),
  .winogradWeights = KERNEL(winogradWeights),
  .winogradMasters = KERNEL(winogradMasters),
  .winogradInput = KERNEL(winogradInput),
  .winogradMultiply = KERNEL(winogradMultiply),
  .winogradMultiplyPair = KERNEL(winogradMultiplyPair),
  .winogradOutput = KERNEL(winogradOutput),
  .winogradStrip = KERNEL(winogradStrip),
  .layerNorm = KERNEL(layerNorm),
  .softmax = KERNEL(softmax),
  .channelSums = KERNEL(channelSums),
  .normalise = KERNEL(normalise),
  .normaliseShortcut = KERNEL(normaliseShortcut),
  .normSums = KERNEL(normSums),
  .normGradient = KERNEL(normGradient),
  .layerNormGradient = KERNEL(layerNormGradient),
  .scaleRows = KERNEL(scaleRows),
  .scaleGradient = KERNEL(scaleGradient),
  .add = KERNEL(add),
  .adamW = KERNEL(adamW),
  .attendGradient = KERNEL(attendGradient),
  .headGradient = KERNEL(headGradient),
  .outerProducts = KERNEL(outerProducts),
  .winogradGradient = KERNEL(winogradGradient),
  .gradientProducts = KERNEL(gradientProducts),
  .gradientStrip = KERNEL(gradientStrip),
  .directGradient = KERNEL(directGradient),
  .narrowGradient = KERNEL(narrowGradient),
  .gradientTaps = KERNEL(gradientTaps),
  .product = KERNEL(product),
  .headProducts = KERNEL(headProducts),
  .attend = KERNEL(attend),
  .head = KERNEL(head),
  .addProbabilities = KERNEL(addProbabilities),
};

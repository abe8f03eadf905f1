// The kernels, written once with vector types and compiled for each instruction set. The file
// that includes this sets NAME, WIDEST (16 or 32), TILE16 and TILE32 (voxels that a register tile
// holds with 16 and 32 output channels) and the target attribute.

// Wide vectors change the calling convention without AVX-512; every use here is inlined.
#pragma clang diagnostic ignored "-Wpsabi"

typedef float Floats __attribute__((vector_size(64), aligned(4), may_alias));
typedef int32_t Ints __attribute__((vector_size(64), aligned(4), may_alias));
typedef double Doubles __attribute__((vector_size(128), aligned(8)));

#define INLINE static inline __attribute__((always_inline))
#define LOAD(pointer) (*(const Floats *)(pointer))
#define STORE(pointer, value) (*(Floats *)(pointer) = (value))
#define UNROLL _Pragma("clang loop unroll(full)")

enum { LANES = 16 };
static const float slope = 0.01f;
static const float epsilon = 1e-5f;

INLINE Floats splat(float x) { return (Floats){0} + x; }
// a where the mask is set, b elsewhere.
INLINE Floats choose(Ints mask, Floats a, Floats b) {
  return (Floats)((mask & (Ints)a) | (~mask & (Ints)b));
}
INLINE Floats leakyVector(Floats x) { return choose(x > 0, x, x * slope); }
INLINE float leakyScalar(float x) { return x > 0 ? x : x * slope; }
INLINE Doubles widen(Floats x) { return __builtin_convertvector(x, Doubles); }
INLINE Floats narrow(Doubles x) { return __builtin_convertvector(x, Floats); }

INLINE double sumOf(Doubles x) {
  double sum = 0;
  for (int i = 0; i < LANES; i++) sum += x[i];
  return sum;
}

// Sums of 27 taps for `voxels` voxels and `vectors` x 16 channels, kept in registers. The three
// taps along x of all input channels are contiguous. Voxel v begins at offset[v], or at v*stride
// where a constant stride is given.
INLINE void convolveTile(
  const int voxels, const int vectors, const int stride, const float *input,
  const int64_t *offset, const float *weights, int64_t channels, int64_t row, int64_t plane,
  Floats sums[][2]) {
  Floats sum[TILE16][2];
  UNROLL for (int v = 0; v < voxels; v++)
    UNROLL for (int k = 0; k < vectors; k++) sum[v][k] = splat(0);
  const int64_t taps = 3 * channels;
  for (int z = 0; z < 3; z++) {
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
  int64_t x = first % c->width, y = first / c->width % c->height;
  int64_t z = first / c->width / c->height;
  for (int v = 0; v < tile; v++) {
    offset[v] = z * plane + y * row + x * c->inputChannels;
    output[v] = z * c->outputPlane + y * c->outputRow + x * c->outputChannels;
    residual[v] = z * c->residualPlane + y * c->residualRow + x * c->outputChannels;
    if (v + 1 >= count) continue;  // the rest of the tile repeats the last voxel
    if (++x == c->width) {
      x = 0;
      if (++y == c->height) y = 0, z++;
    }
  }
  Floats sums[TILE16][2];
  const int64_t size = (int64_t)27 * c->inputChannels * c->lanes;
  convolveTile(
    tile, vectors, stride, stride ? c->input + offset[0] : c->input, offset,
    c->weights + block * size, c->inputChannels, row, plane, sums);
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

static void convolve3(
  const Convolution3 *c, int64_t row0, int64_t row1, int32_t block0, int32_t block1) {
  const int64_t first = row0 * c->width, end = row1 * c->width;
  const int wide = WIDEST == 32 && c->lanes == 32;
  const int tile = wide ? TILE32 : TILE16;
  for (int32_t block = block0; block < block1; block++) {
    for (int64_t voxel = first; voxel < end; voxel += tile) {
      const int count = end - voxel < tile ? (int)(end - voxel) : tile;
      if (wide) convolveVoxels(c, TILE32, 2, 0, voxel, count, block);
      else if (c->inputChannels == 16 && c->width % TILE16 == 0)
        convolveVoxels(c, TILE16, 1, 16, voxel, count, block);
      else convolveVoxels(c, TILE16, 1, 0, voxel, count, block);
    }
  }
}

static void layerNorm(
  float *tokens, const float *position, const float *weight, const float *bias, float *normalised,
  int64_t n, int64_t channels) {
  const int64_t whole = channels - channels % LANES;
  for (int64_t t = 0; t < n; t++) {
    float *x = tokens + t * channels, *y = normalised + t * channels;
    const float *p = position + t * channels;
    Doubles sums = {0}, squares = {0};
    double sum = 0, square = 0;
    for (int64_t c = 0; c < whole; c += LANES) {
      Floats value = LOAD(x + c) + LOAD(p + c);
      STORE(x + c, value);
      sums += widen(value);
    }
    for (int64_t c = whole; c < channels; c++) sum += x[c] += p[c];
    const double mean = (sum + sumOf(sums)) / channels;
    for (int64_t c = 0; c < whole; c += LANES) {
      Doubles d = widen(LOAD(x + c)) - mean;
      squares += d * d;
    }
    for (int64_t c = whole; c < channels; c++) square += (x[c] - mean) * (x[c] - mean);
    const double scale = 1 / sqrt((square + sumOf(squares)) / channels + (double)epsilon);
    for (int64_t c = 0; c < whole; c += LANES)
      STORE(y + c, narrow((widen(LOAD(x + c)) - mean) * scale) * LOAD(weight + c) + LOAD(bias + c));
    for (int64_t c = whole; c < channels; c++)
      y[c] = (float)((x[c] - mean) * scale) * weight[c] + bias[c];
  }
}

// e^x for x <= 0, to about 2 units in the last place; 0 below -87.
INLINE Floats exponential(Floats x) {
  Floats bounded = choose(x < -87.0f, splat(-87.0f), x);
  Floats n = bounded * 1.44269504f + 12582912.0f;  // rounds to nearest in the low bits
  n -= 12582912.0f;
  Floats r = bounded - n * 0.693359375f;
  r -= n * -2.12194440e-4f;
  Floats p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  Ints power = (__builtin_convertvector(n, Ints) + 127) << 23;
  Floats result = p * (Floats)power;
  return choose(x < -87.0f, splat(0), result);
}

static void softmax(float *values, int64_t rows, int64_t columns) {
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

static void channelSums(
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

static void normalise(
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

static void normaliseShortcut(
  float *values, const float *planar, int64_t plane, int64_t inputs, const float *factors,
  int64_t n, int64_t channels, ChannelAffine a) {
  const int64_t whole = channels - channels % LANES;
  for (int64_t c = 0; c < whole; c += LANES) {
    const Floats mean = LOAD(a.mean + c), scale = LOAD(a.scale + c);
    const Floats shift = LOAD(a.shift + c) + LOAD(factors + inputs * channels + c);
    for (int64_t i = 0; i < n; i++) {
      Floats value = (LOAD(values + i * channels + c) - mean) * scale + shift;
      for (int64_t k = 0; k < inputs; k++)
        value += planar[k * plane + i] * LOAD(factors + k * channels + c);
      STORE(values + i * channels + c, leakyVector(value));
    }
  }
  for (int64_t i = 0; i < n; i++) {
    for (int64_t c = whole; c < channels; c++) {
      float value = (values[i * channels + c] - a.mean[c]) * a.scale[c] + a.shift[c];
      value += factors[inputs * channels + c];
      for (int64_t k = 0; k < inputs; k++)
        value += planar[k * plane + i] * factors[k * channels + c];
      values[i * channels + c] = leakyScalar(value);
    }
  }
}

static void scaledResidual(
  float *tokens, const float *update, const float *gamma, float *copy, int64_t n,
  int64_t channels) {
  const int64_t whole = channels - channels % LANES;
  for (int64_t i = 0; i < n * channels; i += channels) {
    for (int64_t c = 0; c < whole; c += LANES) {
      Floats value = LOAD(tokens + i + c) + LOAD(gamma + c) * LOAD(update + i + c);
      STORE(tokens + i + c, value);
      STORE(copy + i + c, value);
    }
    for (int64_t c = whole; c < channels; c++)
      copy[i + c] = tokens[i + c] += gamma[c] * update[i + c];
  }
}

static void addBias(float *values, const float *bias, int64_t n, int64_t channels) {
  for (int64_t i = 0; i < n * channels; i += channels)
    for (int64_t c = 0; c < channels; c++) values[i + c] += bias[c];
}

const KernelTable TABLE = {
  .name = NAME,
  .widestBlock = WIDEST,
  .convolve3 = convolve3,
  .layerNorm = layerNorm,
  .softmax = softmax,
  .channelSums = channelSums,
  .normalise = normalise,
  .normaliseShortcut = normaliseShortcut,
  .scaledResidual = scaledResidual,
  .addBias = addBias,
};

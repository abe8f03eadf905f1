// Convolution 3x3x3 by minimal filtering (Winograd; Lavin and Gray, arXiv 1509.09308): F(4x4, 3x3)
// or F(2x2, 3x3) in the plane, summed directly over depth. Three steps, which the callers order:
// transform of the input, products for each frequency, transform of the products.

#include "winogradTransforms.h"
#include "winogradTiles.h"

INLINE void winogradInputOf(
  const Winograd *w, const int tile, int32_t z, int32_t tile0, int32_t tile1, float *target,
  int64_t stride) {
  const int size = tile + 2, tiles = (w->width + tile - 1) / tile;
  const float *plane = w->input + z * w->inputPlane;
  const bool normalised = w->affine.scale != 0;
  // The samples that may be read without a look: of the volume, and of its halo of zeros.
  const int margin = w->halo && !normalised ? 1 : 0;
  // The next slice is fetched meanwhile: rows are too short for the processor to foresee it.
  const int64_t ahead = z + 1 < w->depth ? w->inputPlane : 0;
  for (int32_t index = tile0; index < tile1; index++, target += w->inputChannels) {
    const int y0 = index / tiles * tile - 1, x0 = index % tiles * tile - 1;
    const bool inside = y0 >= -margin && y0 + size <= w->height + margin && x0 >= -margin
                        && x0 + size <= w->width + margin;
    const bool border = !inside && y0 + size <= w->height + 1 && x0 + size <= w->width + 1;
    const float *samples = plane + y0 * w->inputRow + (int64_t)x0 * w->inputChannels;
    for (int c = 0; c < w->inputChannels; c += LANES) {
      if (ahead && w->inputChannels - c >= LANES) fetchTile(w, size, samples + ahead + c);
      if (border && w->inputChannels - c >= LANES) {
        if (tile == 4) KERNEL(borderTile4)(w, plane, y0, x0, c, target + c, stride);
        else KERNEL(borderTile2)(w, plane, y0, x0, c, target + c, stride);
        continue;
      }
      if (!inside || w->inputChannels - c < LANES) {
        if (tile == 4) KERNEL(edgeTile4)(w, plane, y0, x0, c, target + c, stride);
        else KERNEL(edgeTile2)(w, plane, y0, x0, c, target + c, stride);
        continue;
      }
      if (normalised) {
        if (tile == 4) KERNEL(normalisedTile4)(w, samples + c, c, target + c, stride);
        else KERNEL(normalisedTile2)(w, samples + c, c, target + c, stride);
      } else if (tile == 4) KERNEL(insideTile4)(w, samples + c, target + c, stride);
      else KERNEL(insideTile2)(w, samples + c, target + c, stride);
    }
  }
}

static void KERNEL(winogradInput)(
  const Winograd *w, int32_t z, int32_t tile0, int32_t tile1, float *target, int64_t stride) {
  if (w->tile == 4) winogradInputOf(w, 4, z, tile0, tile1, target, stride);
  else winogradInputOf(w, 2, z, tile0, tile1, target, stride);
}

// `rows` rows of one frequency, of one block of output channels.
INLINE void multiplyRows(
  const int rows, const int vectors, const float *const *slices, int64_t offset, int64_t channels,
  const float *weights, float *products, int64_t outputChannels, int count) {
  Floats sum[TILE16][2];
  UNROLL for (int v = 0; v < rows; v++)
    UNROLL for (int k = 0; k < vectors; k++) sum[v][k] = splat(0);
  for (int dz = 0; dz < 3; dz++) {
    if (slices[dz])
      accumulate(
        rows, vectors, slices[dz] + offset, channels, channels,
        weights + dz * channels * vectors * LANES, sum);
  }
  UNROLL for (int v = 0; v < rows; v++)
    UNROLL for (int k = 0; k < vectors; k++)
      if (count > k * LANES)
        storeSome(products + v * outputChannels + k * LANES, sum[v][k], count - k * LANES);
}

// Whole register tiles first, then smaller ones. Where a few rows are left, as many tiles take one
// more: a single row keeps the processor waiting for its sums.
#define BY_REGISTER_TILES(ROWS)                                          \
  int64_t row = 0;                                                       \
  if (taller > tallest && rows % tallest <= rows / tallest)              \
    ROWS(taller, (rows - row) % tallest > 0)                             \
  ROWS(tallest, true)                                                    \
  if (tallest > 8) ROWS(8, true)                                         \
  if (tallest > 4) ROWS(4, true)                                         \
  ROWS(1, true)

INLINE void multiplyBlock(
  const int tallest, const int taller, const int vectors, const float *const *slices, int64_t rows,
  int64_t channels, const float *weights, float *products, int64_t outputChannels, int count) {
#define ROWS(height, condition)                                                        \
  for (; row + height <= rows && (condition); row += height)                           \
    multiplyRows(                                                                      \
      height, vectors, slices, row * channels, channels, weights,                      \
      products + row * outputChannels, outputChannels, count);
  BY_REGISTER_TILES(ROWS)
#undef ROWS
}

static void KERNEL(winogradMultiply)(
  const Winograd *w, int32_t frequency0, int32_t frequency1, const float *const *slices,
  int64_t stride, int64_t rows, float *products, int64_t productStride) {
  const int blocks = (w->outputChannels + w->lanes - 1) / w->lanes;
  const int64_t size = (int64_t)3 * w->inputChannels * w->lanes;
  for (int32_t f = frequency0; f < frequency1; f++) {
    const float *here[3];
    for (int dz = 0; dz < 3; dz++) here[dz] = slices[dz] ? slices[dz] + f * stride : 0;
    for (int block = 0; block < blocks; block++) {
      const float *weights = w->weights + f * w->weightStride + block * size;
      float *target = products + f * productStride + block * w->lanes;
      const int count = w->outputChannels - block * w->lanes;
      if (WIDEST == 32 && w->lanes == 32)
        multiplyBlock(
          PRODUCT32, TILE32, 2, here, rows, w->inputChannels, weights, target, w->outputChannels,
          count);
      else
        multiplyBlock(
          TILE16, TILE16, 1, here, rows, w->inputChannels, weights, target, w->outputChannels,
          count);
    }
  }
}

INLINE void winogradOutputOf(
  const Winograd *w, const int tile, int32_t z, int32_t tile0, int32_t tile1,
  const float *products, int64_t stride, double *moments) {
  const int tiles = (w->width + tile - 1) / tile;
  for (int32_t index = tile0; index < tile1; index++, products += w->outputChannels) {
    const int y0 = index / tiles * tile, x0 = index % tiles * tile;
    const bool inside = y0 + tile <= w->height && x0 + tile <= w->width;
    for (int c = 0; c < w->outputChannels; c += LANES) {
      const bool whole = inside && w->outputChannels - c >= LANES;
      if (tile == 4) {
        (whole ? KERNEL(wholeOutput4) : KERNEL(edgeOutput4))(
          w, products + c, stride, z, y0, x0, c, moments);
      } else {
        (whole ? KERNEL(wholeOutput2) : KERNEL(edgeOutput2))(
          w, products + c, stride, z, y0, x0, c, moments);
      }
    }
  }
}

static void KERNEL(winogradOutput)(
  const Winograd *w, int32_t z, int32_t tile0, int32_t tile1, const float *products,
  int64_t stride, double *moments) {
  if (w->tile == 4) winogradOutputOf(w, 4, z, tile0, tile1, products, stride, moments);
  else winogradOutputOf(w, 2, z, tile0, tile1, products, stride, moments);
}

// Fetches the places of output tiles [tile0, tile1) of slice z, and of their residual.
INLINE void fetchOutput(const Winograd *w, int32_t z, int32_t tile0, int32_t tile1) {
  const int32_t tiles = (w->width + w->tile - 1) / w->tile;
  for (int32_t index = tile0; index < tile1; index++) {
    const int32_t y0 = index / tiles * w->tile, x0 = index % tiles * w->tile;
    const int32_t y1 = y0 + w->tile < w->height ? y0 + w->tile : w->height;
    const int32_t x1 = x0 + w->tile < w->width ? x0 + w->tile : w->width;
    for (int32_t y = y0; y < y1; y++) {
      const float *output = w->output + z * w->outputPlane + y * w->outputRow;
      const float *residual =
        w->residual ? w->residual + z * w->residualPlane + y * w->residualRow : 0;
      for (int32_t i = x0 * w->outputChannels; i < x1 * w->outputChannels; i += LANES) {
        __builtin_prefetch(output + i, 1, 2);
        if (residual) __builtin_prefetch(residual + i, 0, 2);
      }
    }
  }
}

#include "winogradDeep.h"

// Slice after slice, with the transforms of three input slices kept in the scratch. The products of
// a group of tiles stay in the first-level cache where their channels are few.
static void KERNEL(winogradStrip)(
  const Winograd *w, int32_t tile0, int32_t tile1, int32_t z0, int32_t z1, float *scratch,
  double *moments) {
  if (w->deep) {
    KERNEL(deepStrip)(w, tile0, tile1, z0, z1, scratch, moments);
    return;
  }
  const int64_t frequencies = (w->tile + 2) * (w->tile + 2), count = tile1 - tile0;
  const int64_t stride = count * w->inputChannels + LANES, slice = frequencies * stride;
  const int32_t group = w->outputChannels <= LANES ? 16 : 48;
  const int64_t productStride = group * w->outputChannels + LANES;
  float *products = scratch + 3 * slice;
  int32_t ready = z0 > 0 ? z0 - 1 : 0;
  for (int32_t z = z0; z < z1; z++) {
    for (; ready <= z + 1 && ready < w->depth; ready++)
      KERNEL(winogradInput)(w, ready, tile0, tile1, scratch + ready % 3 * slice, stride);
    for (int32_t first = 0; first < count; first += group) {
      const int32_t rows = count - first < group ? (int32_t)count - first : group;
      const float *slices[3];
      for (int dz = 0; dz < 3; dz++) {
        const int32_t from = z + dz - 1;
        slices[dz] = from >= 0 && from < w->depth
                       ? scratch + from % 3 * slice + first * w->inputChannels
                       : 0;
      }
      for (int32_t f = 0; f < frequencies; f++) {
        KERNEL(winogradMultiply)(
          w, f, f + 1, slices, stride, rows, products, productStride);
        // A part of the output at a time: nothing has to wait for it.
        if (!w->streams)
          fetchOutput(
            w, z, tile0 + first + (int32_t)(rows * f / frequencies),
            tile0 + first + (int32_t)(rows * (f + 1) / frequencies));
      }
      KERNEL(winogradOutput)(
        w, z, tile0 + first, tile0 + first + rows, products, productStride, moments);
    }
  }
}

// Direct convolutions of a batch on grids of few voxels: register tiles take voxels of all samples that
// have the same neighbours within the volume, and leave out the taps that none of theirs reaches.

// Voxels in the order of z, x, sample, y.
typedef struct {
  int32_t z, x, y;
  int64_t sample;
} BatchVoxel;

// The sums of `voxels` voxels, those of slices [z0, z1) and columns [x0, x1) of the taps.
INLINE void convolveBatchTile(
  const int voxels, const int vectors, const Convolution3 *c, int64_t tapStride,
  const float *const *inputs, int z0, int z1, int x0, int x1, Floats sums[][2]) {
  Floats sum[PRODUCT32][2];
  UNROLL for (int v = 0; v < voxels; v++)
    UNROLL for (int k = 0; k < vectors; k++) sum[v][k] = splat(0);
  const int64_t channels = c->inputChannels, row = (c->width + 2) * channels;
  for (int z = z0; z < z1; z++)
    for (int y = 0; y < 3; y++)
      for (int x = x0; x < x1; x++) {
        const float *weights = c->weights + ((z * 3 + y) * 3 + x) * tapStride;
        const int64_t place = (z * (c->height + 2) + y) * row + x * channels;
        const float *from[PRODUCT32];
        UNROLL for (int v = 0; v < voxels; v++) from[v] = inputs[v] + place;
        for (int64_t j = 0; j < channels; j++, weights += vectors * LANES) {
          Floats w0 = LOAD(weights), w1 = vectors > 1 ? LOAD(weights + LANES) : w0;
          UNROLL for (int v = 0; v < voxels; v++) {
            sum[v][0] += from[v][j] * w0;
            if (vectors > 1) sum[v][1] += from[v][j] * w1;
          }
        }
      }
  UNROLL for (int v = 0; v < voxels; v++)
    UNROLL for (int k = 0; k < vectors; k++) sums[v][k] = sum[v][k];
}

// The tile of `count` voxels from `next` on, which becomes the one after it.
INLINE void convolveBatchVoxels(
  const int vectors, const Convolution3 *samples, int64_t batch, int64_t tapStride, int32_t block,
  BatchVoxel *next, int count) {
  const Convolution3 *c = samples;
  const int64_t row = (int64_t)(c->width + 2) * c->inputChannels, plane = (c->height + 2) * row;
  const float *inputs[PRODUCT32];
  BatchVoxel voxels[PRODUCT32];
  // Whether a voxel has a neighbour there.
  bool below = false, above = false, left = false, right = false;
  for (int v = 0; v < PRODUCT32; v++) {
    if (v >= count) {  // the rest of the tile repeats the last voxel
      inputs[v] = inputs[count - 1];
      continue;
    }
    const BatchVoxel here = voxels[v] = *next;
    inputs[v] = samples[here.sample].input + here.z * plane + here.y * row
                + (int64_t)here.x * c->inputChannels;
    below |= here.z > 0, above |= here.z + 1 < c->depth;
    left |= here.x > 0, right |= here.x + 1 < c->width;
    if (++next->y < c->height) continue;
    next->y = 0;
    if (++next->sample < batch) continue;
    next->sample = 0;
    if (++next->x < c->width) continue;
    next->x = 0;
    next->z++;
  }
  Floats sums[PRODUCT32][2];
  convolveBatchTile(
    PRODUCT32, vectors, c, tapStride, inputs, !below, 2 + above, !left, 2 + right, sums);
  for (int v = 0; v < count; v++) {
    const Convolution3 *s = samples + voxels[v].sample;
    const int32_t z = voxels[v].z, y = voxels[v].y;
    for (int k = 0; k < vectors; k++) {
      const int channel = block * s->lanes + k * LANES;
      if (channel >= s->outputChannels) break;
      const int64_t place = (int64_t)voxels[v].x * s->outputChannels + channel;
      finishVoxel(
        sums[v][k], s->bias ? s->bias + channel : 0,
        s->residual ? s->residual + z * s->residualPlane + y * s->residualRow + place : 0, s->leaky,
        s->output + z * s->outputPlane + y * s->outputRow + place, s->outputChannels - channel);
    }
  }
}

static void KERNEL(convolveBatch)(
  const Convolution3 *samples, int64_t batch, int64_t tapStride, int32_t block) {
  const Convolution3 *c = samples;
  const int64_t column = batch * c->height, slice = column * c->width, all = slice * c->depth;
  const int64_t zTaps = 3 * c->depth - 2, xTaps = 3 * c->width - 2;
  // Tiles end with the column, the slice or the volume, whatever takes the fewest taps.
#define TILES(voxels) ((voxels + PRODUCT32 - 1) / PRODUCT32)
  const int64_t costs[] = {
    TILES(column) * zTaps * xTaps, TILES(slice) * zTaps * 3, TILES(all) * 9};
#undef TILES
  int64_t run = all, least = costs[2];
  if (costs[1] < least) run = slice, least = costs[1];
  if (costs[0] < least) run = column;
  BatchVoxel next = {0};
  for (int64_t first = 0; first < all; first += run)
    for (int64_t voxel = 0; voxel < run; voxel += PRODUCT32) {
      const int count = run - voxel < PRODUCT32 ? (int)(run - voxel) : PRODUCT32;
      if (WIDEST == 32 && c->lanes == 32)
        convolveBatchVoxels(2, samples, batch, tapStride, block, &next, count);
      else convolveBatchVoxels(1, samples, batch, tapStride, block, &next, count);
    }
}

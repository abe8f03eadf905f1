// Kernels of the network in C: one table of functions an instruction set, chosen at run time.
// Activations are float32, channels-last: voxel n (or token n) has its channels at [n*channels].
#ifndef CKERNELS_H
#define CKERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A 3x3x3 convolution, stride 1, over a volume with a zero halo of one voxel on every side.
typedef struct {
  const float *input;     // [depth+2][height+2][width+2][inputChannels]
  const float *weights;   // [block][27 taps][inputChannels][lanes], zero beyond outputChannels
  const float *bias;      // [outputChannels] or NULL
  const float *residual;  // like output, added before the activation, or NULL
  float *output;          // voxel (z,y,x) at z*outputPlane + y*outputRow + x*outputChannels
  int64_t outputRow, outputPlane;
  int64_t residualRow, residualPlane;
  int32_t height, width, inputChannels, outputChannels;
  int32_t lanes;          // output channels of a weight block: 16 or 32
  bool leaky;             // LeakyReLU, slope 0.01
} Convolution3;

// Per channel: y = (x - mean) * scale + shift.
typedef struct {
  const float *mean, *scale, *shift;
} ChannelAffine;

typedef struct {
  const char *name;
  int32_t widestBlock;  // widest weight block that convolve3 takes

  // Rows [row0, row1) (row = z*height + y) of output blocks [block0, block1).
  void (*convolve3)(
    const Convolution3 *convolution, int64_t row0, int64_t row1, int32_t block0, int32_t block1);

  // tokens += position (in place); normalised = LayerNorm(tokens) (eps 1e-5), n tokens.
  void (*layerNorm)(
    float *tokens, const float *position, const float *weight, const float *bias,
    float *normalised, int64_t n, int64_t channels);

  // Softmax over each row of `columns` values, in place.
  void (*softmax)(float *values, int64_t rows, int64_t columns);

  // Adds to sum[channel] and squares[channel] the sums over n voxels, in double.
  void (*channelSums)(
    const float *values, int64_t n, int64_t channels, double *sum, double *squares);

  // rows of n voxels: output = affine(input) [+ residual], then LeakyReLU if leaky.
  void (*normalise)(
    const float *input, int64_t inputRow, const float *residual, int64_t residualRow,
    float *output, int64_t outputRow, int64_t rows, int64_t n, int64_t channels,
    ChannelAffine affine, bool leaky);

  // values = LeakyReLU(affine(values) + sum over inputs of planar[input] * factors[input] +
  // factors[inputs]), in place, n voxels; factors: [inputs + 1][channels].
  void (*normaliseShortcut)(
    float *values, const float *planar, int64_t plane, int64_t inputs, const float *factors,
    int64_t n, int64_t channels, ChannelAffine affine);

  // tokens += gamma * update over n tokens; also stored to `copy`.
  void (*scaledResidual)(
    float *tokens, const float *update, const float *gamma, float *copy, int64_t n,
    int64_t channels);

  // values += bias over n voxels.
  void (*addBias)(float *values, const float *bias, int64_t n, int64_t channels);
} KernelTable;

// The table of that name ("avx512", "avx2", "portable"), NULL if unknown or not of this machine.
const KernelTable *kernelsNamed(const char *name);
// The fastest table of this machine, or the one that SEGMENTD_ISA names if the machine has it.
const KernelTable *kernelsBest(void);

// Gathers the patches of a convolution whose kernel equals its stride from planar input
// [channels][depth][height][width]: one output row of (z, y), columns ordered [c][kz][ky][kx].
void gatherPlanar(
  const float *input, int64_t channels, int64_t depth, int64_t height, int64_t width, int64_t kz,
  int64_t ky, int64_t kx, int64_t z, int64_t y, float *rows);

// Planar rows to channels-last: output[x*channels + c] = input[c*plane + x].
void interleave(
  const float *input, int64_t plane, int64_t channels, int64_t n, float *output);

// Adds to sum[channels] and products[channels*channels] the sums over n voxels of planar input.
void planarMoments(
  const float *input, int64_t plane, int64_t channels, int64_t n, double *sum, double *products);

// result[i] = sum over blocks of sums[block*size + i], in double, in order.
void addUp(const float *sums, int64_t blocks, int64_t size, float *result);

// Threads that wait for work. `body(context, worker)` runs once for each worker 0..<count, worker
// 0 on the calling thread; returns when all are done. One caller at a time.
typedef struct WorkerPool WorkerPool;
WorkerPool *workerPoolCreate(int32_t count);
int32_t workerPoolCount(const WorkerPool *pool);
void workerPoolRun(WorkerPool *pool, void (*body)(void *context, int32_t worker), void *context);
void workerPoolDestroy(WorkerPool *pool);

#endif

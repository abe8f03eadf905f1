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
  int32_t depth, height, width, inputChannels, outputChannels;
  int32_t lanes;          // output channels of a weight block: 16 or 32
  bool leaky;             // LeakyReLU, slope 0.01
} Convolution3;

// Per channel: y = (x - mean) * scale + shift.
typedef struct {
  const float *mean, *scale, *shift;
} ChannelAffine;

// A 3x3x3 convolution, stride 1, padding 1, by minimal filtering in the plane or in all axes: tiles of 2x2 or 4x4
// outputs, row-major over a slice, (tile+2)^2 frequencies.
typedef struct {
  const float *input;     // voxel (z,y,x) at z*inputPlane + y*inputRow + x*inputChannels
  const float *taps;      // [block][27 taps][inputChannels][lanes], zero beyond outputChannels
  const float *weights;   // their transform: [frequency][block][3, deep 4][inputChannels][lanes]
  int64_t weightStride;   // floats from frequency to frequency
  const float *bias;      // [outputChannels] or NULL
  const float *residual;  // like output, added before the activation, or NULL
  float *output;          // voxel (z,y,x) at z*outputPlane + y*outputRow + x*outputChannels
  ChannelAffine affine;   // input = LeakyReLU(affine(input)) as it is read, if scale is not NULL
  int64_t inputRow, inputPlane, outputRow, outputPlane, residualRow, residualPlane;
  int32_t depth, height, width, inputChannels, outputChannels;
  int32_t lanes;          // output channels of a weight block: 16 or 32
  int32_t tile;           // 2 or 4
  bool deep;              // over depth too: two slices of outputs from four frequencies, F(2, 3)
  bool streams;           // stores pass the caches; the output's voxels are aligned to 64 bytes
  bool halo;              // the input has one voxel of zeros on every side
  bool leaky;             // LeakyReLU of the output, slope 0.01
} Winograd;

// output = (input · weights + bias + extra) * scale + residual; rows are in lines of `lineLength`.
typedef struct {
  const float *input;     // row n at n*inputStride
  const float *weights;   // [block][inner][lanes], zero beyond columns
  const float *bias;      // [columns] or NULL
  const float *extra;     // row n at n*extraStride, or NULL
  const float *scale;     // [columns] or NULL
  const float *residual;  // as output, or NULL
  float *output;          // row n at n/lineLength*outputLine + n%lineLength*outputStride
  int64_t inputStride, extraStride, lineLength;
  int64_t outputStride, outputLine, residualStride, residualLine;
  int32_t inner, columns;
  int32_t lanes;          // columns of a weight block: 16 or 32
} Product;

// A convolution's weights in PyTorch's order: tap t of input i and lane l at l*laneStride +
// i*inputStride + t; flipped, the taps are in the opposite order.
typedef struct {
  const float *weights;
  int64_t laneStride, inputStride;
  bool flipped;
} WeightSource;

// sums[row][column] = (or +=) the sum over `lines` lines of n of a[row*aRow] * b[column].
typedef struct {
  const float *a, *b;  // those of row i of a line at i*stride
  int64_t aStride, aRow, aLine;  // aRow: from row to row of the sums
  int64_t bStride, bLine, lines, n;
  int64_t linesOfSlice, bJump;  // b goes on by bJump after each so many lines, if not 0
  int32_t rows, columns;
  float *sums;  // [rows], sumsStride apart
  int64_t sumsStride;
  bool adds;
} OuterProducts;

// AdamW's constants of a step: values = values * keep - size * mean / (sqrt(square) / correction +
// epsilon), with the moments moved by share1 and share2 before.
typedef struct {
  float keep, scale, share1, beta2, share2, size, correction, epsilon;
} AdamW;

// Inputs [input0, input1) and outputs [output0, output1) of a convolution's weights, whose sums are
// rows of outputs, `stride` apart.
typedef struct {
  int32_t input0, input1, output0, output1;
  int64_t stride;
} ChannelBlock;

// Sums of a convolution's weight gradient in parts: of tile frequencies [f][z] or, tile 0, of taps.
typedef struct {
  const float *sums;  // output o of input i at i*inputStride + o, room for a multiple of 16 outputs
  int64_t tapStride, inputStride, partStride;
  int32_t parts, tile;
} GradientSums;

// The gradient of a normalisation of rows, y = LeakyReLU((x - mean) * scale + shift [+ residual]).
typedef struct {
  const float *input;     // x
  const float *gradient;  // of y
  const float *output;    // y, where mask is 1
  ChannelAffine affine;
  int32_t mask;           // LeakyReLU: 0 none, 1 by the output's sign, 2 by x (no residual)
  const float *factors;   // [3][channels]: dx = g * f0 - f1 - (x - mean) * f2
  float *before;          // g, the gradient before LeakyReLU, or NULL; may be `gradient`
  float *result;          // dx; may be `gradient` where `before` is not
  bool streams;           // stores of dx pass the caches; its rows are aligned to 64 bytes
  int64_t channels;
} NormGradient;

// The gradient of `attend`, of one block of tokens.
typedef struct {
  const float *queries;          // [n][heads*d]
  const float *keys, *values;    // [head][d][projection]
  const float *gradient;         // of the output: [d][head][tokens], at the block's first token
  float *queryGradient;          // [n][heads*d]
  float *keySums, *valueSums;    // [head][d][projection], of this block alone
  int64_t tokens;
  int32_t heads, d, projection;
} AttendGradient;

// The gradient of a 1x1x1 convolution to planar logits.
typedef struct {
  const float *values;    // its input, [n][channels]
  const float *gradient;  // of class k at k*plane
  const float *weights;   // [class][channel]
  float *result;          // (or +=) gradient of the values
  int64_t plane;
  int32_t channels, classes;
  bool adds;
} HeadGradient;

// Limits of the kernels' buffers on the stack.
enum { MOST_CHANNELS = 2048, MOST_PROJECTION = 1024, MOST_CLASSES = 1024 };

typedef struct {
  const char *name;
  int32_t widestBlock;  // widest weight block that convolve3 takes

  // Does `repetitions` times multiplyAddsEach multiplications with addition, in registers.
  float (*multiplyAdds)(int64_t repetitions);
  int64_t multiplyAddsEach;

  // Rows [row0, row1) (row = z*height + y) of output blocks [block0, block1).
  void (*convolve3)(
    const Convolution3 *convolution, int64_t row0, int64_t row1, int32_t block0, int32_t block1);

  // The same for one block of outputs of all samples of a batch, whose grid and channels are the same.
  // The weights are the first one's and of this block alone, taps `tapStride` floats apart.
  void (*convolveBatch)(
    const Convolution3 *samples, int64_t batch, int64_t tapStride, int32_t block);

  // Copies `runs` runs of `run` floats that follow one another to every `stride` floats of target.
  void (*spread)(const float *input, int64_t run, int64_t runs, float *target, int64_t stride);

  // One block of a convolution's packed weights: target[tap*tapStride + input*lanes + lane] of inputs
  // [input0, input1) = weights[lane*laneStride + input*inputStride + tap], `count` lanes, zero beyond;
  // flipped, the taps are in the opposite order.
  void (*packTaps)(
    const float *weights, int64_t laneStride, int64_t inputStride, int64_t input0, int64_t input1,
    int64_t tapStride, int32_t count, int32_t lanes, bool flipped, float *target);

  // Transforms the taps of inputs [input0, input1) of one block of outputs.
  void (*winogradWeights)(
    const Winograd *winograd, int32_t block, int32_t input0, int32_t input1, float *weights);

  // The same from weights in PyTorch's order.
  void (*winogradMasters)(
    const Winograd *winograd, const WeightSource *source, int32_t block, int32_t input0,
    int32_t input1, float *weights);

  // Transforms tiles [tile0, tile1) of input slice z; frequency f of a tile at target + f*stride.
  void (*winogradInput)(
    const Winograd *winograd, int32_t z, int32_t tile0, int32_t tile1, float *target,
    int64_t stride);

  // products[row] of each frequency = sum over the three slices (NULL: zeros) of row · weights.
  void (*winogradMultiply)(
    const Winograd *winograd, int32_t frequency0, int32_t frequency1, const float *const *slices,
    int64_t stride, int64_t rows, float *products, int64_t productStride);

  // The same, deep, of one frequency for two output slices, whose products are `slice` apart: from four
  // input slices (NULL: zeros) of that frequency, with scratch for depthFrequencies floats.
  void (*winogradMultiplyPair)(
    const Winograd *winograd, int32_t frequency, const float *const *slices, int64_t rows,
    float *products, int64_t slice, float *scratch);

  // Transforms the products of tiles [tile0, tile1) of output slice z, and stores the output. Adds
  // its sums and sums of squares to moments[2*outputChannels], if not NULL.
  void (*winogradOutput)(
    const Winograd *winograd, int32_t z, int32_t tile0, int32_t tile1, const float *products,
    int64_t stride, double *moments);

  // All three steps for tiles [tile0, tile1) of output slices [z0, z1), with winogradScratch floats.
  void (*winogradStrip)(
    const Winograd *winograd, int32_t tile0, int32_t tile1, int32_t z0, int32_t z1,
    float *scratch, double *moments);

  void (*outerProducts)(const OuterProducts *products);

  // The weight gradient of a convolution from its input and its output gradient, w->output.
  // Transforms tiles [tile0, tile1) of slice z of the output gradient, as winogradInput the input.
  void (*winogradGradient)(
    const Winograd *w, int32_t z, int32_t tile0, int32_t tile1, float *target, int64_t stride);

  // sums[frequency][dz][input][output] of a block of channels = (or +=) products of the transforms
  // of input slices [z0 - 1, z1 + 1) and output gradient slices [z0, z1), `tiles` a slice; several
  // samples only if [z0, z1) is the whole depth.
  void (*gradientProducts)(
    const Winograd *w, int64_t tiles, int32_t z0, int32_t z1, int64_t samples, const float *input,
    int64_t inputStride, const float *gradient, int64_t gradientStride, ChannelBlock block,
    float *sums, bool adds);

  // All of it for tiles [tile0, tile1) of slices [z0, z1), added to the sums; scratch for
  // (tile+2)^2 * (tiles*((z1-z0+2)*inputChannels + (z1-z0)*outputChannels) + 32) floats.
  void (*gradientStrip)(
    const Winograd *w, int32_t tile0, int32_t tile1, int32_t z0, int32_t z1, float *scratch,
    float *sums);

  // sums[tap][input][output] of a block of at most 16 inputs and 32 outputs = the sums over all voxels of
  // all samples.
  void (*directGradient)(
    const Winograd *samples, int64_t count, ChannelBlock block, float *sums);

  // sums[tap][input][output] += the sums over rows [row0, row1) (row = z*height + y); the input has a
  // halo.
  void (*narrowGradient)(const Winograd *w, int64_t row0, int64_t row1, float *sums);

  // gradient[output*outputStride + input*27 + tap] from the sums.
  void (*gradientTaps)(
    const GradientSums *sums, int64_t inputs, int64_t outputs, int64_t outputStride,
    float *gradient);

  // sums[channel] += Σ g, sums[channels + channel] += Σ g * (x - mean) over rows [row0, row1).
  void (*normSums)(const NormGradient *g, int64_t row0, int64_t row1, double *sums);
  // Writes dx (and g) of rows [row0, row1).
  void (*normGradient)(const NormGradient *g, int64_t row0, int64_t row1);

  // result += gradient of LayerNorm's input (eps 1e-5); position = (or +=) the new result, if not
  // NULL; sums[channels] += Σ gradient, sums[channels + ...] += Σ gradient * normalised input.
  void (*layerNormGradient)(
    const float *input, const float *gradient, const float *weight, int64_t n, int32_t channels,
    float *result, float *position, bool adds, double *sums);

  // result = x * factors [+ residual], n rows.
  void (*scaleRows)(
    const float *x, const float *factors, const float *residual, int64_t n, int32_t channels,
    float *result);
  // result = gradient * factors; sums[channel] += Σ gradient * x over n rows.
  void (*scaleGradient)(
    const float *gradient, const float *x, const float *factors, int64_t n, int32_t channels,
    float *result, double *sums);
  // result += x.
  void (*add)(const float *x, int64_t n, float *result);

  // One step of AdamW on n values, their gradients and their two moments.
  void (*adamW)(
    const AdamW *a, int64_t n, float *values, const float *gradients, float *first,
    float *second);

  // Scratch: attendGradientScratch floats.
  void (*attendGradient)(const AttendGradient *a, int64_t n, float *scratch);
  // sums: [class][channel] of the weights, then [class] of the bias.
  void (*headGradient)(const HeadGradient *h, int64_t n, float *sums);

  // Rows [row0, row1) of a product.
  void (*product)(const Product *product, int64_t row0, int64_t row1);

  // sum = tokens + position; normalised = LayerNorm(sum) (eps 1e-5), n tokens.
  void (*layerNorm)(
    const float *tokens, const float *position, const float *weight, const float *bias, float *sum,
    float *normalised, int64_t n, int64_t channels);

  // result[head][i][j] = sum over n tokens of a[head*d + i] * b[head*d + j].
  void (*headProducts)(
    const float *a, const float *b, int64_t n, int32_t channels, int32_t d, float *result);

  // output[j][head][token] = softmax(queries · keys) · values for n of `tokens` tokens; keys and
  // values: [head][d][projection].
  void (*attend)(
    const float *queries, int64_t n, const float *keys, const float *values, int32_t heads,
    int32_t d, int32_t projection, float *output, int64_t tokens);

  // planar[k*plane + voxel] = bias[k] + weights[k] · LeakyReLU(affine(values) + residual); residual
  // NULL: + weights[k] · values.
  void (*head)(
    const float *values, const float *residual, ChannelAffine affine, const float *weights,
    const float *bias, int64_t n, int32_t channels, int32_t classes, float *planar, int64_t plane);

  // sums[k*sumsPlane + x] += share * weights[x] * softmax over k of logits[k*plane + x], n voxels.
  // Reversed, the logits of sum x are those of voxel n-1-x. Weights NULL are 1.
  void (*addProbabilities)(
    const float *logits, int64_t plane, int32_t classes, const float *weights, float share,
    bool reversed, float *sums, int64_t sumsPlane, int64_t n);

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

  // output = LeakyReLU(affine(values) + sum over inputs of input[k*plane + voxel*step] * factors[k] +
  // factors[inputs]), n voxels; factors: [inputs + 1][channels].
  void (*normaliseShortcut)(
    const float *values, const float *input, int64_t plane, int64_t step, int64_t inputs,
    const float *factors, float *output, int64_t n, int64_t channels, ChannelAffine affine);
} KernelTable;

// The table of that name ("avx512", "avx2", "portable"), NULL if unknown or not of this machine.
const KernelTable *kernelsNamed(const char *name);
// The fastest table of this machine, or the one that SEGMENTD_ISA names if the machine has it.
const KernelTable *kernelsBest(void);

// result[coarse][fine][tap] += sum over parts of sums[part][line][group][coarse][width][fine of
// group], with tap = line*width + x.
void addPatchSums(
  const float *sums, int64_t parts, int64_t lines, int64_t groups, int64_t coarse, int64_t width,
  int64_t fine, int64_t first, int64_t end, float *result);

// Rows of which the products are made before they are transformed, deep in a strip, and rows whose
// frequencies of depth are made at a time where the channels are many.
enum { DEEP_TILES = 24, PAIR_ROWS = 12 };

// The floats of scratch that winogradStrip needs for a strip of `tiles` tiles.
int64_t winogradScratch(
  int32_t tile, bool deep, int64_t tiles, int32_t inputChannels, int32_t outputChannels);

// The floats of scratch that winogradMultiplyPair needs.
int64_t depthFrequencies(int32_t inputChannels);

// The floats of scratch that attendGradient needs for n tokens.
int64_t attendGradientScratch(int64_t n, int32_t heads, int32_t d, int32_t projection);

// Gathers the patches of a convolution whose kernel equals its stride from planar input
// [channels][depth][height][width]: one output row of (z, y), columns ordered [c][kz][ky][kx].
void gatherPlanar(
  const float *input, int64_t channels, int64_t depth, int64_t height, int64_t width, int64_t kz,
  int64_t ky, int64_t kx, int64_t z, int64_t y, float *rows);

// Planar rows to channels-last: output[x*channels + c] = input[c*plane + x].
void interleave(
  const float *input, int64_t plane, int64_t channels, int64_t n, float *output);

// Columns [column0, column1) of a packed matrix: row a*countB + b of column c is
// weights[(c - column0)*columnStride + a*strideA + b*strideB]; target: [block][row][lanes].
void packColumns(
  const float *weights, int64_t columnStride, int64_t column0, int64_t column1, int64_t countA,
  int64_t strideA, int64_t countB, int64_t strideB, int32_t lanes, float *target);

// Adds to sum[channels] and products[channels*channels] the sums over n voxels of planar input.
void planarMoments(
  const float *input, int64_t plane, int64_t channels, int64_t n, double *sum, double *products);

// result[i] = sum over blocks of sums[block*stride + i], in double, in order.
void addUp(const float *sums, int64_t blocks, int64_t stride, int64_t size, float *result);
// The same added to what the result held.
void addTo(const float *sums, int64_t blocks, int64_t stride, int64_t size, float *result);

// Threads that wait for work. `body(context, worker)` runs once for each worker 0..<count, worker
// 0 on the calling thread; returns when all are done. One caller at a time.
typedef struct WorkerPool WorkerPool;
WorkerPool *workerPoolCreate(int32_t count);
int32_t workerPoolCount(const WorkerPool *pool);
void workerPoolRun(WorkerPool *pool, void (*body)(void *context, int32_t worker), void *context);
// Runs `body(context, block, worker)` once for each block 0..<count. A worker begins with a contiguous
// share, in order; one that has finished takes the last blocks of another's share.
void workerPoolRunBlocks(
  WorkerPool *pool, int32_t count, void (*body)(void *context, int64_t block, int32_t worker),
  void *context);
void workerPoolDestroy(WorkerPool *pool);

#endif

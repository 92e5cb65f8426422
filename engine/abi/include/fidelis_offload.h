/* The contract between Fidelis and a plug-in that runs models on another device.
   Generated from engine/abi/src, where every rule is written down; do not edit. */

#ifndef FIDELIS_OFFLOAD_H
#define FIDELIS_OFFLOAD_H

#include <stddef.h>
#include <stdint.h>

// The version of this contract. It changes when anything does; functions may be appended to [`Api`] without.
#define Fidelis_VERSION 1

// Stands for "none" where an index is optional.
#define Fidelis_NONE UINT32_MAX

// An open device; opaque.
typedef struct FidelisDevice FidelisDevice;

// A model ready to run on a device; opaque.
typedef struct FidelisPlan FidelisPlan;

// A text of up to 508 bytes, owned by who holds the structure.
typedef struct FidelisText {
  // Bytes in use; a reader takes more than there are as all of them.
  uint32_t length;
  // UTF-8, without a terminating zero.
  uint8_t bytes[508];
} FidelisText;

// How a call ended. A number, so that one that a host does not know is not undefined behaviour.
typedef uint32_t FidelisStatus;
// As asked.
#define FidelisStatus_OK 0
// The caller broke the contract: an index out of range, a length that does not fit, a position beyond the context.
#define FidelisStatus_INVALID 1
// There is no device with this index, or none at all.
#define FidelisStatus_NO_DEVICE 2
// The device cannot do an operation, a format or a size; [`Message::op`] says which operation. Nothing is
// converted to something else instead.
#define FidelisStatus_UNSUPPORTED 3
// The device's memory does not suffice; [`Message::needed`] and [`Message::available`] say how far.
#define FidelisStatus_OUT_OF_MEMORY 4
// The device vanished or was reset.
#define FidelisStatus_DEVICE_LOST 5
// A result is not a number or infinite, or a key or value is more than the cache's format holds;
// [`Message::op`] says where, if it is known. The plan remembers what it did before the step.
#define FidelisStatus_NON_FINITE 6
// The plug-in panicked.
#define FidelisStatus_PANICKED 7
// The device did not finish in time.
#define FidelisStatus_TIMED_OUT 8
// Anything else: the message says what.
#define FidelisStatus_INTERNAL 9

// What a device is.
typedef uint32_t FidelisDeviceKind;
// Not known.
#define FidelisDeviceKind_OTHER 0
// A GPU with memory of its own.
#define FidelisDeviceKind_DISCRETE 1
// A GPU that shares the CPU's memory.
#define FidelisDeviceKind_INTEGRATED 2
// A part of a GPU, behind a virtual machine.
#define FidelisDeviceKind_VIRTUAL 3
// The CPU, playing a GPU.
#define FidelisDeviceKind_SOFTWARE 4

// A device that could be opened. Limits that do not apply or are not known are 0.
typedef struct FidelisDeviceInfo {
  // What it is.
  FidelisDeviceKind kind;
  // The vendor's PCI number.
  uint32_t vendor;
  // The device's PCI number.
  uint32_t device;
  // Threads of a subgroup, at least.
  uint32_t subgroup_least;
  // Threads of a subgroup, at most.
  uint32_t subgroup_most;
  // Threads of a workgroup, at most.
  uint32_t workgroup_threads;
  // Bytes of memory that a workgroup shares.
  uint32_t workgroup_bytes;
  // Zero.
  uint32_t reserved;
  // Bytes of memory in all.
  uint64_t memory;
  // Bytes of one buffer, at most.
  uint64_t buffer_bytes;
  // Bytes of a buffer that a shader sees at once, at most.
  uint64_t binding_bytes;
  // The device's name.
  struct FidelisText name;
  // The driver's name and version.
  struct FidelisText driver;
  // The programming interface, such as `Vulkan`.
  struct FidelisText interface;
  // Features that the plug-in would use, separated by commas.
  struct FidelisText features;
} FidelisDeviceInfo;

// What a failed call says besides its status. The caller makes it, [`Self::empty`], and owns it.
typedef struct FidelisMessage {
  // With [`Status::OUT_OF_MEMORY`], bytes that what was asked for takes in all; 0: unknown.
  uint64_t needed;
  // With [`Status::OUT_OF_MEMORY`], bytes that can be had; 0: unknown.
  uint64_t available;
  // The index of the operation at fault in [`crate::Description::ops`]; [`NONE`] if there is none or it is not known.
  uint32_t op;
  // Zero.
  uint32_t reserved;
  // One line for people, lower case, no full stop.
  struct FidelisText text;
} FidelisMessage;

// Bytes of memory, of a device or for a model; 0: unknown.
typedef struct FidelisMemory {
  // The device's memory.
  uint64_t total;
  // What of it can be had, this plug-in's own included.
  uint64_t available;
  // For weights: those that are uploaded, or, from [`crate::Api::supports`], would be.
  uint64_t weights;
  // For keys, values and intermediates: of the plans that are there, or, from [`crate::Api::supports`], of the one described.
  uint64_t plans;
} FidelisMemory;

// What an operation does.
typedef uint32_t FidelisOpKind;
// `out = scale · weight[token]`. `scale` is to be rounded to `f32` once.
#define FidelisOpKind_EMBED 1
// `out = a / √(mean a² + epsilon) · weight`, for each of `heads` equal parts of a row; the weight is as wide as a part.
#define FidelisOpKind_NORM 2
// `out[j] = weight[first + j] · a`, for as many rows as `out` is wide.
#define FidelisOpKind_MAT_MUL 3
// `out = a + weight`.
#define FidelisOpKind_BIAS 4
// `out =` each of `heads` parts of `a` turned by the angles of `rope` at its token's position.
#define FidelisOpKind_ROPE 5
// Attention of `heads` query heads; also writes the step's keys and values to `cache`.
//
// `a` is the query `[tokens, heads · key_width]`, `b` the key `[tokens, cache.heads · key_width]`, `c` the value
// `[tokens, cache.heads · value_width]`, `out` is `[tokens, heads · value_width]`. Query head `h` reads head
// `h / (heads / cache.heads)` of the cache. For a token at position `p`, over the positions `t` from 0, or from
// `p + 1 − window` if there is a window, to `p`:
//
// ```text
// s[t] = score_scale · Σ (scale · query) · key[t]
// s[t] = cap · tanh(s[t] / cap)                      if cap > 0
// out  = Σ softmax(s)[t] · value[t]
// ```
//
// Positions of the step's own tokens are seen through the cache, after rounding to its format.
#define FidelisOpKind_ATTEND 6
// `out = activate(a) · b`.
#define FidelisOpKind_GATE 7
// `out = a + b`.
#define FidelisOpKind_ADD 8
// `out = cap · tanh(a / cap)`.
#define FidelisOpKind_SOFT_CAP 9

// A non-linearity.
typedef uint32_t FidelisActivate;
// `x · σ(x)`.
#define FidelisActivate_SILU 0
// `x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))`.
#define FidelisActivate_GELU_TANH 1

// One operation. Fields that its kind does not name are [`NONE`] (indices) or 0.
typedef struct FidelisOp {
  // What it does, and which fields it reads.
  FidelisOpKind kind;
  // The result: an index of an activation. No two operations have the same, and none reads it before this one.
  uint32_t out;
  // The first operand: an index of an activation.
  uint32_t a;
  // The second operand.
  uint32_t b;
  // The third operand.
  uint32_t c;
  // An index of a weight.
  uint32_t weight;
  // The first row of the weight in use.
  uint32_t first;
  // Equal parts of a row.
  uint32_t heads;
  // An index of a rotary table.
  uint32_t rope;
  // An index of a cache. No two operations have the same.
  uint32_t cache;
  // The non-linearity.
  FidelisActivate activate;
  // Added to a mean square.
  float epsilon;
  // The bound of a soft cap; 0: none.
  float cap;
  // Zero.
  uint32_t reserved;
  // Multiplies an embedding or a query.
  double scale;
  // Multiplies scores before the cap.
  double score_scale;
} FidelisOp;

// An intermediate.
typedef struct FidelisActivation {
  // Values per token.
  uint32_t width;
  // [`Self::OBSERVED`] or 0.
  uint32_t flags;
} FidelisActivation;
// Steps may list it in their reads, so it must not be fused away or overwritten before the step ends.
#define FidelisActivation_OBSERVED 1

// A weight: `rows` rows of `width` values, row after row, each a whole number of GGML blocks. A vector has one row.
typedef struct FidelisWeight {
  // What [`crate::Api::weight`] gave. [`crate::Api::supports`] and [`crate::Api::weight`] do not look at it.
  uint64_t id;
  // Rows.
  uint64_t rows;
  // Values in a row.
  uint64_t width;
  // GGML's number of the format: 0 is F32, 1 F16, 8 Q8_0, 12 Q4_K, and so on.
  uint32_t format;
  // Zero.
  uint32_t reserved;
} FidelisWeight;

// Which elements of a head are turned together.
typedef uint32_t FidelisPairing;
// `(2 i, 2 i + 1)`.
#define FidelisPairing_INTERLEAVED 0
// `(i, i + pairs)`.
#define FidelisPairing_HALVES 1

// A rotary table: at position `p`, pair `i` is turned by `p · frequencies[i]` and multiplied by `magnitude`.
//
// Angles are to be formed in 64-bit floats: in 32-bit ones they are wrong at large positions.
typedef struct FidelisRope {
  // Radians per position, one for each pair. Read within the call.
  const double *frequencies;
  // What sines and cosines are multiplied with.
  double magnitude;
  // Pairs; the first `2 · pairs` elements of a head are turned, the others pass.
  uint32_t pairs;
  // Which elements form a pair.
  FidelisPairing pairing;
} FidelisRope;

// The keys and values that one layer remembers. They belong to the plan.
typedef struct FidelisCache {
  // Heads of keys and of values.
  uint32_t heads;
  // Elements of a key.
  uint32_t key_width;
  // Elements of a value.
  uint32_t value_width;
  // How many positions a query sees, itself included; 0: all.
  uint32_t window;
  // GGML's number of the format that elements are rounded to: 0 F32, 1 F16, 8 Q8_0.
  uint32_t format;
} FidelisCache;

// Which of the engine's tiers numbers are held in.
typedef uint32_t FidelisTier;
// In a [`crate::Description`]: the plug-in chooses.
#define FidelisTier_ANY 0
// Integer weights as stored times bytes: activations are rounded to signed bytes with one scale per 32 values,
// `scale = max |x| / 127`; a product's sums within a group of 32 are exact.
#define FidelisTier_FAST 1
// Weights decoded to 32-bit floats; activations as [`Profile::decode`] and [`Profile::prefill`] say.
#define FidelisTier_F32 2

// A model, or a part of one. Copied within the call, with all it points to.
//
// A part of a model has an `input` that is not computed by its operations: the host hands it over at every step, and no
// [`OpKind::EMBED`] is needed. Likewise its `output` may be any activation.
typedef struct FidelisDescription {
  // The operations, in order.
  const struct FidelisOp *ops;
  // The intermediates.
  const struct FidelisActivation *activations;
  // The weights.
  const struct FidelisWeight *weights;
  // The rotary tables.
  const struct FidelisRope *ropes;
  // The caches.
  const struct FidelisCache *caches;
  // Operations, at least 1.
  uint32_t op_count;
  // Intermediates.
  uint32_t activation_count;
  // Weights.
  uint32_t weight_count;
  // Rotary tables.
  uint32_t rope_count;
  // Caches.
  uint32_t cache_count;
  // Positions to remember, at least 1.
  uint32_t context;
  // Tokens of a step, at most; at least 1.
  uint32_t batch;
  // Rows of the output that a step asks for, at most; at least 1.
  uint32_t output_rows;
  // The activation that the host hands over, or [`NONE`]: the step's token ids are the input.
  uint32_t input;
  // The activation that steps give back: logits, or what the host goes on with.
  uint32_t output;
  // What numbers are to mean. A plug-in that cannot do so says [`crate::Status::UNSUPPORTED`].
  FidelisTier tier;
  // Zero.
  uint32_t reserved;
} FidelisDescription;

// What is known of a plan once it is made.
typedef struct FidelisPlanned {
  // Bytes of its keys, values and intermediates.
  uint64_t bytes;
  // A cache with a window holds that many positions behind the newest beyond its window, at least: after `most`
  // positions a step may begin at any position `p` with `p + 1 + spare >= most`. `u32::MAX`: at any. Here `most` is the end of
  // the furthest step since the last one at position 0: going back does not bring back what was overwritten.
  //
  // Steps of a plan without windows, steps at position 0, and steps while `most` is not above the smallest window plus
  // `spare` may begin anywhere up to where the last one ended. One that begins where the last one ended always may.
  uint32_t spare;
  // Zero.
  uint32_t reserved;
} FidelisPlanned;

// How the activations that a matrix product reads are rounded.
typedef uint32_t FidelisInputs;
// Not at all: 32-bit floats.
#define FidelisInputs_F32 0
// To 16-bit floats, 11 bits of significand.
#define FidelisInputs_F16 1
// To signed bytes, `max |x| / 127` for every 32.
#define FidelisInputs_BYTES 2
// To two signed bytes, `256 high + low`, `max |x| / 32767` for every 32 or finer.
#define FidelisInputs_WORDS 3

// What a plan's numbers mean: enough to derive a bound for its error.
typedef struct FidelisProfile {
  // The tier whose meaning products with integer formats have. Never [`Tier::ANY`].
  FidelisTier tier;
  // How products round what they read, for steps of few tokens.
  FidelisInputs decode;
  // How products round what they read, for the other steps.
  FidelisInputs prefill;
  // Steps of so many tokens and more are the other steps; `u32::MAX`: none is.
  uint32_t prefill_from;
  // A sum of floats has at most that many additions in a row before it is joined with others, for rows of 4096;
  // what an error bound may take as the length of a sum. 0: as many as the row has elements.
  uint32_t chain;
  // Any of [`Self::CONTRACTS`], [`Self::FLUSHES`] and [`Self::SAME_BITS`].
  uint32_t flags;
  // The same for people, one line.
  struct FidelisText text;
} FidelisProfile;
// A product and a sum may be fused into one rounding.
#define FidelisProfile_CONTRACTS 1
// Subnormal floats may become zero.
#define FidelisProfile_FLUSHES 2
// Logits are the bits of the CPU's tier.
#define FidelisProfile_SAME_BITS 4

// Which tokens of a step the output is wanted of.
typedef uint32_t FidelisRows;
// Of none: the step only remembers.
#define FidelisRows_NONE 0
// Of the last.
#define FidelisRows_LAST 1
// Of every one; their number is at most [`crate::Description::output_rows`].
#define FidelisRows_ALL 2

// Some tokens that follow those that the plan has read.
typedef struct FidelisStep {
  // `count` token ids, each below the rows of the embedding; null if the description has an input.
  const uint32_t *tokens;
  // The input `[count, width]`; null if the description has none.
  const float *input;
  // Where the wanted rows of the output go, `[rows, width]`; null if they are not wanted by the host, which
  // makes sense only with [`Self::ARGMAX`] or [`Rows::NONE`].
  float *output;
  // Tokens: at least 1, at most [`crate::Description::batch`].
  uint32_t count;
  // The position of the first: how many were read before. Less than that goes back, as far as
  // [`crate::Planned::spare`] allows; what was read from there on is forgotten.
  uint32_t position;
  // Which rows of the output are wanted.
  FidelisRows rows;
  // [`Self::ARGMAX`] or 0.
  uint32_t flags;
  // With [`Self::ARGMAX`], how many elements of a row are eligible: those beyond are padding. At least 1.
  uint32_t choices;
  // Zero.
  uint32_t reserved;
} FidelisStep;
// The index of the largest element of the last row is wanted as [`Outcome::token`]; rows are not [`Rows::NONE`].
// An eligible element that is not finite is [`crate::Status::NON_FINITE`]: a host that does not see the row cannot tell.
#define FidelisStep_ARGMAX 1

// An observed activation that is wanted of a step.
//
// It has a row for every token of the step; but one that is computed after the last [`crate::OpKind::ATTEND`] of the
// description has rows only for the tokens that [`Step::rows`] names.
typedef struct FidelisRead {
  // Where the values go, `[rows, width]`.
  float *host;
  // Values that fit there: exactly those that there are.
  uint64_t length;
  // The activation.
  uint32_t activation;
  // Zero.
  uint32_t reserved;
} FidelisRead;

// What comes back besides the output.
typedef struct FidelisOutcome {
  // With [`Step::ARGMAX`], the index of the largest eligible element of the last row, of equal ones the first.
  uint32_t token;
  // Zero.
  uint32_t reserved;
  // Nanoseconds that the device worked; 0: not measured.
  uint64_t nanoseconds;
} FidelisOutcome;

// Tokens chosen one after another on the device: every one is the largest of its logits.
//
// The same as so many steps of one token with [`Step::ARGMAX`], except that the token does not come back in between.
// A plug-in may prepare and run steps ahead of a token that ends the answer; the host goes on from what it was given.
typedef struct FidelisGreedy {
  // Token ids that end it; the one that did is the last one given.
  const uint32_t *ends;
  // Where the chosen tokens go: room for `count`.
  uint32_t *tokens;
  // Token ids that end it: how many.
  uint32_t end_count;
  // The first token to read.
  uint32_t token;
  // Its position.
  uint32_t position;
  // Tokens to choose, at most; at least 1. `position + count` is at most the context.
  uint32_t count;
  // How many logits are eligible: those beyond are padding.
  uint32_t choices;
  // Zero.
  uint32_t reserved;
} FidelisGreedy;

// Everything that a plug-in does. See the crate's documentation for the rules that hold for every function.
typedef struct FidelisApi {
  // [`VERSION`]. A host reads this and `size` first, and nothing else if they are not what it needs.
  uint32_t version;
  // Bytes of the table. More than the host knows are later functions.
  uint32_t size;
  // The plug-in's name and version, for people.
  //
  // Any thread. `text` is written.
  void (*about)(struct FidelisText *text);
  // Lists the devices there are: writes those that fit to `infos`, and how many there are to `count`.
  //
  // Any thread. With a `capacity` of 0, `infos` may be null. The order is the same until the process ends; the first is the best.
  //
  // Errors: [`Status::INTERNAL`]. That there are none is no error.
  FidelisStatus (*devices)(struct FidelisDeviceInfo *infos,
                           uint32_t capacity,
                           uint32_t *count,
                           struct FidelisMessage *message);
  // Opens the device of this index in the list.
  //
  // Any thread. The result is freed by [`Self::close`]. One device may be opened several times.
  //
  // Errors: [`Status::NO_DEVICE`], [`Status::UNSUPPORTED`] if it lacks something that everything needs,
  // [`Status::OUT_OF_MEMORY`], [`Status::INTERNAL`].
  FidelisStatus (*open)(uint32_t index, struct FidelisDevice **device, struct FidelisMessage *message);
  // Frees a device with its weights. Its plans must have been dropped. Null does nothing.
  void (*close)(struct FidelisDevice *device);
  // How much memory the device has, and what is in use.
  FidelisStatus (*memory)(struct FidelisDevice *device, struct FidelisMemory *memory, struct FidelisMessage *message);
  // Says whether a plan could be made, and what memory it and its weights would take, without making anything.
  //
  // Weights need not exist; `memory` is written even with [`Status::OUT_OF_MEMORY`]. With a description of one
  // operation this says whether the device can do that operation.
  //
  // Errors: [`Status::UNSUPPORTED`], naming the first operation, format or size that the device cannot do;
  // [`Status::OUT_OF_MEMORY`]; [`Status::INVALID`] for a description that contradicts itself.
  FidelisStatus (*supports)(struct FidelisDevice *device,
                            const struct FidelisDescription *description,
                            struct FidelisMemory *memory,
                            struct FidelisMessage *message);
  // Makes room for a weight and gives its id, which is not 0.
  //
  // Freed by [`Self::drop_weight`] or with the device. Its values are unspecified until all its rows are uploaded.
  //
  // Errors: [`Status::UNSUPPORTED`] for its format or size, [`Status::OUT_OF_MEMORY`], [`Status::DEVICE_LOST`].
  FidelisStatus (*weight)(struct FidelisDevice *device,
                          const struct FidelisWeight *weight,
                          uint64_t *id,
                          struct FidelisMessage *message);
  // Uploads whole rows of a weight: `rows` rows from `first`, `length` bytes, in the format's own layout.
  //
  // `bytes` is read within the call, may lie in a mapped file, and is aligned to nothing. Rows may come in any order and in
  // pieces of any size; a host uses some MiB at a time, to show progress.
  //
  // Errors: [`Status::INVALID`], [`Status::OUT_OF_MEMORY`], [`Status::DEVICE_LOST`].
  FidelisStatus (*upload)(struct FidelisDevice *device,
                          uint64_t id,
                          uint64_t first,
                          uint64_t rows,
                          const uint8_t *bytes,
                          uint64_t length,
                          struct FidelisMessage *message);
  // Frees a weight that no plan uses.
  //
  // Errors: [`Status::INVALID`].
  FidelisStatus (*drop_weight)(struct FidelisDevice *device, uint64_t id, struct FidelisMessage *message);
  // Makes a model ready to run: shaders, bindings, memory for keys, values and intermediates.
  //
  // All rows of its weights have been uploaded. Freed by [`Self::drop_plan`], before its device. It has read nothing.
  //
  // Errors: as for [`Self::supports`], and [`Status::DEVICE_LOST`].
  FidelisStatus (*plan)(struct FidelisDevice *device,
                        const struct FidelisDescription *description,
                        struct FidelisPlan **plan,
                        struct FidelisPlanned *planned,
                        struct FidelisMessage *message);
  // Frees a plan. Null does nothing.
  void (*drop_plan)(struct FidelisPlan *plan);
  // What the plan's numbers mean.
  FidelisStatus (*profile)(struct FidelisPlan *plan, struct FidelisProfile *profile, struct FidelisMessage *message);
  // Runs a step: reads tokens or an input, remembers keys and values, writes the output and the `read_count` observed activations.
  //
  // `outcome` is written. The plan counts positions: a step begins at the position where the last one ended, or before.
  //
  // Errors: [`Status::INVALID`], [`Status::NON_FINITE`], [`Status::DEVICE_LOST`], [`Status::TIMED_OUT`].
  FidelisStatus (*run)(struct FidelisPlan *plan,
                       const struct FidelisStep *step,
                       const struct FidelisRead *reads,
                       uint32_t read_count,
                       struct FidelisOutcome *outcome,
                       struct FidelisMessage *message);
  // Chooses tokens on the device; how many goes to `produced`. Null in the table: the plug-in cannot.
  //
  // Errors: as for [`Self::run`]. With [`Status::NON_FINITE`], `produced` and the tokens so far are written.
  FidelisStatus (*greedy)(struct FidelisPlan *plan,
                          const struct FidelisGreedy *greedy,
                          uint32_t *produced,
                          struct FidelisMessage *message);
} FidelisApi;

// The exported function. `host_version` is the host's [`VERSION`]; null: the plug-in does not speak it.
//
// It may be called from any thread, does no work, and gives the same pointer every time: a table that lives as long as the process.
typedef const struct FidelisApi *(*FidelisEntry)(uint32_t host_version);

#endif  /* FIDELIS_OFFLOAD_H */

#ifdef __cplusplus
extern "C" {
#endif

/* What a plug-in exports, and nothing else. */
const struct FidelisApi *fidelis_offload_entry(uint32_t host_version);

#ifdef __cplusplus
}
#endif

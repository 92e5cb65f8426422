/* Fidelis: GGUF language models on the CPU, with the same bits on every machine.
   Generated from engine/c/src; do not edit.

   Errors. Every function that can fail returns a fidelis_status and takes, last, the caller's fidelis_error, which may be NULL; it gets
   the status and a line for people. After a failure the other results are unspecified, unless said otherwise, and nothing is handed over.

   Pointers are NULL only where that is said, aligned for what they point to, and valid for as many elements as the count beside them says;
   with a count of 0 they may be NULL. NULL elsewhere is FIDELIS_INVALID. What a function is given it copies, or uses within the call alone,
   unless said otherwise; what it gives is the library's and stays valid as long as is said.

   Texts are UTF-8. A length of FIDELIS_NUL_ENDED is that of a text that ends with NUL.

   Results of unknown length go to the caller's buffer: with a capacity of 0 (the buffer may be NULL) the call succeeds and says the length
   alone; with one that is too small it says the length too, returns FIDELIS_TOO_SMALL and writes nothing else. Texts get a NUL behind them,
   which counts in the capacity and not in the length.

   Structures that begin with struct_size grow at their end. fidelis_..._default_params() sets it; or set it to the structure's sizeof and
   everything that you do not mean to 0 only where 0 is the default. A smaller one than the library's is taken with defaults for the rest; a
   larger one if what the library does not know is 0, and else refused. NULL parameters are the defaults.

   Threads. Each function says who may call it when. A second call that uses a session or a sampler meanwhile, also from a callback of the first,
   is FIDELIS_BUSY. Callbacks are called within the call, and must not unwind or longjmp.

   Results. One model file, one list of token ids, one tier and one cache give the same logits, bit for bit, for every level, number of threads and batch. */


#ifndef FIDELIS_H
#define FIDELIS_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#  if defined(FIDELIS_BUILD)
#    define FIDELIS_API __declspec(dllexport)
#  elif defined(FIDELIS_STATIC)
#    define FIDELIS_API
#  else
#    define FIDELIS_API __declspec(dllimport)
#  endif
#elif defined(__GNUC__)
#  define FIDELIS_API __attribute__((visibility("default")))
#else
#  define FIDELIS_API
#endif

// The length of a text that ends with NUL.
#define FIDELIS_NUL_ENDED SIZE_MAX

// Stands for no token.
#define FIDELIS_NO_TOKEN UINT32_MAX

// With fidelis_tokenize: text that spells a control token is that token. Not for text that is not trusted.
#define FIDELIS_TOKENIZE_SPECIAL 1

// With fidelis_tokenize: the tokens for a beginning and an end are added as the file says.
#define FIDELIS_TOKENIZE_BOS 2

// A model file that was read; opaque.
typedef struct fidelis_model fidelis_model;

// Chooses tokens; opaque. An answer that is being made keeps its sampler when that is freed.
typedef struct fidelis_sampler fidelis_sampler;

// A conversation with a model: what it has read, and an answer that is being made; opaque. It keeps its model.
typedef struct fidelis_session fidelis_session;

// What a constraint is written as.
typedef uint32_t fidelis_form;

// When an answer ends besides where the model ends it.
typedef struct fidelis_answer_params {
  // sizeof(fidelis_answer_params).
  uint32_t struct_size;
  // Tokens at most; 0: until the model ends or the context is full.
  uint32_t max_tokens;
  // NULL: texts that end the answer and are no part of it, each ending with NUL.
  const char *const *stop_texts;
  // 0: how many.
  size_t stop_text_count;
  // 0; 1: tokens that would end the answer are passed over.
  uint32_t ignore_end;
  // FIDELIS_FORM_NONE; else what `constraint` is.
  fidelis_form form;
  // NULL: what the answer keeps to, ending with NUL. An answer that is complete, and that nothing may follow, ends.
  const char *constraint;
} fidelis_answer_params;

// How a call ended. More may be added: take numbers that you do not know as FIDELIS_INTERNAL.
typedef uint32_t fidelis_status;

// What a call says when it ends. The caller owns it; every call that is given it writes it. It never grows.
typedef struct fidelis_error {
  // The same as the call returns.
  fidelis_status status;
  // Bytes of the message, without the NUL.
  uint32_t length;
  // One line of UTF-8, lower case, without a full stop, cut to what fits; ends with NUL. Empty after FIDELIS_OK.
  char message[504];
} fidelis_error;

// One turn of a conversation.
typedef struct fidelis_message {
  // "system", "user" or "assistant"; ends with NUL.
  const char *role;
  // What was said; ends with NUL.
  const char *content;
} fidelis_message;

// Why an answer ended.
typedef uint32_t fidelis_stop;

// A piece of an answer.
typedef struct fidelis_piece {
  // Whole characters, often none; ends with NUL. Valid until the next piece is asked for or the session is freed.
  const char *text;
  // Bytes of the text, without the NUL.
  size_t length;
  // The token; FIDELIS_NO_TOKEN with the last piece.
  uint32_t token;
  // Not FIDELIS_STOP_NONE: this is the last piece, of what was held back.
  fidelis_stop stop;
} fidelis_piece;

// Given each piece of an answer. 0: no more is wanted.
typedef int (*fidelis_reader)(const struct fidelis_piece *piece, void *user);

// Told how far loading is, from 0 to 1. 0 breaks it off.
typedef int (*fidelis_progress)(float fraction, void *user);

// How a model is loaded.
typedef struct fidelis_model_params {
  // sizeof(fidelis_model_params).
  uint32_t struct_size;
  // 0.
  uint32_t reserved;
  // May be NULL.
  fidelis_progress progress;
  // Given to progress.
  void *user;
} fidelis_model_params;

// What is known of a model.
typedef struct fidelis_model_info {
  // sizeof(fidelis_model_info), set by the caller.
  uint32_t struct_size;
  // Positions that it was trained for.
  uint32_t context;
  // Tokens that have a text; ids are below it.
  uint32_t vocabulary;
  // Elements of a hidden state.
  uint32_t width;
  // Layers.
  uint32_t layers;
  // The token that a text begins with; FIDELIS_NO_TOKEN: none.
  uint32_t bos;
  // The token that a text ends with; FIDELIS_NO_TOKEN: none.
  uint32_t eos;
  // 1 if the file has a chat template, else 0.
  uint32_t has_chat_template;
  // Weights, norms and factors in all.
  uint64_t parameters;
  // Bytes of all parts of the file.
  uint64_t bytes;
} fidelis_model_info;

// A number that is added to a token's logit; minus infinity: never choose it.
typedef struct fidelis_logit_bias {
  // The token.
  uint32_t token;
  // What is added.
  float bias;
} fidelis_logit_bias;

// How tokens are chosen: llama.cpp's settings and defaults, by the rules of fidelis-sampling-1 (engine/src/sample.rs).
typedef struct fidelis_sampler_params {
  // sizeof(fidelis_sampler_params).
  uint32_t struct_size;
  // 0.8; 0 or less: the likeliest of what the other settings leave.
  float temperature;
  // 0. One seed, one model and one prompt give the same text everywhere.
  uint64_t seed;
  // 40: keeps so many of the likeliest; 0: all.
  int32_t top_k;
  // 0.95: keeps so much probability; 1: all.
  float top_p;
  // 0.05: keeps what is so probable relative to the best; 0: all.
  float min_p;
  // 1: typical sampling; 1: off.
  float typical;
  // -1: keeps what is within so many standard deviations of the best; 0 or less: all.
  float top_n_sigma;
  // 0: the chance that top choices are excluded.
  float xtc_probability;
  // 0.1: what counts as a top choice.
  float xtc_threshold;
  // 0: how far the temperature moves with the entropy.
  float dynatemp_range;
  // 1: the exponent of the entropy.
  float dynatemp_exponent;
  // 64: tokens that penalties look back on; -1: all.
  int32_t repeat_last_n;
  // 1: divides the logits of repeated tokens; 1: off.
  float repeat_penalty;
  // 0: taken off per occurrence.
  float frequency_penalty;
  // 0: taken off once.
  float presence_penalty;
  // 0: the scale of DRY; 0: off.
  float dry_multiplier;
  // 1.75: the base of DRY.
  float dry_base;
  // 2: repetitions of this length are free.
  int32_t dry_allowed_length;
  // -1: tokens that DRY looks back on; -1: all.
  int32_t dry_penalty_last_n;
  // 0: 1 or 2 is mirostat of that version, in place of the chain.
  uint32_t mirostat;
  // 5: mirostat's target, in bits.
  float mirostat_tau;
  // 0.1: mirostat's learning rate.
  float mirostat_eta;
  // 0: candidates that no filter goes below.
  uint32_t min_keep;
  // 0.
  uint32_t reserved;
  // NULL: the chain in llama.cpp's order; else names such as "top_k;top_p;temperature".
  const char *chain;
  // NULL: texts across which nothing is a repetition for DRY, each ending with NUL; NULL: a line's end, colon, quote and star.
  const char *const *dry_breakers;
  // 0: texts of dry_breakers.
  size_t dry_breaker_count;
  // NULL: added to logits before anything else.
  const struct fidelis_logit_bias *logit_biases;
  // 0: biases.
  size_t logit_bias_count;
} fidelis_sampler_params;

// How numbers are held.
typedef uint32_t fidelis_tier;

// How keys and values are remembered.
typedef uint32_t fidelis_cache;

// How a session is made.
typedef struct fidelis_session_params {
  // sizeof(fidelis_session_params).
  uint32_t struct_size;
  // Positions that can be remembered; 0: as many as the model was trained for, up to 4096.
  uint32_t context;
  // Worker threads; 0: one per core. No bit depends on it.
  uint32_t threads;
  // Tokens read together; 0: 256. No bit depends on it.
  uint32_t batch;
  // FIDELIS_TIER_FAST.
  fidelis_tier tier;
  // FIDELIS_CACHE_F16.
  fidelis_cache cache;
  // The SIMD level, one of fidelis_levels(); NULL: what FIDELIS_LEVEL in the environment says, or the best. No bit depends on it.
  const char *level;
  // Jinja source, or the name of a known chat format, in place of the file's template; NULL: the file's.
  const char *chat_template;
  // Bytes of memory that the session may take besides the model's file; 0: any number. Fewer tokens together, then keys and values as bytes,
  // then fewer positions are chosen to fit, where the setting is 0 above; FIDELIS_OUT_OF_MEMORY, with the arithmetic, if that is not enough.
  uint64_t memory_bytes;
} fidelis_session_params;

// Asked before every batch of a prompt and before every token of an answer. Not 0 breaks off.
typedef int (*fidelis_abort)(void *user);

// What a session runs with: all that the bits of its results depend on besides model and tokens, and what they do not depend on.
typedef struct fidelis_profile {
  // sizeof(fidelis_profile), set by the caller.
  uint32_t struct_size;
  // Positions that can be remembered.
  uint32_t context;
  // Worker threads.
  uint32_t threads;
  // Tokens read together.
  uint32_t batch;
  // How numbers are held.
  fidelis_tier tier;
  // How keys and values are remembered.
  fidelis_cache cache;
  // Bytes of memory besides the model's file.
  uint64_t memory_bytes;
  // The SIMD level; never freed.
  const char *level;
  // The rules of sampling, such as "fidelis-sampling-1"; never freed.
  const char *sampling;
} fidelis_profile;

// There is no constraint.
#define FIDELIS_FORM_NONE 0

// A JSON schema; {} accepts any JSON.
#define FIDELIS_FORM_JSON_SCHEMA 1

// A regular expression, which the whole answer matches.
#define FIDELIS_FORM_REGEX 2

// A grammar in llama.cpp's GBNF.
#define FIDELIS_FORM_GRAMMAR 3

// It goes on.
#define FIDELIS_STOP_NONE 0

// The model ended it.
#define FIDELIS_STOP_END 1

// A stop text appeared.
#define FIDELIS_STOP_TEXT 2

// As many tokens as were asked for.
#define FIDELIS_STOP_LENGTH 3

// The context is full.
#define FIDELIS_STOP_CONTEXT 4

// The caller's function did not want more.
#define FIDELIS_STOP_CALLER 5

// The file's integers, activations as bytes.
#define FIDELIS_TIER_FAST 0

// Weights decoded to 32-bit floats.
#define FIDELIS_TIER_F32 1

// Everything in 64-bit floats: the model that the file describes.
#define FIDELIS_TIER_AUDIT 2

// 16-bit floats.
#define FIDELIS_CACHE_F16 0

// 32-bit floats.
#define FIDELIS_CACHE_F32 1

// Bytes with a scale per 32.
#define FIDELIS_CACHE_Q8_0 2

// 64-bit floats: what FIDELIS_TIER_AUDIT always has, whatever is asked for. Not to be asked for.
#define FIDELIS_CACHE_F64 3

// As asked.
#define FIDELIS_OK 0

// The caller broke a rule: a NULL pointer, a number out of range, text that is not UTF-8, a sampler for another vocabulary.
#define FIDELIS_INVALID 1

// The result does not fit the buffer; the length that it needs was said.
#define FIDELIS_TOO_SMALL 2

// There is nothing of this name or number.
#define FIDELIS_NOT_FOUND 3

// The file cannot be opened.
#define FIDELIS_IO 4

// The bytes are no model, or one that this library cannot run; the message says why.
#define FIDELIS_BAD_MODEL 5

// This machine or this model cannot do what the settings ask for.
#define FIDELIS_UNSUPPORTED 6

// Memory or threads cannot be had.
#define FIDELIS_OUT_OF_MEMORY 7

// The context has too few positions left. Nothing was read.
#define FIDELIS_CONTEXT_FULL 8

// A result is not a number or infinite, or more than the cache holds; the message names the operation.
#define FIDELIS_NON_FINITE 9

// There is no chat template, it fails, or the library was built without them.
#define FIDELIS_TEMPLATE 10

// A callback of the caller's broke off.
#define FIDELIS_ABORTED 11

// The session or sampler is in use by another call.
#define FIDELIS_BUSY 12

// A sliding window no longer holds what the position sees; nothing was forgotten.
#define FIDELIS_FORGOTTEN 13

// The library failed within; the object can only be freed.
#define FIDELIS_PANICKED 14

// Anything else.
#define FIDELIS_INTERNAL 15

// The file is no saved session, is damaged, or is of another model or of other settings; the message says which.
#define FIDELIS_BAD_SESSION 16

// The constraint cannot be read or followed, or the library was built without them; the message says what is wrong and where.
#define FIDELIS_BAD_CONSTRAINT 17

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The defaults.
//
// Threads: any, at any time.
FIDELIS_API struct fidelis_answer_params fidelis_answer_default_params(void);

// Reads a text of `length` bytes and begins to go on from it; fidelis_session_next gives the pieces.
//
// The text is the whole of what the session is to have read: what it shares with what was read before is not read again. Names of control tokens in it
// are those tokens. A sampler of NULL always takes the likeliest token. An answer that was being made is over.
//
// Threads: any, one at a time per session and per sampler; FIDELIS_BUSY while another call uses either.
FIDELIS_API
fidelis_status fidelis_session_prompt(struct fidelis_session *session,
                                      struct fidelis_sampler *sampler,
                                      const char *prompt,
                                      size_t length,
                                      const struct fidelis_answer_params *params,
                                      struct fidelis_error *error);

// The same for token ids.
//
// Threads: any, one at a time per session and per sampler; FIDELIS_BUSY while another call uses either.
FIDELIS_API
fidelis_status fidelis_session_prompt_tokens(struct fidelis_session *session,
                                             struct fidelis_sampler *sampler,
                                             const uint32_t *tokens,
                                             size_t count,
                                             const struct fidelis_answer_params *params,
                                             struct fidelis_error *error);

// The same for a whole conversation, written out by the chat template and open for the assistant's next turn.
//
// Give all messages so far each time, the answers among them: only what is new is read. FIDELIS_TEMPLATE: there is no template, or it fails.
//
// Threads: any, one at a time per session and per sampler; FIDELIS_BUSY while another call uses either.
FIDELIS_API
fidelis_status fidelis_session_chat(struct fidelis_session *session,
                                    struct fidelis_sampler *sampler,
                                    const struct fidelis_message *messages,
                                    size_t count,
                                    const struct fidelis_answer_params *params,
                                    struct fidelis_error *error);

// The next piece of the answer. The last one has a stop, and after it there is no answer any more: FIDELIS_INVALID.
//
// After FIDELIS_ABORTED and FIDELIS_BUSY the answer can be gone on with, after other failures it is over.
//
// Threads: any, one at a time per session and per sampler; FIDELIS_BUSY while another call uses either.
FIDELIS_API
fidelis_status fidelis_session_next(struct fidelis_session *session,
                                    struct fidelis_piece *piece,
                                    struct fidelis_error *error);

// Gives every piece of the answer to `reader`, until the last or until it wants no more; *stop says why it ended. `stop` may be NULL.
//
// The reader may use the session. An answer that it did not want more of can be gone on with.
//
// Threads: any, one at a time per session and per sampler; FIDELIS_BUSY while another call uses either. reader is called by this thread.
FIDELIS_API
fidelis_status fidelis_session_read(struct fidelis_session *session,
                                    fidelis_reader reader,
                                    void *user,
                                    fidelis_stop *stop,
                                    struct fidelis_error *error);

// Ends an answer before its end; what was read stays read. Nothing happens if there is none.
//
// Threads: any, one at a time per session; FIDELIS_BUSY while another call uses it.
FIDELIS_API fidelis_status fidelis_session_end_answer(struct fidelis_session *session, struct fidelis_error *error);

// The library's version, such as "0.1.0". Never freed.
//
// Threads: any, at any time.
FIDELIS_API const char *fidelis_version(void);

// How the library was built: version, machine, system, profile. Never freed.
//
// Threads: any, at any time.
FIDELIS_API const char *fidelis_build(void);

// The SIMD levels that this machine can run, from the slowest to the fastest, separated by commas. Never freed.
//
// Threads: any, at any time.
FIDELIS_API const char *fidelis_levels(void);

// The defaults: no callback.
//
// Threads: any, at any time.
FIDELIS_API struct fidelis_model_params fidelis_model_default_params(void);

// Loads a GGUF file; of a split one the first part (…-00001-of-0000N.gguf). `path` ends with NUL.
//
// The file is mapped, and weights are read when they are first used: it must not be changed or cut until the model and its sessions are freed.
// *model is to be freed by fidelis_model_free; NULL after a failure.
//
// Threads: any, at any time. progress is called by this thread.
FIDELIS_API
fidelis_status fidelis_model_open(const char *path,
                                  const struct fidelis_model_params *params,
                                  struct fidelis_model **model,
                                  struct fidelis_error *error);

// Loads a GGUF file that is in memory.
//
// `bytes` are not copied: they must stay where they are, unchanged, until the model and all its sessions are freed.
// *model is to be freed by fidelis_model_free; NULL after a failure.
//
// Threads: any, at any time. progress is called by this thread.
FIDELIS_API
fidelis_status fidelis_model_from_memory(const uint8_t *bytes,
                                         size_t length,
                                         const struct fidelis_model_params *params,
                                         struct fidelis_model **model,
                                         struct fidelis_error *error);

// Frees a model; NULL does nothing. Its sessions and samplers may be freed later: the file goes with the last session.
//
// Threads: any; no other call may use the model handle meanwhile or later. Its sessions and samplers stay usable.
FIDELIS_API void fidelis_model_free(struct fidelis_model *model);

// What is known of a model.
//
// Threads: any number at a time may use the model.
FIDELIS_API
fidelis_status fidelis_model_get_info(const struct fidelis_model *model,
                                      struct fidelis_model_info *info,
                                      struct fidelis_error *error);

// The model's name, or its architecture; valid as long as the model. NULL if the model is NULL.
//
// Threads: any number at a time may use the model.
FIDELIS_API const char *fidelis_model_name(const struct fidelis_model *model);

// The name of the model's architecture, such as "llama"; valid as long as the model. NULL if the model is NULL.
//
// Threads: any number at a time may use the model.
FIDELIS_API const char *fidelis_model_architecture(const struct fidelis_model *model);

// The model in one line, for people; valid as long as the model. NULL if the model is NULL.
//
// Threads: any number at a time may use the model.
FIDELIS_API const char *fidelis_model_description(const struct fidelis_model *model);

// A value of the file's metadata as text; `key` ends with NUL. Arrays are given as their length and type. FIDELIS_NOT_FOUND: there is none.
//
// Threads: any number at a time may use the model.
FIDELIS_API
fidelis_status fidelis_model_metadata(const struct fidelis_model *model,
                                      const char *key,
                                      char *value,
                                      size_t capacity,
                                      size_t *length,
                                      struct fidelis_error *error);

// The defaults.
//
// Threads: any, at any time.
FIDELIS_API struct fidelis_sampler_params fidelis_sampler_default_params(void);

// Makes a sampler for the model's vocabulary. It serves sessions of any model with the same vocabulary.
//
// *sampler is to be freed by fidelis_sampler_free; NULL after a failure.
//
// Threads: any number at a time may use the model.
FIDELIS_API
fidelis_status fidelis_sampler_new(const struct fidelis_model *model,
                                   const struct fidelis_sampler_params *params,
                                   struct fidelis_sampler **sampler,
                                   struct fidelis_error *error);

// Frees a sampler; NULL does nothing.
//
// Threads: any; no other call may use the handle meanwhile or later.
FIDELIS_API void fidelis_sampler_free(struct fidelis_sampler *sampler);

// Chooses a token from the session's logits (see fidelis_session_logits) and remembers it for penalties. The session does not read it.
//
// Threads: any, one at a time per session and per sampler; FIDELIS_BUSY while another call uses either.
FIDELIS_API
fidelis_status fidelis_sampler_choose(struct fidelis_sampler *sampler,
                                      struct fidelis_session *session,
                                      uint32_t *token,
                                      struct fidelis_error *error);

// Remembers tokens that were read, for penalties. An answer remembers its prompt by itself.
//
// Threads: any, one at a time per sampler; FIDELIS_BUSY while another call uses it.
FIDELIS_API
fidelis_status fidelis_sampler_accept(struct fidelis_sampler *sampler,
                                      const uint32_t *tokens,
                                      size_t count,
                                      struct fidelis_error *error);

// Forgets the remembered tokens; the random numbers go on.
//
// Threads: any, one at a time per sampler; FIDELIS_BUSY while another call uses it.
FIDELIS_API fidelis_status fidelis_sampler_forget(struct fidelis_sampler *sampler, struct fidelis_error *error);

// Saves what a session has read, its keys and values, and where `sampler` is (NULL: a sampler that takes the likeliest token).
//
// The file is the old one or the whole new one, whatever happens. It is bound to the model by its digest, for which the first call for a model reads every byte
// of it. Of an answer that is being made the newest token is not saved, since it is not read yet.
//
// Threads: any, one at a time per session and per sampler; FIDELIS_BUSY while another call uses either.
FIDELIS_API
fidelis_status fidelis_session_save(struct fidelis_session *session,
                                    struct fidelis_sampler *sampler,
                                    const char *path,
                                    struct fidelis_error *error);

// Goes on where a session was saved, bit for bit; `sampler` (NULL: none) becomes what it was there. What the session has read is forgotten, and an answer is over.
//
// Tier and cache must be those of the session that was saved; threads, level, batch and context may be others. FIDELIS_BAD_SESSION: nothing changed.
//
// Threads: any, one at a time per session and per sampler; FIDELIS_BUSY while another call uses either.
FIDELIS_API
fidelis_status fidelis_session_restore(struct fidelis_session *session,
                                       struct fidelis_sampler *sampler,
                                       const char *path,
                                       struct fidelis_error *error);

// The defaults.
//
// Threads: any, at any time.
FIDELIS_API struct fidelis_session_params fidelis_session_default_params(void);

// Makes a session that has read nothing. It takes its memory here.
//
// *session is to be freed by fidelis_session_free; NULL after a failure.
//
// Threads: any number at a time may use the model.
FIDELIS_API
fidelis_status fidelis_session_new(const struct fidelis_model *model,
                                   const struct fidelis_session_params *params,
                                   struct fidelis_session **session,
                                   struct fidelis_error *error);

// Frees a session; NULL does nothing. One that is freed by a callback of its own call is never freed.
//
// Threads: any; no other call may use the handle meanwhile or later.
FIDELIS_API void fidelis_session_free(struct fidelis_session *session);

// Sets who is asked whether to go on; NULL: nobody. Both pointers must stay valid until another is set or the session is freed.
//
// A call that is broken off returns FIDELIS_ABORTED: what was read stays read, and an answer can be gone on with.
//
// Threads: any, one at a time per session; FIDELIS_BUSY while another call uses it. abort is called by the thread of the call that asks.
FIDELIS_API
fidelis_status fidelis_session_set_abort(struct fidelis_session *session,
                                         fidelis_abort abort,
                                         void *user,
                                         struct fidelis_error *error);

// Reads tokens after those that were read. An answer that was being made is over.
//
// FIDELIS_CONTEXT_FULL: nothing was read. After FIDELIS_NON_FINITE fidelis_session_position says what is left.
//
// Threads: any, one at a time per session; FIDELIS_BUSY while another call uses it.
FIDELIS_API
fidelis_status fidelis_session_feed(struct fidelis_session *session,
                                    const uint32_t *tokens,
                                    size_t count,
                                    struct fidelis_error *error);

// The logits of the newest token that was fed; of an answer that is being made, those that its newest token was chosen from.
// One per token of the vocabulary; *count is how many.
//
// Threads: any, one at a time per session; FIDELIS_BUSY while another call uses it.
FIDELIS_API
fidelis_status fidelis_session_logits(struct fidelis_session *session,
                                      float *logits,
                                      size_t capacity,
                                      size_t *count,
                                      struct fidelis_error *error);

// Reads tokens as fidelis_session_feed does, and gives the last one's hidden state: the result of the last norm, before the product with
// the head, not normalised to unit length. *width is how many numbers that is (the model's width); with a capacity of 0 nothing is read.
//
// The last token is read on one thread.
//
// Threads: any, one at a time per session; FIDELIS_BUSY while another call uses it.
FIDELIS_API
fidelis_status fidelis_session_embed(struct fidelis_session *session,
                                     const uint32_t *tokens,
                                     size_t count,
                                     float *state,
                                     size_t capacity,
                                     size_t *width,
                                     struct fidelis_error *error);

// Forgets what was read from `position` on, and ends an answer that was being made. FIDELIS_FORGOTTEN: nothing changed; fidelis_session_reset works always.
//
// Threads: any, one at a time per session; FIDELIS_BUSY while another call uses it.
FIDELIS_API
fidelis_status fidelis_session_rewind(struct fidelis_session *session,
                                      size_t position,
                                      struct fidelis_error *error);

// Forgets everything that was read.
//
// Threads: any, one at a time per session; FIDELIS_BUSY while another call uses it.
FIDELIS_API fidelis_status fidelis_session_reset(struct fidelis_session *session, struct fidelis_error *error);

// Tokens that are read and remembered. The last token of an answer is often not among them: it is read when the next one is made.
//
// Threads: any, one at a time per session; FIDELIS_BUSY while another call uses it.
FIDELIS_API
fidelis_status fidelis_session_position(struct fidelis_session *session,
                                        size_t *position,
                                        struct fidelis_error *error);

// What a session runs with.
//
// Threads: any, one at a time per session; FIDELIS_BUSY while another call uses it.
FIDELIS_API
fidelis_status fidelis_session_profile(struct fidelis_session *session,
                                       struct fidelis_profile *profile,
                                       struct fidelis_error *error);

// The token ids of a text of `length` bytes. `flags` are FIDELIS_TOKENIZE_...; *count is how many ids there are.
//
// Threads: any number at a time may use the model.
FIDELIS_API
fidelis_status fidelis_tokenize(const struct fidelis_model *model,
                                const char *source,
                                size_t length,
                                uint32_t flags,
                                uint32_t *tokens,
                                size_t capacity,
                                size_t *count,
                                struct fidelis_error *error);

// The text of token ids; bytes that are no characters become U+FFFD. A space that encoding puts before the first is taken away.
//
// Threads: any number at a time may use the model.
FIDELIS_API
fidelis_status fidelis_detokenize(const struct fidelis_model *model,
                                  const uint32_t *tokens,
                                  size_t count,
                                  char *buffer,
                                  size_t capacity,
                                  size_t *length,
                                  struct fidelis_error *error);

// The bytes that a token stands for, none for control tokens. They may be a part of a character.
//
// Threads: any number at a time may use the model.
FIDELIS_API
fidelis_status fidelis_token_piece(const struct fidelis_model *model,
                                   uint32_t token,
                                   char *buffer,
                                   size_t capacity,
                                   size_t *length,
                                   struct fidelis_error *error);

// Whether a token ends an answer: *is_end is 1, or 0.
//
// Threads: any number at a time may use the model.
FIDELIS_API
fidelis_status fidelis_token_is_end(const struct fidelis_model *model,
                                    uint32_t token,
                                    uint32_t *is_end,
                                    struct fidelis_error *error);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* FIDELIS_H */

/* Every function, used well and badly: `misuse MODEL.gguf OTHER.gguf`, two models of different vocabularies.

   Ends with 0 if every call ended as it should; a memory checker sees the rest (.ci/asan). */

#include <fidelis.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures, checks;
static fidelis_error error;

/* The call must end so, say so in its error, and, if it fails, say why in one line. */
#define EXPECT(wanted, call)                                                                              \
  do {                                                                                                    \
    fidelis_status found;                                                                                 \
    memset(&error, 0x5a, sizeof error);                                                                   \
    found = (call);                                                                                       \
    checks++;                                                                                             \
    if (found != (wanted) || error.status != found || strlen(error.message) != error.length ||            \
        (error.length == 0) != (found == FIDELIS_OK) || strchr(error.message, '\n')) {                    \
      failures++;                                                                                         \
      printf("line %d: %u instead of %u: %.503s\n", __LINE__, (unsigned)found, (unsigned)(wanted),        \
             error.message);                                                                              \
    }                                                                                                     \
  } while (0)

#define HOLDS(condition)                                                                                  \
  do {                                                                                                    \
    checks++;                                                                                             \
    if (!(condition)) failures++, printf("line %d: not %s\n", __LINE__, #condition);                      \
  } while (0)

static fidelis_error *const e = &error;

static int never(float fraction, void *user) {
  *(int *)user += 1;
  return fraction < 0.3f;
}

static int abort_after(void *user) { return (*(int *)user)-- <= 0; }

struct again {
  fidelis_session *session;
  int calls;
};

/* Uses the session that is in use, frees it, and wants no more than three pieces. */
static int meddle(const fidelis_piece *piece, void *user) {
  struct again *again = user;
  fidelis_error own;
  fidelis_piece other;
  size_t position;
  HOLDS(piece->text[piece->length] == 0);
  if (again->calls == 0) {
    HOLDS(fidelis_session_position(again->session, &position, &own) == FIDELIS_OK);
    HOLDS(fidelis_session_next(again->session, &other, NULL) == FIDELIS_OK);
  }
  return ++again->calls < 3;
}

static int busy_abort(void *user) {
  struct again *again = user;
  fidelis_piece piece;
  size_t position;
  again->calls++;
  HOLDS(fidelis_session_position(again->session, &position, NULL) == FIDELIS_BUSY);
  HOLDS(fidelis_session_next(again->session, &piece, NULL) == FIDELIS_BUSY);
  HOLDS(fidelis_session_set_abort(again->session, NULL, NULL, NULL) == FIDELIS_BUSY);
  return 0;
}

static unsigned char *contents(const char *path, size_t *length) {
  FILE *file = fopen(path, "rb");
  unsigned char *bytes;
  if (!file) exit(2);
  fseek(file, 0, SEEK_END);
  *length = (size_t)ftell(file);
  rewind(file);
  bytes = malloc(*length);
  if (!bytes || fread(bytes, 1, *length, file) != *length) exit(2);
  fclose(file);
  return bytes;
}

static void models(const char *path, const char *own) {
  fidelis_model *model = (fidelis_model *)1;
  fidelis_model_params params = fidelis_model_default_params();
  size_t length, i;
  unsigned char *bytes = contents(path, &length);
  int calls = 0;
  EXPECT(FIDELIS_INVALID, fidelis_model_open(NULL, NULL, &model, e));
  HOLDS(model == NULL);
  EXPECT(FIDELIS_INVALID, fidelis_model_open(path, NULL, NULL, e));
  EXPECT(FIDELIS_INVALID, fidelis_model_open("\xff\xfe", NULL, &model, e));
  EXPECT(FIDELIS_IO, fidelis_model_open("", NULL, &model, e));
  EXPECT(FIDELIS_IO, fidelis_model_open("/nowhere/at/all.gguf", NULL, &model, e));
  EXPECT(FIDELIS_BAD_MODEL, fidelis_model_open(own, NULL, &model, e));
  EXPECT(FIDELIS_BAD_MODEL, fidelis_model_from_memory(NULL, 0, NULL, &model, e));
  EXPECT(FIDELIS_INVALID, fidelis_model_from_memory(NULL, 4, NULL, &model, e));
  EXPECT(FIDELIS_INVALID, fidelis_model_from_memory(bytes, SIZE_MAX, NULL, &model, e));
  for (i = 1; i < 20; i++) EXPECT(FIDELIS_BAD_MODEL, fidelis_model_from_memory(bytes, length * i / 20, NULL, &model, e));
  HOLDS(fidelis_model_open("/nowhere", NULL, &model, NULL) == FIDELIS_IO);
  params.progress = never;
  params.user = &calls;
  EXPECT(FIDELIS_ABORTED, fidelis_model_from_memory(bytes, length, &params, &model, e));
  HOLDS(calls == 3 && model == NULL);
  params.reserved = 1;
  EXPECT(FIDELIS_INVALID, fidelis_model_from_memory(bytes, length, &params, &model, e));
  params = fidelis_model_default_params();
  params.struct_size = 0;
  EXPECT(FIDELIS_INVALID, fidelis_model_from_memory(bytes, length, &params, &model, e));
  params.struct_size = 12;
  EXPECT(FIDELIS_INVALID, fidelis_model_from_memory(bytes, length, &params, &model, e));
  params.struct_size = 1u << 30;
  EXPECT(FIDELIS_INVALID, fidelis_model_from_memory(bytes, length, &params, &model, e));
  params.struct_size = 8;
  EXPECT(FIDELIS_OK, fidelis_model_from_memory(bytes, length, &params, &model, e));
  fidelis_model_free(model);
  fidelis_model_free(NULL);
  HOLDS(fidelis_model_name(NULL) == NULL && fidelis_model_description(NULL) == NULL);
  free(bytes);
}

static void texts(const fidelis_model *model) {
  char buffer[300];
  uint32_t ids[64], is_end = 7;
  size_t count = 99, length = 99;
  struct {
    fidelis_model_info info;
    uint64_t more[2];
  } newer;
  fidelis_model_info info;
  memset(&newer, 0, sizeof newer);
  info.struct_size = sizeof info;
  EXPECT(FIDELIS_OK, fidelis_model_get_info(model, &info, e));
  HOLDS(info.vocabulary > 100 && info.has_chat_template == 1 && info.parameters > 1000000);
  HOLDS(strcmp(fidelis_model_architecture(model), "llama") == 0 && strlen(fidelis_model_name(model)) > 0);
  newer.info.struct_size = sizeof newer;
  newer.more[0] = 5;
  EXPECT(FIDELIS_OK, fidelis_model_get_info(model, &newer.info, e));
  HOLDS(newer.info.struct_size == sizeof newer && newer.info.width == info.width && newer.more[0] == 5);
  info.width = 1234567;
  info.struct_size = 8;
  EXPECT(FIDELIS_OK, fidelis_model_get_info(model, &info, e));
  HOLDS(info.width == 1234567);
  info.struct_size = 7;
  EXPECT(FIDELIS_INVALID, fidelis_model_get_info(model, &info, e));
  EXPECT(FIDELIS_INVALID, fidelis_model_get_info(model, NULL, e));
  EXPECT(FIDELIS_INVALID, fidelis_model_get_info(NULL, &newer.info, e));

  EXPECT(FIDELIS_OK, fidelis_model_metadata(model, "general.architecture", buffer, sizeof buffer, &length, e));
  HOLDS(length == 5 && strcmp(buffer, "llama") == 0);
  EXPECT(FIDELIS_TOO_SMALL, fidelis_model_metadata(model, "general.architecture", buffer, 5, &length, e));
  HOLDS(length == 5);
  EXPECT(FIDELIS_OK, fidelis_model_metadata(model, "tokenizer.ggml.tokens", NULL, 0, &length, e));
  EXPECT(FIDELIS_NOT_FOUND, fidelis_model_metadata(model, "no.such.key", buffer, sizeof buffer, &length, e));
  EXPECT(FIDELIS_INVALID, fidelis_model_metadata(model, NULL, buffer, sizeof buffer, &length, e));
  EXPECT(FIDELIS_INVALID, fidelis_model_metadata(model, "general.name", NULL, 9, &length, e));
  EXPECT(FIDELIS_INVALID, fidelis_model_metadata(model, "general.name", buffer, 9, NULL, e));

  EXPECT(FIDELIS_OK, fidelis_tokenize(model, "The sky is blue.", FIDELIS_NUL_ENDED, 0, NULL, 0, &count, e));
  HOLDS(count > 2 && count < 20);
  EXPECT(FIDELIS_TOO_SMALL, fidelis_tokenize(model, "The sky is blue.", 16, 0, ids, count - 1, &length, e));
  HOLDS(length == count);
  EXPECT(FIDELIS_OK, fidelis_tokenize(model, "The sky is blue.", 16, 0, ids, count, &count, e));
  EXPECT(FIDELIS_OK, fidelis_detokenize(model, ids, count, buffer, sizeof buffer, &length, e));
  HOLDS(length == 16 && strcmp(buffer, "The sky is blue.") == 0);
  EXPECT(FIDELIS_TOO_SMALL, fidelis_detokenize(model, ids, count, buffer, 16, &length, e));
  EXPECT(FIDELIS_OK, fidelis_detokenize(model, NULL, 0, buffer, 1, &length, e));
  EXPECT(FIDELIS_OK, fidelis_tokenize(model, NULL, 0, 0, ids, 64, &count, e));
  HOLDS(count == 0);
  EXPECT(FIDELIS_OK, fidelis_tokenize(model, "", 0, FIDELIS_TOKENIZE_BOS, ids, 64, &count, e));
  EXPECT(FIDELIS_OK, fidelis_tokenize(model, "a\0b", 3, 0, ids, 64, &count, e));
  EXPECT(FIDELIS_INVALID, fidelis_tokenize(model, "\xc3(", 2, 0, ids, 64, &count, e));
  EXPECT(FIDELIS_INVALID, fidelis_tokenize(model, NULL, FIDELIS_NUL_ENDED, 0, ids, 64, &count, e));
  EXPECT(FIDELIS_INVALID, fidelis_tokenize(model, "a", SIZE_MAX - 1, 0, ids, 64, &count, e));
  EXPECT(FIDELIS_INVALID, fidelis_tokenize(model, "a", 1, 4, ids, 64, &count, e));
  EXPECT(FIDELIS_INVALID, fidelis_tokenize(model, "a", 1, 0, (uint32_t *)((char *)ids + 1), 9, &count, e));
  EXPECT(FIDELIS_INVALID, fidelis_tokenize(NULL, "a", 1, 0, ids, 64, &count, e));
  ids[0] = FIDELIS_NO_TOKEN;
  EXPECT(FIDELIS_INVALID, fidelis_detokenize(model, ids, 1, buffer, sizeof buffer, &length, e));
  EXPECT(FIDELIS_INVALID, fidelis_detokenize(model, ids, SIZE_MAX / 2, buffer, sizeof buffer, &length, e));
  EXPECT(FIDELIS_INVALID, fidelis_token_piece(model, FIDELIS_NO_TOKEN, buffer, sizeof buffer, &length, e));
  EXPECT(FIDELIS_OK, fidelis_token_piece(model, newer.info.bos, buffer, sizeof buffer, &length, e));
  HOLDS(length == 0 && buffer[0] == 0);
  EXPECT(FIDELIS_OK, fidelis_token_is_end(model, newer.info.eos, &is_end, e));
  HOLDS(is_end == 1);
  EXPECT(FIDELIS_INVALID, fidelis_token_is_end(model, newer.info.vocabulary, &is_end, e));
}

static void settings(const fidelis_model *model) {
  fidelis_session *session = NULL;
  fidelis_sampler *sampler = NULL;
  fidelis_session_params params = fidelis_session_default_params();
  fidelis_sampler_params choice = fidelis_sampler_default_params();
  fidelis_logit_bias bias = {0, 1};
  const char *breakers[] = {"\n", NULL};
  struct {
    fidelis_session_params known;
    uint64_t later;
  } newer;
  EXPECT(FIDELIS_INVALID, fidelis_session_new(NULL, NULL, &session, e));
  EXPECT(FIDELIS_INVALID, fidelis_session_new(model, NULL, NULL, e));
  params.tier = 3;
  EXPECT(FIDELIS_INVALID, fidelis_session_new(model, &params, &session, e));
  params = fidelis_session_default_params();
  params.cache = FIDELIS_CACHE_F64;
  EXPECT(FIDELIS_INVALID, fidelis_session_new(model, &params, &session, e));
  params = fidelis_session_default_params();
  params.level = "mmx";
  EXPECT(FIDELIS_UNSUPPORTED, fidelis_session_new(model, &params, &session, e));
  HOLDS(strstr(error.message, "scalar") != NULL);
  params.level = NULL;
  params.chat_template = "{% if %}";
  EXPECT(FIDELIS_TEMPLATE, fidelis_session_new(model, &params, &session, e));
  params = fidelis_session_default_params();
  params.threads = UINT32_MAX;
  EXPECT(FIDELIS_INVALID, fidelis_session_new(model, &params, &session, e));
  params = fidelis_session_default_params();
  params.memory_bytes = 1;
  EXPECT(FIDELIS_OUT_OF_MEMORY, fidelis_session_new(model, &params, &session, e));
  HOLDS(strstr(error.message, "needs") != NULL);
  memset(&newer, 0, sizeof newer);
  newer.known = fidelis_session_default_params();
  newer.known.struct_size = sizeof newer;
  newer.known.context = 32;
  EXPECT(FIDELIS_OK, fidelis_session_new(model, &newer.known, &session, e));
  fidelis_session_free(session);
  newer.later = 1;
  EXPECT(FIDELIS_INVALID, fidelis_session_new(model, &newer.known, &session, e));
  HOLDS(session == NULL);
  fidelis_session_free(NULL);

  choice.temperature = (float)NAN;
  EXPECT(FIDELIS_INVALID, fidelis_sampler_new(model, &choice, &sampler, e));
  choice = fidelis_sampler_default_params();
  choice.chain = "top_k;nonsense";
  EXPECT(FIDELIS_INVALID, fidelis_sampler_new(model, &choice, &sampler, e));
  choice.chain = NULL;
  choice.mirostat = 3;
  EXPECT(FIDELIS_INVALID, fidelis_sampler_new(model, &choice, &sampler, e));
  choice.mirostat = 0;
  choice.logit_bias_count = 1;
  EXPECT(FIDELIS_INVALID, fidelis_sampler_new(model, &choice, &sampler, e));
  choice.logit_biases = &bias;
  bias.token = FIDELIS_NO_TOKEN;
  EXPECT(FIDELIS_INVALID, fidelis_sampler_new(model, &choice, &sampler, e));
  bias.token = 0;
  choice.dry_breakers = breakers;
  choice.dry_breaker_count = 2;
  EXPECT(FIDELIS_INVALID, fidelis_sampler_new(model, &choice, &sampler, e));
  choice.dry_breaker_count = 1;
  choice.dry_multiplier = 0.5f;
  EXPECT(FIDELIS_OK, fidelis_sampler_new(model, &choice, &sampler, e));
  EXPECT(FIDELIS_INVALID, fidelis_sampler_accept(sampler, NULL, 1, e));
  bias.token = FIDELIS_NO_TOKEN;
  EXPECT(FIDELIS_INVALID, fidelis_sampler_accept(sampler, &bias.token, 1, e));
  EXPECT(FIDELIS_OK, fidelis_sampler_forget(sampler, e));
  EXPECT(FIDELIS_INVALID, fidelis_sampler_forget(NULL, e));
  fidelis_sampler_free(sampler);
  fidelis_sampler_free(NULL);
}

static void tokens(fidelis_session *session, const fidelis_model *model, const fidelis_model *other) {
  fidelis_model_info info;
  fidelis_sampler *sampler, *foreign;
  uint32_t ids[64] = {0}, chosen = 0, again = 0;
  size_t count, position, width;
  float *logits, *state, first;
  int left = 0;
  info.struct_size = sizeof info;
  EXPECT(FIDELIS_OK, fidelis_model_get_info(model, &info, e));
  logits = malloc(info.vocabulary * sizeof *logits);
  state = malloc(info.width * sizeof *state);
  if (!logits || !state) exit(2);
  EXPECT(FIDELIS_OK, fidelis_sampler_new(model, NULL, &sampler, e));
  EXPECT(FIDELIS_OK, fidelis_sampler_new(other, NULL, &foreign, e));
  EXPECT(FIDELIS_OK, fidelis_session_reset(session, e));
  EXPECT(FIDELIS_INVALID, fidelis_session_logits(session, logits, info.vocabulary, &count, e));
  EXPECT(FIDELIS_INVALID, fidelis_sampler_choose(sampler, session, &chosen, e));
  EXPECT(FIDELIS_INVALID, fidelis_session_feed(session, NULL, 0, e));
  EXPECT(FIDELIS_INVALID, fidelis_session_feed(session, NULL, 5, e));
  EXPECT(FIDELIS_OK, fidelis_session_feed(session, ids, 64, e));
  EXPECT(FIDELIS_CONTEXT_FULL, fidelis_session_feed(session, ids, 64, e));
  EXPECT(FIDELIS_CONTEXT_FULL, fidelis_session_embed(session, ids, 64, state, info.width, &width, e));
  EXPECT(FIDELIS_OK, fidelis_session_position(session, &position, e));
  HOLDS(position == 64);
  EXPECT(FIDELIS_OK, fidelis_session_reset(session, e));
  EXPECT(FIDELIS_OK, fidelis_tokenize(model, "What color", 10, FIDELIS_TOKENIZE_BOS, ids, 64, &count, e));
  EXPECT(FIDELIS_OK, fidelis_session_feed(session, ids, count, e));
  EXPECT(FIDELIS_OK, fidelis_session_position(session, &position, e));
  HOLDS(position == count);
  EXPECT(FIDELIS_TOO_SMALL, fidelis_session_logits(session, logits, info.vocabulary - 1, &width, e));
  HOLDS(width == info.vocabulary);
  EXPECT(FIDELIS_OK, fidelis_session_logits(session, logits, info.vocabulary, &width, e));
  first = logits[7];
  EXPECT(FIDELIS_OK, fidelis_sampler_choose(sampler, session, &chosen, e));
  HOLDS(chosen < info.vocabulary);
  EXPECT(FIDELIS_INVALID, fidelis_sampler_choose(foreign, session, &again, e));
  EXPECT(FIDELIS_INVALID, fidelis_sampler_choose(NULL, session, &again, e));
  EXPECT(FIDELIS_INVALID, fidelis_sampler_choose(sampler, session, NULL, e));
  EXPECT(FIDELIS_INVALID, fidelis_session_rewind(session, count + 1, e));
  EXPECT(FIDELIS_OK, fidelis_session_rewind(session, count - 1, e));
  EXPECT(FIDELIS_INVALID, fidelis_session_logits(session, logits, info.vocabulary, &width, e));
  EXPECT(FIDELIS_OK, fidelis_session_embed(session, &ids[count - 1], 1, NULL, 0, &width, e));
  HOLDS(width == info.width);
  EXPECT(FIDELIS_TOO_SMALL, fidelis_session_embed(session, &ids[count - 1], 1, state, 1, &width, e));
  EXPECT(FIDELIS_INVALID, fidelis_session_embed(session, NULL, 0, state, width, &width, e));
  EXPECT(FIDELIS_OK, fidelis_session_position(session, &position, e));
  HOLDS(position == count - 1);
  EXPECT(FIDELIS_OK, fidelis_session_embed(session, &ids[count - 1], 1, state, width, &width, e));
  EXPECT(FIDELIS_OK, fidelis_session_logits(session, logits, info.vocabulary, &width, e));
  HOLDS(logits[7] == first && isfinite(state[0]) && state[0] != state[1]);
  ids[0] = info.vocabulary + 1000;
  EXPECT(FIDELIS_INVALID, fidelis_session_feed(session, ids, 1, e));
  EXPECT(FIDELIS_INVALID, fidelis_session_embed(session, ids, 1, state, info.width, &width, e));
  EXPECT(FIDELIS_OK, fidelis_session_set_abort(session, abort_after, &left, e));
  ids[0] = 1;
  EXPECT(FIDELIS_ABORTED, fidelis_session_feed(session, ids, 1, e));
  EXPECT(FIDELIS_OK, fidelis_session_set_abort(session, NULL, NULL, e));
  EXPECT(FIDELIS_INVALID, fidelis_session_feed(NULL, ids, 1, e));
  fidelis_sampler_free(sampler);
  fidelis_sampler_free(foreign);
  free(logits);
  free(state);
}

static void answers(fidelis_session *session, const fidelis_model *model, const fidelis_model *other) {
  const fidelis_message question = {"user", "What color is the sky?"}, nothing = {"user", NULL};
  const char *stops[] = {"blue"};
  fidelis_answer_params params = fidelis_answer_default_params();
  fidelis_sampler *sampler, *foreign;
  fidelis_piece piece;
  fidelis_stop stop = 77;
  struct again again = {session, 0};
  char long_text[2000];
  int left = 1, pieces = 0;
  EXPECT(FIDELIS_OK, fidelis_sampler_new(model, NULL, &sampler, e));
  EXPECT(FIDELIS_OK, fidelis_sampler_new(other, NULL, &foreign, e));
  EXPECT(FIDELIS_OK, fidelis_session_reset(session, e));
  EXPECT(FIDELIS_INVALID, fidelis_session_next(session, &piece, e));
  EXPECT(FIDELIS_INVALID, fidelis_session_chat(session, foreign, &question, 1, NULL, e));
  EXPECT(FIDELIS_INVALID, fidelis_session_chat(session, NULL, &nothing, 1, NULL, e));
  EXPECT(FIDELIS_INVALID, fidelis_session_chat(session, NULL, NULL, 1, NULL, e));
  EXPECT(FIDELIS_INVALID, fidelis_session_chat(session, NULL, &question, SIZE_MAX / 4, NULL, e));
  EXPECT(FIDELIS_INVALID, fidelis_session_prompt(session, NULL, "\xff", 1, NULL, e));
  EXPECT(FIDELIS_INVALID, fidelis_session_prompt_tokens(session, NULL, NULL, 0, NULL, e));
  memset(long_text, 'x', sizeof long_text);
  EXPECT(FIDELIS_CONTEXT_FULL, fidelis_session_prompt(session, NULL, long_text, sizeof long_text, NULL, e));
  params.ignore_end = 2;
  EXPECT(FIDELIS_INVALID, fidelis_session_chat(session, NULL, &question, 1, &params, e));
  params.ignore_end = 0;
  params.stop_text_count = 1;
  EXPECT(FIDELIS_INVALID, fidelis_session_chat(session, NULL, &question, 1, &params, e));
  params.stop_texts = stops;
  EXPECT(FIDELIS_OK, fidelis_session_chat(session, NULL, &question, 1, &params, e));
  EXPECT(FIDELIS_INVALID, fidelis_session_next(session, NULL, e));
  EXPECT(FIDELIS_INVALID, fidelis_session_read(session, NULL, NULL, &stop, e));
  do {
    EXPECT(FIDELIS_OK, fidelis_session_next(session, &piece, e));
    HOLDS(strstr(piece.text, "blue") == NULL);
  } while (piece.stop == FIDELIS_STOP_NONE && ++pieces < 100);
  HOLDS(piece.stop == FIDELIS_STOP_TEXT && piece.token == FIDELIS_NO_TOKEN && pieces > 1);
  EXPECT(FIDELIS_INVALID, fidelis_session_next(session, &piece, e));

  /* An answer keeps its sampler, and waits while a sampler or an abort is in the way. */
  EXPECT(FIDELIS_OK, fidelis_session_chat(session, sampler, &question, 1, NULL, e));
  fidelis_sampler_free(sampler);
  EXPECT(FIDELIS_OK, fidelis_session_set_abort(session, abort_after, &left, e));
  EXPECT(FIDELIS_OK, fidelis_session_next(session, &piece, e));
  EXPECT(FIDELIS_ABORTED, fidelis_session_next(session, &piece, e));
  EXPECT(FIDELIS_OK, fidelis_session_set_abort(session, busy_abort, &again, e));
  EXPECT(FIDELIS_OK, fidelis_session_next(session, &piece, e));
  HOLDS(again.calls == 1);
  EXPECT(FIDELIS_OK, fidelis_session_set_abort(session, NULL, NULL, e));
  EXPECT(FIDELIS_OK, fidelis_session_end_answer(session, e));
  EXPECT(FIDELIS_OK, fidelis_session_end_answer(session, e));
  EXPECT(FIDELIS_INVALID, fidelis_session_next(session, &piece, e));

  again.calls = 0;
  EXPECT(FIDELIS_OK, fidelis_session_prompt(session, NULL, "The", 3, NULL, e));
  EXPECT(FIDELIS_OK, fidelis_session_read(session, meddle, &again, &stop, e));
  HOLDS(stop == FIDELIS_STOP_CALLER && again.calls == 3);
  params = fidelis_answer_default_params();
  params.max_tokens = 2;
  EXPECT(FIDELIS_OK, fidelis_session_prompt(session, NULL, "The", 3, &params, e));
  again.calls = -1000;
  EXPECT(FIDELIS_OK, fidelis_session_read(session, meddle, &again, &stop, e));
  HOLDS(stop == FIDELIS_STOP_LENGTH && again.calls == -997);
  fidelis_sampler_free(foreign);
}

/* What a constrained answer says, in at most `size` bytes. */
static void constrained(fidelis_session *session, fidelis_form form, const char *constraint, char *said, size_t size) {
  const fidelis_message question = {"user", "What color is the sky?"};
  fidelis_answer_params params = fidelis_answer_default_params();
  fidelis_piece piece;
  size_t length = 0;
  params.max_tokens = 64;
  params.form = form;
  params.constraint = constraint;
  EXPECT(FIDELIS_OK, fidelis_session_chat(session, NULL, &question, 1, &params, e));
  do {
    EXPECT(FIDELIS_OK, fidelis_session_next(session, &piece, e));
    if (length + piece.length < size) memcpy(said + length, piece.text, piece.length), length += piece.length;
  } while (piece.stop == FIDELIS_STOP_NONE);
  HOLDS(piece.stop == FIDELIS_STOP_END);
  said[length] = 0;
}

static void constraints(fidelis_session *session) {
  const struct { fidelis_form form; const char *text; } wrong[] = {
    {FIDELIS_FORM_REGEX, "("}, {FIDELIS_FORM_JSON_SCHEMA, "{"}, {FIDELIS_FORM_JSON_SCHEMA, "{\"type\":\"colour\"}"},
    {FIDELIS_FORM_GRAMMAR, "root ::= missing"},
  };
  fidelis_answer_params params = fidelis_answer_default_params();
  fidelis_piece piece;
  char said[256];
  size_t i;
  constrained(session, FIDELIS_FORM_REGEX, "yes|no", said, sizeof said);
  HOLDS(!strcmp(said, "yes") || !strcmp(said, "no"));
  constrained(session, FIDELIS_FORM_GRAMMAR, "root ::= \"<\" [a-c] \">\"", said, sizeof said);
  HOLDS(strlen(said) == 3 && said[0] == '<' && said[1] >= 'a' && said[1] <= 'c' && said[2] == '>');
  constrained(session, FIDELIS_FORM_JSON_SCHEMA, "{\"enum\":[\"red\",\"blue\"]}", said, sizeof said);
  HOLDS(!strcmp(said, "\"red\"") || !strcmp(said, "\"blue\""));
  for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    params.form = wrong[i].form;
    params.constraint = wrong[i].text;
    EXPECT(FIDELIS_BAD_CONSTRAINT, fidelis_session_prompt(session, NULL, "The", 3, &params, e));
  }
  /* One that nothing keeps to is found out where a token is to be chosen. */
  params.form = FIDELIS_FORM_REGEX;
  params.constraint = "[^\\x00-\\x{10FFFF}]";
  EXPECT(FIDELIS_OK, fidelis_session_prompt(session, NULL, "The", 3, &params, e));
  EXPECT(FIDELIS_BAD_CONSTRAINT, fidelis_session_next(session, &piece, e));
  params.constraint = NULL;
  EXPECT(FIDELIS_INVALID, fidelis_session_prompt(session, NULL, "The", 3, &params, e));
  params.form = FIDELIS_FORM_NONE;
  params.constraint = "yes";
  EXPECT(FIDELIS_INVALID, fidelis_session_prompt(session, NULL, "The", 3, &params, e));
  params.form = 4;
  EXPECT(FIDELIS_INVALID, fidelis_session_prompt(session, NULL, "The", 3, &params, e));
  params.form = FIDELIS_FORM_REGEX;
  params.constraint = "\xff";
  EXPECT(FIDELIS_INVALID, fidelis_session_prompt(session, NULL, "The", 3, &params, e));
}

static void saved(fidelis_session *session, const fidelis_model *other, const char *path) {
  fidelis_sampler *foreign;
  uint32_t id = 1;
  size_t position;
  EXPECT(FIDELIS_OK, fidelis_sampler_new(other, NULL, &foreign, e));
  EXPECT(FIDELIS_OK, fidelis_session_reset(session, e));
  EXPECT(FIDELIS_OK, fidelis_session_feed(session, &id, 1, e));
  EXPECT(FIDELIS_INVALID, fidelis_session_save(NULL, NULL, path, e));
  EXPECT(FIDELIS_INVALID, fidelis_session_save(session, NULL, NULL, e));
  EXPECT(FIDELIS_INVALID, fidelis_session_save(session, foreign, path, e));
  EXPECT(FIDELIS_IO, fidelis_session_save(session, NULL, "/", e));
  EXPECT(FIDELIS_OK, fidelis_session_save(session, NULL, path, e));
  EXPECT(FIDELIS_OK, fidelis_session_feed(session, &id, 1, e));
  EXPECT(FIDELIS_INVALID, fidelis_session_restore(NULL, NULL, path, e));
  EXPECT(FIDELIS_INVALID, fidelis_session_restore(session, NULL, NULL, e));
  EXPECT(FIDELIS_INVALID, fidelis_session_restore(session, foreign, path, e));
  EXPECT(FIDELIS_OK, fidelis_session_restore(session, NULL, path, e));
  EXPECT(FIDELIS_OK, fidelis_session_position(session, &position, e));
  HOLDS(position == 1);
  remove(path);
  EXPECT(FIDELIS_IO, fidelis_session_restore(session, NULL, path, e));
  fidelis_sampler_free(foreign);
}

int main(int count, char **arguments) {
  fidelis_model *model, *other;
  fidelis_session *session;
  fidelis_session_params params = fidelis_session_default_params();
  fidelis_profile profile;
  fidelis_piece piece;
  if (count != 4) return 2;
  models(arguments[1], arguments[0]);
  EXPECT(FIDELIS_OK, fidelis_model_open(arguments[1], NULL, &model, e));
  EXPECT(FIDELIS_OK, fidelis_model_open(arguments[2], NULL, &other, e));
  if (failures) return 1;
  texts(model);
  settings(model);
  params.context = 100;
  params.threads = 2;
  params.batch = 7;
  EXPECT(FIDELIS_OK, fidelis_session_new(model, &params, &session, e));
  profile.struct_size = sizeof profile;
  EXPECT(FIDELIS_OK, fidelis_session_profile(session, &profile, e));
  HOLDS(profile.context == 100 && profile.threads == 2 && profile.batch == 7 && profile.memory_bytes > 1000);
  HOLDS(strstr(fidelis_levels(), profile.level) && strstr(fidelis_build(), fidelis_version()));
  HOLDS(strcmp(profile.sampling, "fidelis-sampling-1") == 0);
  tokens(session, model, other);
  answers(session, model, other);
  constraints(session);
  saved(session, other, arguments[3]);
  /* A session keeps its model. */
  fidelis_model_free(model);
  EXPECT(FIDELIS_OK, fidelis_session_prompt(session, NULL, "The", 3, NULL, e));
  EXPECT(FIDELIS_OK, fidelis_session_next(session, &piece, e));
  fidelis_session_free(session);
  fidelis_model_free(other);
  printf("%d checks, %d failures\n", checks, failures);
  return failures != 0;
}

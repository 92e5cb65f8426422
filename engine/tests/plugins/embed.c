/* A whole plug-in in C: it can do one thing, an embedding in F32, and refuses all else by name. */
#include "fidelis_offload.h"

#include <stdlib.h>
#include <string.h>

struct FidelisDevice {
  float *rows; /* the one weight */
  uint64_t count, width;
};

struct FidelisPlan {
  const FidelisDevice *device;
  float scale;
  uint32_t read;
};

static FidelisStatus fail(FidelisMessage *message, FidelisStatus status, const char *text) {
  if (message) {
    memset(message, 0, sizeof *message);
    message->op = status == FidelisStatus_UNSUPPORTED ? 0 : Fidelis_NONE;
    message->text.length = (uint32_t)strlen(text);
    memcpy(message->text.bytes, text, strlen(text));
  }
  return status;
}

static void about(FidelisText *text) {
  static const char name[] = "embeddings in C";
  text->length = sizeof name - 1;
  memcpy(text->bytes, name, sizeof name - 1);
}

static FidelisStatus devices(FidelisDeviceInfo *infos, uint32_t capacity, uint32_t *count, FidelisMessage *message) {
  (void)message;
  if (capacity > 0) {
    memset(infos, 0, sizeof *infos);
    infos->kind = FidelisDeviceKind_SOFTWARE;
  }
  *count = 1;
  return FidelisStatus_OK;
}

static FidelisStatus open_device(uint32_t index, FidelisDevice **device, FidelisMessage *message) {
  if (index > 0) return fail(message, FidelisStatus_NO_DEVICE, "there is one device");
  *device = calloc(1, sizeof **device);
  return *device ? FidelisStatus_OK : fail(message, FidelisStatus_OUT_OF_MEMORY, "no memory");
}

static void close_device(FidelisDevice *device) {
  if (device) free(device->rows);
  free(device);
}

static FidelisStatus memory(FidelisDevice *device, FidelisMemory *memory, FidelisMessage *message) {
  (void)message;
  memset(memory, 0, sizeof *memory);
  memory->weights = device->count * device->width * sizeof(float);
  return FidelisStatus_OK;
}

static FidelisStatus supports(FidelisDevice *device, const FidelisDescription *description, FidelisMemory *memory,
                              FidelisMessage *message) {
  (void)device;
  memset(memory, 0, sizeof *memory);
  if (description->op_count != 1 || description->ops[0].kind != FidelisOpKind_EMBED)
    return fail(message, FidelisStatus_UNSUPPORTED, "embeddings alone");
  if (description->weights[description->ops[0].weight].format != 0)
    return fail(message, FidelisStatus_UNSUPPORTED, "F32 alone");
  return FidelisStatus_OK;
}

static FidelisStatus weight(FidelisDevice *device, const FidelisWeight *weight, uint64_t *id, FidelisMessage *message) {
  if (device->rows) return fail(message, FidelisStatus_OUT_OF_MEMORY, "one weight alone");
  device->count = weight->rows;
  device->width = weight->width;
  device->rows = calloc(weight->rows * weight->width, sizeof(float));
  *id = 1;
  return device->rows ? FidelisStatus_OK : fail(message, FidelisStatus_OUT_OF_MEMORY, "no memory");
}

static FidelisStatus upload(FidelisDevice *device, uint64_t id, uint64_t first, uint64_t rows, const uint8_t *bytes,
                            uint64_t length, FidelisMessage *message) {
  if (id != 1 || first + rows > device->count || length != rows * device->width * sizeof(float))
    return fail(message, FidelisStatus_INVALID, "no such rows");
  memcpy(device->rows + first * device->width, bytes, length);
  return FidelisStatus_OK;
}

static FidelisStatus drop_weight(FidelisDevice *device, uint64_t id, FidelisMessage *message) {
  (void)id, (void)message;
  free(device->rows);
  device->rows = NULL;
  return FidelisStatus_OK;
}

static FidelisStatus plan(FidelisDevice *device, const FidelisDescription *description, FidelisPlan **plan,
                          FidelisPlanned *planned, FidelisMessage *message) {
  FidelisMemory needs;
  const FidelisStatus status = supports(device, description, &needs, message);
  if (status != FidelisStatus_OK) return status;
  *plan = calloc(1, sizeof **plan);
  if (!*plan) return fail(message, FidelisStatus_OUT_OF_MEMORY, "no memory");
  (*plan)->device = device;
  (*plan)->scale = (float)description->ops[0].scale;
  memset(planned, 0, sizeof *planned);
  planned->spare = UINT32_MAX;
  return FidelisStatus_OK;
}

static void drop_plan(FidelisPlan *plan) { free(plan); }

static FidelisStatus profile(FidelisPlan *plan, FidelisProfile *profile, FidelisMessage *message) {
  (void)plan, (void)message;
  memset(profile, 0, sizeof *profile);
  profile->tier = FidelisTier_F32;
  return FidelisStatus_OK;
}

static FidelisStatus run(FidelisPlan *plan, const FidelisStep *step, const FidelisRead *reads, uint32_t read_count,
                         FidelisOutcome *outcome, FidelisMessage *message) {
  (void)reads, (void)read_count;
  const FidelisDevice *device = plan->device;
  if (step->position > plan->read) return fail(message, FidelisStatus_INVALID, "positions are missing");
  const uint32_t first = step->rows == FidelisRows_ALL    ? 0
                         : step->rows == FidelisRows_LAST ? step->count - 1
                                                          : step->count;
  for (uint32_t token = first; token < step->count; token++)
    for (uint64_t i = 0; i < device->width; i++)
      step->output[(token - first) * device->width + i] =
          plan->scale * device->rows[step->tokens[token] * device->width + i];
  plan->read = step->position + step->count;
  memset(outcome, 0, sizeof *outcome);
  return FidelisStatus_OK;
}

static const FidelisApi table = {
    .version = Fidelis_VERSION,
    .size = sizeof table,
    .about = about,
    .devices = devices,
    .open = open_device,
    .close = close_device,
    .memory = memory,
    .supports = supports,
    .weight = weight,
    .upload = upload,
    .drop_weight = drop_weight,
    .plan = plan,
    .drop_plan = drop_plan,
    .profile = profile,
    .run = run,
    .greedy = NULL, /* the host asks for one token after another */
};

const FidelisApi *fidelis_offload_entry(uint32_t host_version) {
  return host_version == Fidelis_VERSION ? &table : NULL;
}

/* Plug-ins that are none: one defect each, chosen by -D. */
#include "fidelis_offload.h"

#ifdef NULL_ENTRY
const FidelisApi *fidelis_offload_entry(uint32_t host_version) {
  (void)host_version;
  return NULL;
}
#endif

#ifdef OLD_VERSION
/* A table of an old version: shorter than ours, and of another meaning. */
static const uint32_t table[2] = {0, 8};
const FidelisApi *fidelis_offload_entry(uint32_t host_version) {
  (void)host_version;
  return (const FidelisApi *)(const void *)table;
}
#endif

#ifdef SHORT_TABLE
static const struct {
  uint32_t version, size;
  void *about;
} table = {Fidelis_VERSION, sizeof table, NULL};
const FidelisApi *fidelis_offload_entry(uint32_t host_version) {
  (void)host_version;
  return (const FidelisApi *)(const void *)&table;
}
#endif

#ifdef NULL_FUNCTION
static void about(FidelisText *text) { text->length = 0; }
static const FidelisApi table = {.version = Fidelis_VERSION, .size = sizeof table, .about = about};
const FidelisApi *fidelis_offload_entry(uint32_t host_version) {
  (void)host_version;
  return &table;
}
#endif

#ifdef CROOKED_TABLE
static const uint64_t words[32] = {0};
const FidelisApi *fidelis_offload_entry(uint32_t host_version) {
  (void)host_version;
  return (const FidelisApi *)(const void *)((const char *)words + 1);
}
#endif

#ifdef NO_ENTRY
int something_else(void);
int something_else(void) { return 7; }
#endif

#ifdef NO_DEVICE
static void about(FidelisText *text) { text->length = 0; }
static FidelisStatus devices(FidelisDeviceInfo *infos, uint32_t capacity, uint32_t *count, FidelisMessage *message) {
  (void)infos, (void)capacity, (void)message;
  *count = 0;
  return FidelisStatus_OK;
}
/* Nothing else may be called, but it must not be null. */
static FidelisApi table;
const FidelisApi *fidelis_offload_entry(uint32_t host_version) {
  (void)host_version;
  void (**functions)(void) = (void (**)(void))(void *)&table.about;
  for (size_t i = 0; i < (sizeof table - 8) / sizeof *functions; i++)
    functions[i] = (void (*)(void))about;
  table.version = Fidelis_VERSION;
  table.size = sizeof table;
  table.devices = devices;
  return &table;
}
#endif

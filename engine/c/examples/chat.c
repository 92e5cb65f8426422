/* Chats with a GGUF file: a line of stdin is a question, the answer goes to stdout.

   cc -std=c99 -I engine/c/include engine/c/examples/chat.c -L target/release -lfidelis -o chat
   ./chat FILE.gguf */

#include <fidelis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ends the program with what a call has to say. */
static void check(fidelis_status status, const fidelis_error *error) {
  if (status != FIDELIS_OK) {
    fprintf(stderr, "error %u: %s\n", (unsigned)status, error->message);
    exit(1);
  }
}

static char *copy(const char *text) {
  char *copied = malloc(strlen(text) + 1);
  if (!copied) exit(1);
  return strcpy(copied, text);
}

/* Prints the answer as it is made, and gives the whole of it. */
static char *answer(fidelis_session *session) {
  size_t length = 0;
  char *whole = copy("");
  fidelis_piece piece;
  fidelis_error error;
  do {
    check(fidelis_session_next(session, &piece, &error), &error);
    fwrite(piece.text, 1, piece.length, stdout);
    fflush(stdout);
    whole = realloc(whole, length + piece.length + 1);
    if (!whole) exit(1);
    memcpy(whole + length, piece.text, piece.length + 1);
    length += piece.length;
  } while (piece.stop == FIDELIS_STOP_NONE);
  putchar('\n');
  return whole;
}

int main(int count, char **arguments) {
  enum { TURNS = 1000 };
  static fidelis_message messages[2 * TURNS];
  size_t said = 0;
  char line[4096];
  fidelis_model *model;
  fidelis_session *session;
  fidelis_error error;
  if (count != 2) return fprintf(stderr, "usage: chat FILE.gguf\n"), 1;
  check(fidelis_model_open(arguments[1], NULL, &model, &error), &error);
  check(fidelis_session_new(model, NULL, &session, &error), &error);
  fprintf(stderr, "%s: %s\n", fidelis_model_name(model), fidelis_model_description(model));
  while (said < 2 * TURNS && fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    messages[said].role = "user";
    messages[said++].content = copy(line);
    /* No sampler: the likeliest token. Of the conversation, only what is new is read. */
    check(fidelis_session_chat(session, NULL, messages, said, NULL, &error), &error);
    messages[said].role = "assistant";
    messages[said++].content = answer(session);
  }
  while (said > 0) free((char *)messages[--said].content);
  fidelis_session_free(session);
  fidelis_model_free(model);
  return 0;
}

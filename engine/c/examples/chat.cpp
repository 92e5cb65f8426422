// Chats with a GGUF file, in C++17: what the library gives is freed by its owner, and failures are exceptions.
//
// c++ -std=c++17 -I engine/c/include engine/c/examples/chat.cpp -L target/release -lfidelis -o chat
// ./chat FILE.gguf

#include <fidelis.h>

#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Model = std::unique_ptr<fidelis_model, decltype(&fidelis_model_free)>;
using Session = std::unique_ptr<fidelis_session, decltype(&fidelis_session_free)>;

struct Turn {
  std::string role, content;
};

/// Calls a function with the error that it takes last.
template <typename Function, typename... Arguments>
void call(Function function, Arguments... arguments) {
  fidelis_error error;
  if (function(arguments..., &error) != FIDELIS_OK) throw std::runtime_error(error.message);
}

Model open(const char *path) {
  fidelis_model *model = nullptr;
  call(fidelis_model_open, path, nullptr, &model);
  return {model, fidelis_model_free};
}

Session begin(const Model &model) {
  auto params = fidelis_session_default_params();
  params.threads = 2;
  fidelis_session *session = nullptr;
  call(fidelis_session_new, model.get(), &params, &session);
  return {session, fidelis_session_free};
}

/// Answers the conversation; `hear` is given the text as it is made.
template <typename Hear>
std::string answer(const Session &session, const std::vector<Turn> &turns, Hear hear) {
  std::vector<fidelis_message> messages;
  for (const auto &turn : turns) messages.push_back({turn.role.c_str(), turn.content.c_str()});
  fidelis_sampler *greedy = nullptr;
  const fidelis_answer_params *defaults = nullptr;
  call(fidelis_session_chat, session.get(), greedy, messages.data(), messages.size(), defaults);
  std::string whole;
  fidelis_piece piece{};
  do {
    call(fidelis_session_next, session.get(), &piece);
    const std::string_view text{piece.text, piece.length};
    hear(text);
    whole += text;
  } while (piece.stop == FIDELIS_STOP_NONE);
  return whole;
}

}  // namespace

int main(int count, char **arguments) try {
  if (count != 2) throw std::runtime_error("usage: chat FILE.gguf");
  const auto model = open(arguments[1]);
  const auto session = begin(model);
  std::vector<Turn> turns;
  for (std::string line; std::getline(std::cin, line);) {
    turns.push_back({"user", line});
    turns.push_back({"assistant", answer(session, turns, [](auto text) { std::cout << text << std::flush; })});
    std::cout << '\n';
  }
} catch (const std::exception &error) {
  std::cerr << "error: " << error.what() << '\n';
  return 1;
}

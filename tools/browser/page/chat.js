// The page: shows what the worker says. `?model=FILE` takes another model that lies beside it, `?context=N` another context.

const element = (id) => document.getElementById(id);
const [status, error, log, message] = ["status", "error", "log", "message"].map(element);
const options = new URLSearchParams(location.search);
const context = Number(options.get("context") ?? 1024);

let worker;
let name = "";
// Where the answer in the making is shown.
let answer;

function show(role, text) {
  const shown = document.createElement("div");
  shown.className = role;
  shown.textContent = text;
  log.append(shown);
  shown.scrollIntoView();
  return shown;
}

// What can be done: `loading`, `ready`, `answering` or `failed`.
function become(state) {
  document.body.dataset.state = state;
  for (const id of ["message", "send", "clear"]) element(id).disabled = state !== "ready";
  element("stop").disabled = state !== "answering";
  if (state === "ready") message.focus();
}

function fail(text) {
  error.textContent = text;
  error.hidden = false;
}

function note({ tokens, chosen, reading, making, digest, token }) {
  const speed = chosen > 1 ? ` · ${((1000 * (chosen - 1)) / making).toFixed(0)} tokens/s` : "";
  const shown = show("note", `${tokens} tokens${speed} · logits ${digest}`);
  shown.title = "The running digest of the logits: a receipt of the native program has the same.";
  Object.assign(shown.dataset, { tokens, reading, making, digest, token });
}

const receive = {
  opened(text) {
    name = text;
    status.textContent = `${name} · portable · 1 thread · context ${context}`;
    become("ready");
  },
  piece(text) {
    answer.textContent += text;
    answer.scrollIntoView({ block: "nearest" });
  },
  ended(figures) {
    note(figures);
    become("ready");
  },
  error(text) {
    fail(text);
    become(name === "" ? "failed" : "ready");
  },
};

function open(model, shownAs) {
  worker?.terminate();
  name = "";
  error.hidden = true;
  log.replaceChildren();
  become("loading");
  status.textContent = `loading ${shownAs} …`;
  worker = new Worker("worker.js", { type: "module" });
  worker.onmessage = ({ data }) => {
    for (const [kind, value] of Object.entries(data)) receive[kind](value);
  };
  worker.onerror = (event) => receive.error(event.message || "the worker cannot be started");
  worker.postMessage({ open: model, context });
}

element("form").onsubmit = (event) => {
  event.preventDefault();
  const text = message.value.trim();
  if (text === "" || document.body.dataset.state !== "ready") return;
  message.value = "";
  error.hidden = true;
  show("user", text);
  answer = show("assistant", "");
  become("answering");
  worker.postMessage({ ask: text });
};
element("stop").onclick = () => worker.postMessage({ stop: true });
element("clear").onclick = () => {
  log.replaceChildren();
  error.hidden = true;
  worker.postMessage({ clear: true });
};
element("file").onchange = ({ target }) => {
  const [file] = target.files;
  if (file) open(file, file.name);
};

if (location.protocol === "file:") {
  become("failed");
  fail("a browser lets no page that lies in a file fetch a model: serve this folder, for instance by `python3 -m http.server`");
} else {
  const model = options.get("model") ?? "model.gguf";
  open(model, model);
}

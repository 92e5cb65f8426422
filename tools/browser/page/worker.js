// Runs the engine beside the page, which so stays alive.
//
// Messages in:  {open: File or address, context}  {ask: text}  {stop}  {clear}
// Messages out: {opened: name}  {piece: text}  {ended: {...}}  {error: text}

const MORE = 1;
const FAILED = 2;
// Bytes of a file that are copied at a time.
const PART = 16 << 20;
const MOST_BYTES = 2 ** 31 - 1;

let engine;
let stopped = false;

// The engine's memory moves when it grows, so a view of it serves for one call only.
const memory = (at, length) => new Uint8Array(engine.memory.buffer, at >>> 0, length);

const result = () => new TextDecoder().decode(memory(engine.fidelis_result(), engine.fidelis_result_len()));

function called(status) {
  if (status === FAILED) throw new Error(result());
  return status;
}

function room(length) {
  const at = length > MOST_BYTES ? 0 : engine.fidelis_room(length) >>> 0;
  if (at === 0) throw new Error(`${length} bytes of memory cannot be had in a browser`);
  return at;
}

async function fetched(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address}: ${response.status} ${response.statusText}`);
  return response;
}

async function open(source, context) {
  const program = await WebAssembly.instantiateStreaming(fetched("fidelis.wasm"), {});
  engine = program.instance.exports;
  const file = source instanceof Blob ? source : await (await fetched(source)).blob();
  const at = room(file.size);
  for (let from = 0; from < file.size; from += PART) {
    const part = new Uint8Array(await file.slice(from, from + PART).arrayBuffer());
    memory(at + from, part.length).set(part);
  }
  called(engine.fidelis_open(context));
  postMessage({ opened: result() });
}

// Lets messages in, such as the one to stop.
const turn = new MessageChannel();
const others = () =>
  new Promise((resolve) => {
    turn.port1.onmessage = resolve;
    turn.port2.postMessage(null);
  });

async function answer(text) {
  const bytes = new TextEncoder().encode(text);
  memory(room(bytes.length), bytes.length).set(bytes);
  called(engine.fidelis_ask());
  stopped = false;
  // The token that ends the answer is chosen like the others, but no piece of it.
  let [tokens, chosen] = [0, 0];
  let reading = 0;
  let making = 0;
  while (!stopped) {
    const start = performance.now();
    const status = called(engine.fidelis_next());
    const time = performance.now() - start;
    // The first token is made from what the prompt gave.
    if (chosen === 0) reading = time;
    else making += time;
    chosen += 1;
    if (status !== MORE) break;
    tokens += 1;
    postMessage({ piece: result() });
    await others();
  }
  if (stopped) engine.fidelis_stop();
  const token = engine.fidelis_token();
  called(engine.fidelis_digest());
  postMessage({ ended: { tokens, chosen, reading, making, token, digest: result(), stopped } });
}

onmessage = async ({ data }) => {
  try {
    if (data.open) await open(data.open, data.context);
    else if (data.ask !== undefined) await answer(data.ask);
    else if (data.stop) stopped = true;
    else if (data.clear) called(engine.fidelis_clear());
  } catch (error) {
    postMessage({ error: error instanceof WebAssembly.RuntimeError ? `the engine stopped: ${error.message}` : error.message });
  }
};

// The page in a headless Chromium gives the native program's answer, and the bits of its logits.
//
//   node page.mjs DIST RECEIPT ANSWER
//
// RECEIPT is what `fidelis run --conversation --temp 0 --receipt` wrote of QUESTION, ANSWER the text it gave.
// FIDELIS_BROWSER names the browser, else it is `chromium`.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Browser } from "./browser.mjs";

const QUESTION = "What color is the sky?";
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm" };

const [dist, receiptPath, answer] = process.argv.slice(2);
const receipt = JSON.parse(await readFile(receiptPath, "utf8"));

// Serves the folder, a damaged model beside it, and remembers what was asked for.
const asked = [];
const server = createServer(async (request, response) => {
  const path = new URL(request.url, "http://localhost").pathname;
  asked.push(path);
  try {
    const cut = path === "/cut.gguf";
    const bytes = await readFile(join(dist, cut ? "model.gguf" : path === "/" ? "index.html" : path));
    response.setHeader("content-type", TYPES[extname(path) || ".html"] ?? "application/octet-stream");
    response.end(cut ? bytes.subarray(0, 100_000) : bytes);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const address = `http://127.0.0.1:${server.address().port}/`;
const browser = await Browser.start(process.env.FIDELIS_BROWSER ?? "chromium");

const state = (wanted) => `document.body.dataset.state === ${JSON.stringify(wanted)}`;
const last = (role, what) => `[...document.querySelectorAll(".${role}")].at(-1)?.${what}`;

// Types a message and sends it, as a user does.
const send = (page, text) =>
  page.value(`document.getElementById("message").value = ${JSON.stringify(text)}; document.getElementById("send").click()`);

async function ask(page, text) {
  const before = await page.value(`document.querySelectorAll(".note").length`);
  await send(page, text);
  await page.until(`document.querySelectorAll(".note").length > ${before} && ${state("ready")}`);
  const figures = await page.value(`({ ...${last("note", "dataset")} })`);
  return { text: await page.value(last("assistant", "textContent")), ...figures };
}

const tests = {
  async "the answer and every logit it was chosen from are the native program's"() {
    const page = await browser.open(address);
    await page.until(state("ready"));
    const found = await ask(page, QUESTION);
    const end = receipt.steps.at(-1);
    assert.equal(found.text.trim(), answer.trim());
    assert.equal(Number(found.token), end.token);
    assert.equal(Number(found.tokens), receipt.steps.length - 1);
    assert.equal(found.digest, end.logits);
    console.log(`the page says: ${found.text.trim()} (logits ${found.digest})`);
    // The same question later in a conversation, and in a new one.
    const second = await ask(page, QUESTION);
    assert.notEqual(second.digest, end.logits, "the conversation went on");
    await page.value(`document.getElementById("clear").click()`);
    assert.equal((await ask(page, QUESTION)).digest, end.logits);
  },

  async "words are seen while the answer is made, and it can be stopped"() {
    const page = await browser.open(address);
    await page.until(state("ready"));
    // The page's own frames between pieces: it is not frozen.
    await page.value(`
      globalThis.seen = new Set();
      globalThis.watch = setInterval(() => document.body.dataset.state === "answering" && seen.add(${last("assistant", "textContent")}), 0);
      undefined`);
    const story = await ask(page, "Tell me a story about a dog.");
    const seen = await page.value("[...seen]");
    assert.ok(seen.length > 3, `only ${seen.length} states of the answer were seen`);
    assert.ok(seen.every((text) => story.text.startsWith(text)), "what is seen is the answer's beginning");
    await page.value(`
      new MutationObserver(() => document.getElementById("stop").click()).observe(document.getElementById("log"), { childList: true, subtree: true, characterData: true })`);
    const stopped = await ask(page, "Tell me a story about a cat.");
    assert.ok(Number(stopped.tokens) < Number(story.tokens) / 2, `stopped after ${stopped.tokens} of ${story.tokens} tokens`);
  },

  async "what is wrong is said"() {
    for (const [model, says] of [
      ["missing.gguf", /missing\.gguf: 404/],
      ["cut.gguf", /of the file, which has 100000/],
      ["chat.js", /not a GGUF file/],
    ]) {
      const page = await browser.open(`${address}?model=${model}`);
      await page.until(state("failed"));
      const error = await page.value(`document.getElementById("error").hidden ? "" : document.getElementById("error").textContent`);
      assert.match(error, says);
      console.log(`${model}: ${error}`);
    }
    const page = await browser.open(`${address}?context=32`);
    await page.until(state("ready"));
    await send(page, "Why ".repeat(100));
    await page.until(`!document.getElementById("error").hidden`);
    assert.match(await page.value(`document.getElementById("error").textContent`), /the context holds 32/);
    assert.equal((await ask(page, QUESTION)).text.trim(), answer.trim(), "it goes on");
  },

  async "a model can be chosen from the disk"() {
    const page = await browser.open(address);
    await page.until(state("ready"));
    await page.choose("#file", fileURLToPath(new URL("../../demo-model/demo-gemma3-q4_k_m.gguf", import.meta.url)));
    await page.until(`${state("ready")} && document.getElementById("status").textContent.includes("gemma3")`);
    assert.match((await ask(page, QUESTION)).text, /blue/);
  },

  async "nothing is fetched but the page's own files"() {
    const page = await browser.open(address);
    await page.until(state("ready"));
    const refused = await page.value(`new Promise((resolve) => {
      document.addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective));
      fetch("http://127.0.0.1:1/").then(() => resolve("allowed"), () => {});
    })`);
    assert.equal(refused, "connect-src");
    const allowed = ["/", "/chat.css", "/chat.js", "/worker.js", "/fidelis.wasm", "/model.gguf", "/missing.gguf", "/cut.gguf"];
    assert.deepEqual([...new Set(asked)].filter((path) => !allowed.includes(path)), []);
  },
};

let failures = 0;
try {
  for (const [name, test] of Object.entries(tests)) {
    try {
      await test();
      console.log(`ok: ${name}`);
    } catch (error) {
      failures += 1;
      console.error(`FAILED: ${name}\n${error.stack}`);
    }
  }
} finally {
  await browser.stop();
  server.close();
}
console.log(`test result: ${failures === 0 ? "ok" : "FAILED"}. ${Object.keys(tests).length - failures} passed; ${failures} failed; 0 ignored`);
process.exitCode = failures === 0 ? 0 : 1;

// A headless Chromium, spoken to through its debugging pipe: no driver and no package is needed.
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--remote-debugging-pipe",
];

// How long the page may take for anything; a machine that is busy with other builds is slow.
const PATIENCE = 120_000;

export class Browser {
  #process;
  #profile;
  #output;
  #buffer = "";
  #calls = new Map();
  #last = 0;

  static async start(program) {
    const browser = new Browser();
    browser.#profile = await mkdtemp(join(tmpdir(), "fidelis-browser-"));
    const flags = [...FLAGS, `--user-data-dir=${browser.#profile}`];
    // Descriptor 3 takes commands, 4 gives answers and events, each ended by a zero.
    browser.#process = spawn(program, flags, { stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"] });
    let said = "";
    browser.#process.stderr.on("data", (data) => (said += data));
    browser.#process.on("error", (error) => browser.#end(error));
    browser.#process.on("exit", (code) => browser.#end(new Error(`${program} ended with ${code}: ${said.slice(-2000)}`)));
    browser.#output = browser.#process.stdio[3];
    browser.#output.on("error", () => {});
    browser.#process.stdio[4].setEncoding("utf8").on("data", (data) => browser.#read(data));
    return browser;
  }

  #end(error) {
    for (const { reject } of this.#calls.values()) reject(error);
    this.#calls.clear();
  }

  #read(data) {
    const parts = (this.#buffer + data).split("\0");
    this.#buffer = parts.pop();
    for (const part of parts) {
      const message = JSON.parse(part);
      const call = this.#calls.get(message.id);
      // The others are events.
      if (call === undefined) continue;
      this.#calls.delete(message.id);
      if (message.error) call.reject(new Error(message.error.message));
      else call.resolve(message.result);
    }
  }

  call(method, params = {}, sessionId = undefined) {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject });
      this.#output.write(JSON.stringify({ id, method, params, sessionId }) + "\0");
    });
  }

  // Opens an address in a tab of its own.
  async open(address) {
    const { targetId } = await this.call("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.call("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page(this, sessionId);
    await page.call("Page.enable");
    await page.call("Runtime.enable");
    await page.call("Page.navigate", { url: address });
    return page;
  }

  async stop() {
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    await this.call("Browser.close").catch(() => {});
    await ended;
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

class Page {
  #browser;
  #session;

  constructor(browser, session) {
    this.#browser = browser;
    this.#session = session;
  }

  call(method, params) {
    return this.#browser.call(method, params, this.#session);
  }

  // The value of a JavaScript expression in the page.
  async value(expression) {
    const { result, exceptionDetails } = await this.call("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
    return result.value;
  }

  // Chooses a file as a user does.
  async choose(selector, path) {
    const { result } = await this.call("Runtime.evaluate", { expression: `document.querySelector(${JSON.stringify(selector)})` });
    await this.call("DOM.setFileInputFiles", { files: [path], objectId: result.objectId });
  }

  // Waits until an expression is true.
  async until(expression) {
    const end = Date.now() + PATIENCE;
    while (!(await this.value(expression).catch(() => false))) {
      if (Date.now() > end) {
        const text = await this.value("document.body.innerText").catch(String);
        throw new Error(`it is never true that ${expression}; the page shows:\n${text}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

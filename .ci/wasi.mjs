// Runs a WebAssembly program under node: `node wasi.mjs PROGRAM ARGUMENTS`.
import { readFile } from "node:fs/promises";
import { WASI } from "node:wasi";

const args = process.argv.slice(2);
const wasi = new WASI({
  version: "preview1",
  args,
  env: process.env,
  preopens: { "/": "/", ".": process.cwd() },
});
const program = await WebAssembly.compile(await readFile(args[0]));
const instance = await WebAssembly.instantiate(program, wasi.getImportObject());
try {
  process.exitCode = wasi.start(instance);
} catch (trap) {
  // A panic aborts, which here is an instruction that traps; its message was printed already.
  console.error(`${args[0]}: ${trap}`);
  process.exitCode = 101;
}

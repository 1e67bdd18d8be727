/** Says which runtime this is, and whether it makes memory that can be shared. */
import process from "node:process";

const { bun, deno } = process.versions;
const name = bun ? `Bun ${bun}` : deno ? `Deno ${deno}` : `Node ${process.version}`;
const { buffer } = new WebAssembly.Memory({ initial: 16, maximum: 16, shared: true });
const isShared = buffer instanceof SharedArrayBuffer && buffer.byteLength === 2 ** 20;
console.log(`${name}, ${process.platform} ${process.arch}, shared memory: ${isShared}`);

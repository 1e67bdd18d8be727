/** Makes the runtime collect garbage now. The runtimes of the tests are started so that one of these is there. */
export function collect(): void {
  const runtime = globalThis as { Bun?: { gc(force: boolean): void }; gc?: () => void };
  if (runtime.Bun) runtime.Bun.gc(true);
  else if (runtime.gc) runtime.gc();
  else throw new Error("garbage collection cannot be asked for: start with --expose-gc");
}

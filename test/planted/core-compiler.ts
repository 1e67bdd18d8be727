/**
 * A process that compiles the core again and again. The compiler is a program of JavaScript, which takes a fraction of its time
 * when its runtime knows it already.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** Not as a literal: the types of the compiler declare those of its language for every source that sees them. */
const ASC: string = "assemblyscript/asc";

interface Asc {
  main(
    given: string[],
    streams: Record<"stdout" | "stderr", { write(text: string | Uint8Array): void }>,
  ): Promise<{ error: Error | null }>;
}

/** Why a run has failed, if it has. */
type Answer = { failure?: string };

export class CoreCompiler {
  readonly #child;
  readonly #ended: Promise<Answer>;
  /** The compiler takes one run at a time. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(directory: string) {
    this.#child = fork(fileURLToPath(import.meta.url), { cwd: directory });
    this.#ended = once(this.#child, "exit").then(() => ({ failure: "the compiler has ended" }));
  }

  /** Compiles with the arguments of the command line. */
  compile(given: string[]): Promise<void> {
    const compiled = this.#last.then(async () => {
      const answered = once(this.#child, "message").then(([answer]) => answer as Answer);
      this.#child.send(given);
      const { failure } = await Promise.race([answered, this.#ended]);
      if (failure !== undefined) throw new Error(`asc ${given.join(" ")}\n${failure}`);
    });
    this.#last = compiled.catch(() => {});
    return compiled;
  }

  end(): void {
    this.#child.kill();
  }
}

async function serve(): Promise<void> {
  const { main } = (await import(ASC)) as Asc;
  process.on("message", async (given: string[]) => {
    let output = "";
    const write = (text: string | Uint8Array): void => {
      output += text;
    };
    const { error } = await main(given, { stdout: { write }, stderr: { write } });
    process.send?.((error ? { failure: `${error.message}\n${output}` } : {}) satisfies Answer);
  });
  process.on("disconnect", () => process.exit());
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await serve();

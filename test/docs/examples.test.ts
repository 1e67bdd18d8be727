/** Every example in the documents and in the doc comments compiles against the shipped types and runs without an error. */
import { join } from "node:path";
import { Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { someOf } from "../lib/depth.js";
import { root } from "../lib/paths.js";
import { presentRuntimes } from "../lib/runtimes.js";
import { segmentName } from "../lib/segments.js";
import {
  docCommentExamples,
  type Example,
  filesOf,
  runExample,
  runnableBlocks,
  textOf,
  withCompiled,
} from "./code-blocks.js";

/** Segments of examples that nobody alive has open: others belong to another run of them. */
function unused(): Set<string> {
  const left = Segment.list().filter(({ name, inUse }) => /^(example|readme)-/.test(name) && !inUse);
  return new Set(left.map(({ name }) => name));
}

const before = unused();
const documents = ["README.md", "ARCHITECTURE.md", ...filesOf("docs", ".md")];

test("the examples of the documents run", async () => {
  const examples = documents.flatMap((path) => runnableBlocks(path, textOf(path)));
  assert.ok(examples.some(({ place }) => place.startsWith("README.md")));
  await runAll(examples); // all: some wait for what others send
});

test("the first example of README.md has two processes, one of which prints what the other one sends", async () => {
  const [first] = runnableBlocks("README.md", textOf("README.md")) as [Example];
  assert.ok(first.code.trim().split("\n").length <= 16);
  await withCompiled([first], async ([file]) => {
    const { code, stdout } = await runExample(file as string, first.place);
    assert.equal([code, stdout], [0, "shared\nmemory\n"]);
  });
});

test("the examples of the doc comments run", async () => {
  const examples = filesOf("ts", ".ts").flatMap((path) => docCommentExamples(path, textOf(path)));
  assert.ok(examples.length >= 3);
  await runAll(someOf(examples, 5));
});

/** A line for 1, 2, 4 and 8 workers; times for processes and threads in each runtime that is there. */
function treeTable(): RegExp {
  const names = presentRuntimes().map(({ name }) => name.split(" ")[0] as string);
  const each = (text: string): string => names.map(() => text).join("");
  const heads = `^ +ms +${names.join(" +")}\\nworkers${each(" +processes +threads")}\\n`;
  return new RegExp(
    `${heads}${[1, 2, 4, 8].map((count) => ` +${count}${each(" +\\d+ +\\d+")}\\n`).join("")}$`,
  );
}

/** What each of the three programs with pipes says at its end. */
const PIPES = {
  server: /^(\d+) sent\n$/,
  middle: /^(\d+) passed on\n$/,
  client: /^(\d+) received(?:, the last one "ITEM \d+")?\n$/,
};

/** Runs these programs at the same time, started in this order. Their numbers. */
async function runPipes(name: string, ...programs: (keyof typeof PIPES)[]): Promise<number[]> {
  const args = ["--name", name, "--messages", "300", "--silence", "3000"];
  return Promise.all(
    programs.map(async (program) => {
      const file = join(root, `build/examples/${program}.js`);
      const { code, stdout, stderr } = await runExample(file, program, args);
      assert.is(code, 0, stderr);
      assert.match(stdout, PIPES[program]);
      return Number(PIPES[program].exec(stdout)?.[1]);
    }),
  );
}

test("server, middle and client run in any number, in any order of start, also one after the other", async () => {
  const name = segmentName("pipes");
  const [received, other, ...middle] = await runPipes(name, "client", "client", "middle", "middle", "server");
  assert.is((received as number) + (other as number), 300);
  assert.equal(middle[2], 300);
  const apart = segmentName("pipes");
  assert.equal(await runPipes(apart, "server", "server", "middle"), [300, 300, 600]);
  assert.equal(await runPipes(apart, "client"), [600]);
  for (const one of [name, apart]) Segment.unlink(one);
});

test("the programs in examples/ run and print what they promise", async () => {
  const promised: Record<string, [output: RegExp, ...args: string[]]> = {
    anonymous: [/^from\nthe\nchild\n$/],
    bank: [
      /^\d+ transfers, [1-9]\d* processes killed\nsum 100000, as before; heap in order\n$/,
      "--seconds",
      "1",
    ],
    cache: [
      /^300 reads by 3 processes, one more was killed while it computed\neach page was computed once\n$/,
      ...["--workers", "3", "--pages", "20", "--reads", "100"],
    ],
    counter: [
      // So few that processes hardly meet by chance: what is lost, the programme made sure of.
      /^plain: 300 additions, 200 lost, sum 100\ncounter: 300 additions, 0 lost, sum 300\nlock: 300 additions, 0 lost, sum 300\n$/,
      ...["--processes", "3", "--additions", "100"],
    ],
    dashboard: [
      /^a 100 whole\nb 100 whole\nc 100 whole\nendless killed whole\njobs done, references 2, heap in order\n$/,
    ],
    fifo: [
      /^queue .+\n1500 sent, 1500 received, numbers add up to 375750\nheap in order\n$/,
      ...["--producers", "3", "--consumers", "2", "--messages", "500", "--silence", "1000"],
    ],
    latest: [/^(frame \d+ whole\n){3}$/],
    multicast: [
      /^reader 0 received 10 and was dropped after 74 messages\n(reader [12] received 200 and is up to date\n){2}$/,
      ...["--readers", "3", "--slow", "1", "--messages", "200", "--patience", "3000"],
    ],
    "rate-limit": [
      /^(ann|bob): 600 requests, the limit was kept\n(ann|bob): 600 requests, the limit was kept\n$/,
      ...["--workers", "3", "--rate", "200", "--burst", "20", "--requests", "400"],
    ],
    tree: [treeTable(), ...["--keys", "300", "--searches", "2", "--workers", "1,2,4,8"]],
    resize: [
      /^60 of 60 pictures of 4 KiB resized, 2 servers killed\n$/,
      ...["--servers", "2", "--pictures", "60", "--kills", "2"],
    ],
    "zero-copy": [/^200 frames of 262144 bytes, first bytes add up to 19900\n$/],
  };
  const parts = ["children", "numbers", "pipes", "runtimes", "shared-tree"]; // what a program imports
  assert.equal(
    filesOf("examples", ".ts").sort(),
    [...Object.keys(promised), ...Object.keys(PIPES), ...parts].sort().map((name) => `examples/${name}.ts`),
  );
  for (const [name, [output, ...args]] of someOf(Object.entries(promised), 2)) {
    const { code, stdout, stderr } = await runExample(join(root, `build/examples/${name}.js`), name, args);
    assert.is(code, 0, stderr);
    assert.match(stdout, output);
  }
});

test("an example that fails is noticed, and so is one that does not compile", async () => {
  const failing = [
    { place: "planted", code: 'import { Segment } from "isthmus";\nSegment.open("no-such-segment");' },
  ];
  await withCompiled(failing, async ([file]) => {
    const { code, stderr } = await runExample(file as string, "planted");
    assert.is(code, 1);
    assert.match(stderr, "NOT_FOUND");
  });
  const wrong = [{ place: "planted", code: 'import { Segment } from "isthmus";\nSegment.open(1);' }];
  let refused = "";
  await withCompiled(wrong, async () => {}).catch((error: Error) => {
    refused = error.message;
  });
  assert.match(refused, "TS2345");
});

test("examples leave no segment behind", () => {
  assert.equal(
    [...unused()].filter((name) => !before.has(name)),
    [],
  );
});

/** As many at a time as most machines have cores for. */
const AT_A_TIME = 4;

async function runAll(examples: Example[]): Promise<void> {
  await withCompiled(examples, async (files) => {
    const left = [...files.entries()];
    const runOne = async (): Promise<void> => {
      for (let next = left.shift(); next; next = left.shift()) {
        const [index, file] = next;
        const { place } = examples[index] as Example;
        const { code, stdout, stderr } = await runExample(file, place);
        assert.is(code, 0, `${place}\n${stdout}${stderr}`);
        assert.is(stderr, "", place);
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, runOne));
  });
}

test.run();

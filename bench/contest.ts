/** What a row of the benchmark is, and what its contestants hand back. Words only: nothing here measures. */

/** All that both ends of a contestant must agree on. */
export interface Plan {
  /** Name of the segment, free for this run. */
  segment: string;
  /** Path of the socket, free for this run. */
  socket: string;
  /** Messages or timed blocks that are not counted: code gets compiled, processes spread over the cores. */
  warmup: number;
  /** Messages or timed blocks that are counted. */
  count: number;
  payloadBytes: number;
  ringBytes: number;
  /** Messages that are published together. */
  batch: number;
  /** A word in this many is stamped and summed. */
  strideWords: number;
  /** Operations per timed block: 1 unless the clock would be what is measured. */
  block: number;
  /** Nanoseconds between two writes of a paced writer. */
  paceNs: number;
  /** Nanoseconds that the other end works before it answers. They are taken off what is measured. */
  workNs: number;
  /** Sizes of segments. */
  sizesMiB: number[];
  /** Blocks that are in use while others come and go. */
  liveBlocks: number[];
  /** Right ends that are started. */
  rights: number;
  /** How many of them work, one count after the other. */
  workers: number[];
  /** Searches of each key. */
  searches: number;
}

/** What one run of one contestant gave. One of the two first members is there. */
export interface Sample {
  perSecond?: number;
  /** Nanoseconds per operation, one number per timed block. */
  latenciesNs?: number[];
  /** Further figures of this run, by name. */
  parts?: Record<string, number>;
}

/** Control messages between the ends; never the measured data. */
export interface Link {
  /** From the left end to all right ones, or from a right one to the left. */
  send(message: unknown): void;
  /** The next message of whoever sends one. */
  receive(): Promise<unknown>;
}

/** A program of one process or more. The left end starts first and returns what was measured. */
export interface Contestant {
  left(plan: Plan, link: Link): Promise<Sample>;
  /** `index` counts the right ends, from 0. */
  right?(plan: Plan, link: Link, index: number): Promise<void>;
}

/** Where the program of a contestant is, and what it changes in the row's plan. */
export interface Entry {
  load: () => Promise<{ contestant: Contestant }>;
  plan?: Partial<Plan>;
  /** Why it cannot run here, if it cannot. */
  missing?: () => string | undefined;
}

export interface Goal {
  atLeast?: number;
  atMost?: number;
}

export interface RowSpec {
  name: string;
  what: string;
  unit: "messages/s" | "ns";
  plan: Partial<Plan>;
  isthmus: Entry;
  /** Program in bench/native and its arguments. */
  native?: (plan: Plan) => [program: string, ...args: (string | number)[]];
  /** More native programs, shown beside the peers. */
  nativePeers?: Record<string, (plan: Plan) => [program: string, ...args: (string | number)[]]>;
  peers?: Record<string, Entry>;
  /** Bounds of isthmus ÷ the contestant of that name, or of one of the ratios that `derive` gives. */
  goals: Record<string, Goal>;
  /** More ratios; one that needs a contestant that is missing comes out as NaN and is left out. */
  derive?: (figures: Figures) => Record<string, number>;
}

/** What one contestant gave: its figure, and the medians of its parts by name. */
export interface Figures {
  isthmus: (part?: string) => number;
  native: (part?: string) => number;
}

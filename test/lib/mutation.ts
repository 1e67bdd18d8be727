/** A bug planted at run time at one memory instruction, so that no broken variant of a source is kept. */
import type { Hooks } from "./arena.js";
import type { Site } from "./instrument.js";
import { KeptStores } from "./stores.js";

export interface Mutation {
  site: number;
  /**
   * drop: nothing is stored. late: a store is done when the called export returns. split: a read-modify-write becomes a load
   * and a store, between which others may come. plain: an atomic store is an ordinary one, which the explorer may keep back.
   */
  how: "drop" | "late" | "split" | "plain";
}

/** An atomic write: what came before it is visible before it is. A planted bug may have made it a plain one. */
export function orders({ atomic, writes }: Site, number: number, mutation: Mutation | undefined): boolean {
  return atomic && writes && !(mutation?.how === "plain" && mutation.site === number);
}

/** What a site must be like to be meant: a function, an instruction, and which of several, in the order of the text. */
export interface SitePattern {
  func: string;
  name: string;
  /** Default 0; negative counts from the last. */
  nth?: number;
}

export function findSite(sites: Site[], pattern: SitePattern): number {
  const found = sites.flatMap((site, number) =>
    site.func === pattern.func && site.name === pattern.name ? [number] : [],
  );
  const site = found.at(pattern.nth ?? 0);
  if (site === undefined) {
    const there = sites.filter((site) => site.func === pattern.func).map((site) => site.name);
    throw new Error(
      `${pattern.func} has ${found.length} of ${pattern.name}; it has ${there.join(", ") || "no access"}`,
    );
  }
  return site;
}

/** Takes stores of one instance over: for a planted bug, or to keep them back for a while. */
export class Interception {
  /** Stores that a planted bug does when the call returns. */
  readonly late: KeptStores;
  /** Where the store goes that is being taken over; undefined drops it. */
  #into: KeptStores | undefined;

  constructor(
    view: DataView,
    readonly mutation: () => Mutation | undefined,
    readonly keepsBack: (site: number) => KeptStores | undefined = () => undefined,
  ) {
    this.late = new KeptStores(view);
  }

  hooks(): Omit<Hooks, "step"> {
    const take = (_site: number, address: number, bytes: number, value: number | bigint): void =>
      this.#into?.keep(address, bytes, value);
    return {
      defer: (site) => (this.#takesOver(site) ? 1 : 0),
      deferI32: take,
      deferI64: take,
      alter: (site) => this.#alteration(site),
    };
  }

  #alteration(site: number): number {
    const mutation = this.mutation();
    if (mutation?.site !== site) return 0;
    return { drop: 2, late: 0, split: 1, plain: 0 }[mutation.how];
  }

  #takesOver(site: number): boolean {
    const mutation = this.mutation();
    if (mutation?.site === site && (mutation.how === "drop" || mutation.how === "late")) {
      this.#into = mutation.how === "late" ? this.late : undefined;
      return true;
    }
    this.#into = this.keepsBack(site);
    return this.#into !== undefined;
  }
}

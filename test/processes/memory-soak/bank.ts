/**
 * A bank in shared memory: accounts whose sum never changes, and a ledger of slots that hold blocks or nothing. All of it
 * is changed in transactions, so whoever is killed leaves neither a wrong sum nor a block that nobody knows.
 *
 *     root -> { ledger, accounts[20] }      ledger -> { transfers, slots[40] }      slot -> a block that carries its slot's number
 */
import { type Block, type Lock, type Segment, type StructView, struct } from "isthmus";

const ACCOUNTS = 20;
const SLOTS = 40;
const OPENING_BALANCE = 1000;
const RECEIPT_BYTES_MAX = 3000;

const rootFields = { ledger: "u32", accounts: ["u32", ACCOUNTS] } as const;
const ledgerFields = { transfers: "f64", slots: ["u32", SLOTS] } as const;
const accountFields = { balance: "i32", changes: "u32" } as const;
const Root = struct(rootFields);
const Ledger = struct(ledgerFields);
const Account = struct(accountFields);

function required(block: Block | undefined, what: string): Block {
  if (!block) throw new Error(`${what} is missing`);
  return block;
}

export class Bank {
  readonly #segment: Segment;
  readonly #lock: Lock;
  readonly #ledger: StructView<typeof ledgerFields>;
  readonly #accounts: StructView<typeof accountFields>[];

  /** Opens the bank of a segment, or founds it. */
  constructor(segment: Segment) {
    this.#segment = segment;
    this.#lock = segment.lock("bank");
    const { ledger, accounts } = (segment.root ?? this.#found()).view(Root).read();
    const { heap } = segment;
    this.#ledger = required(heap.blockAt(ledger), "the ledger").view(Ledger);
    this.#accounts = accounts.map((offset) => required(heap.blockAt(offset), "an account").view(Account));
  }

  #found(): Block {
    const { heap } = this.#segment;
    const offsets = Array.from({ length: ACCOUNTS }, () => {
      const block = heap.allocate(Account.bytes);
      block.view(Account).write({ balance: OPENING_BALANCE, changes: 0 });
      return block.offset;
    });
    const ledger = heap.allocate(Ledger.bytes);
    ledger.view(Ledger);
    const root = heap.allocate(Root.bytes);
    root.view(Root).write({ ledger: ledger.offset, accounts: offsets });
    this.#segment.root = root;
    return root;
  }

  /** Moves money, and replaces or removes what a slot of the ledger holds. One time in ten it changes its mind at the end. */
  transfer(random: () => number): void {
    const below = (limit: number): number => Math.floor(random() * limit);
    const [from, to] = [below(ACCOUNTS), below(ACCOUNTS)];
    const amount = below(100);
    const slot = below(SLOTS);
    const bytes = random() < 0.3 ? 0 : 1 + below(RECEIPT_BYTES_MAX);
    const regrets = random() < 0.1;
    try {
      this.#segment.transactionSync(this.#lock, () => {
        this.#add(from, -amount);
        this.#add(to, amount);
        this.#replace(slot, bytes);
        this.#ledger.set("transfers", this.#ledger.get("transfers") + 1);
        if (regrets) throw REGRET;
      });
    } catch (error) {
      if (error !== REGRET) throw error;
    }
  }

  #add(account: number, amount: number): void {
    const view = this.#accounts[account] as StructView<typeof accountFields>;
    view.set("balance", view.get("balance") + amount);
    view.set("changes", view.get("changes") + 1);
  }

  #replace(slot: number, bytes: number): void {
    const slots = this.#ledger.get("slots") as number[];
    const old = slots[slot] as number;
    if (old !== 0) required(this.#segment.heap.blockAt(old), `what slot ${slot} holds`).free();
    const fresh = bytes === 0 ? undefined : this.#segment.heap.tryAllocate(bytes);
    fresh?.write(new Uint8Array(fresh.byteLength).fill(slot));
    slots[slot] = fresh?.offset ?? 0;
    this.#ledger.set("slots", slots);
  }

  /** What is wrong with the accounts, the ledger or the heap; nothing may be, whoever was killed. */
  problems(): string[] {
    return this.#segment.transactionSync(this.#lock, () => {
      const sum = this.#accounts.reduce((all, account) => all + account.get("balance"), 0);
      const changes = this.#accounts.reduce((all, account) => all + account.get("changes"), 0);
      const found: string[] = [];
      if (sum !== ACCOUNTS * OPENING_BALANCE) found.push(`the sum is ${sum}`);
      if (changes !== 2 * this.transfers) found.push(`${changes} changes in ${this.transfers} transfers`);
      for (const [slot, offset] of this.#slots()) {
        const bytes = this.#segment.heap.blockAt(offset)?.copy();
        if (!bytes || bytes[0] !== slot) found.push(`slot ${slot} leads to ${bytes ? bytes[0] : "nothing"}`);
      }
      const { ok, problems } = this.#segment.heap.check();
      if (!ok) found.push(JSON.stringify(problems));
      return found;
    });
  }

  #slots(): [slot: number, offset: number][] {
    return (this.#ledger.get("slots") as number[])
      .map((offset, slot): [number, number] => [slot, offset])
      .filter(([, offset]) => offset !== 0);
  }

  /** Transfers that were made. */
  get transfers(): number {
    return this.#ledger.get("transfers");
  }

  /** Blocks that the bank is made of. */
  get blocks(): number {
    return this.#slots().length + ACCOUNTS + 2;
  }
}

const REGRET = new Error("the transfer was not meant");

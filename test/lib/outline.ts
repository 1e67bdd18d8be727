/**
 * The text of the functions that stand in for memory instructions. Local 0 is the site, local 1 the address operand, the
 * further locals are the instruction's other operands. See `instrument.ts`.
 *
 * A bulk write is not atomic, so it becomes two halves with a step before each: a death can tear it.
 */
import type { Site } from "./instrument.js";

const AT = "(local.get 1)";
const THIRD = "(local.get 2)";
const FOURTH = "(local.get 3)";

function step(address: string): string {
  return `(call $env.step (local.get 0) ${address})`;
}

/** Two halves in the direction that keeps an overlapping copy right; a fill may go either way. */
function inHalves(
  half: (address: string, count: string, skipped: string) => string,
  overlaps: boolean,
): string {
  const count = `(i32.shr_u ${FOURTH} (i32.const 1))`;
  const rest = `(i32.sub ${FOURTH} ${count})`;
  const middle = `(i32.add ${AT} ${count})`;
  const low = `${step(AT)} ${half(AT, count, "(i32.const 0)")}`;
  const high = `${step(middle)} ${half(middle, rest, count)}`;
  if (!overlaps) return `${low} ${high}`;
  return `(if (i32.le_u ${AT} ${THIRD}) (then ${low} ${high}) (else ${high} ${low}))`;
}

/** A store that the host may take over: to do it later, or never. */
function hookedStore(instruction: string, type: string, bytes: number, address: string): string {
  const place = `(local.get 0) ${address} (i32.const ${bytes})`;
  const deferred = `(call $env.defer_${type} ${place} ${THIRD})`;
  return `(if (call $env.defer ${place}) (then ${deferred}) (else (${instruction} ${AT} ${THIRD})))`;
}

/**
 * A read-modify-write that the host may alter, to plant a bug: 1 splits it into a load and a store with a step between, 2
 * drops the store. Local `old` holds what was loaded, the next one what the host answered.
 */
function hookedExchange(
  instruction: string,
  address: string,
  load: string,
  store: string,
  old: number,
): string {
  const how = `(local.get ${old + 1})`;
  return `(local.set ${old + 1} (call $env.alter (local.get 0) ${address}))
    (if ${how} (then
      (local.set ${old} ${load})
      (if (i32.eq ${how} (i32.const 1)) (then ${store}))
      (return (local.get ${old}))))
    ${instruction}`;
}

/** The plain store that a read-modify-write amounts to. */
function storeOf(site: Site, immediates: string, value: string): string {
  return `(${site.name.replace(/rmw(\d*)\..*$/, "store$1")} ${immediates} ${AT} ${value})`;
}

function loadOf(site: Site, immediates: string): string {
  return `(${site.name.replace(/rmw(\d*)\.[a-z]+/, "load$1")} ${immediates} ${AT})`;
}

function addedUp(site: Site, type: string): string {
  const op = /rmw\d*\.([a-z]+)/.exec(site.name)?.[1];
  return op === "xchg" ? THIRD : `(${type}.${op} (local.get 3) ${THIRD})`;
}

/** Signature after the site, and body, of the function that stands in for the instruction. */
function parts(site: Site, immediates: string, hooks: boolean): [string, string] {
  const type = site.name.slice(0, site.name.indexOf("."));
  const offset = /offset=(\d+)/.exec(immediates)?.[1];
  const address = offset === undefined ? AT : `(i32.add ${AT} (i32.const ${offset}))`;
  const instruction = `${site.name} ${immediates}`;
  switch (site.kind) {
    case "load":
      return [`(param i32) (result ${type})`, `${step(address)} (${instruction} ${AT})`];
    case "store": {
      const plain = `(${instruction} ${AT} ${THIRD})`;
      const store =
        hooks && type.startsWith("i") ? hookedStore(instruction, type, site.bytes, address) : plain;
      return [`(param i32 ${type})`, `${step(address)} ${store}`];
    }
    case "rmw": {
      const plain = `(${instruction} ${AT} ${THIRD})`;
      const store = `${step(address)} ${storeOf(site, immediates, addedUp(site, type))}`;
      const body = hooks ? hookedExchange(plain, address, loadOf(site, immediates), store, 3) : plain;
      return [`(param i32 ${type}) (result ${type}) (local ${type} i32)`, `${step(address)} ${body}`];
    }
    case "cmpxchg": {
      const plain = `(${instruction} ${AT} ${THIRD} ${FOURTH})`;
      const replace = `${step(address)} ${storeOf(site, immediates, FOURTH)}`;
      const store = `(if (${type}.eq (local.get 4) ${THIRD}) (then ${replace}))`;
      const body = hooks ? hookedExchange(plain, address, loadOf(site, immediates), store, 4) : plain;
      return [`(param i32 ${type} ${type}) (result ${type}) (local ${type} i32)`, `${step(address)} ${body}`];
    }
    case "fill":
      return ["(param i32 i32 i32)", inHalves((to, count) => `(memory.fill ${to} ${THIRD} ${count})`, false)];
    case "copy": {
      const half = (to: string, count: string, skipped: string) =>
        `(memory.copy ${to} (i32.add ${THIRD} ${skipped}) ${count})`;
      return ["(param i32 i32 i32)", inHalves(half, true)];
    }
  }
}

export function outlined(id: string, site: Site, immediates: string, hooks: boolean): string {
  const [signature, body] = parts(site, immediates, hooks);
  return ` (func ${id} (param i32) ${signature}\n  ${body})`;
}

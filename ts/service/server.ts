import { CALL_FAILURE, CALL_RESPONSE } from "../../protocol/layout.js";
import { type AbortSource, bytesOf, checkOurs, type OURS, type RuntimeSignal } from "../arguments.js";
import type { PrivateBytes } from "../bytes.js";
import { disposable } from "../disposal.js";
import { IsthmusError } from "../errors.js";
import { describe, openItByItsNameOverThere } from "../host/describe.js";
import { abortController } from "../host/runtime.js";
import { TextEncoder } from "../host/text.js";
import type { Lease } from "../segment/attachment.js";
import { type Condition, lookAgain, NOT_YET, wait } from "../wait/wait.js";
import type { ServiceCalls, Taken } from "./calls.js";
import { callDamaged } from "./errors.js";

/** What a handler knows of the request that it handles, besides its bytes. */
export interface ServiceRequest {
  /**
   * Aborted when nobody waits for the answer any more: the caller has cancelled the call, its time is over, or it has died. Also
   * when the segment is closed.
   */
  readonly signal: RuntimeSignal;
}

/** Handles requests: gets a copy of the request, and returns the response, 0 to `responseBytes` bytes. */
export type ServiceHandler = (
  request: PrivateBytes,
  about: ServiceRequest,
) => Uint8Array | PromiseLike<Uint8Array>;

/** How a server works. */
export interface ServeOptions {
  /**
   * How many requests this server handles at a time, 1 to 1,048,576. Default: 1. What it does not take goes to other servers,
   * so more is only good for handlers that wait for something else.
   */
  concurrency?: number | undefined;
  /** Aborting it is the same as `close`. Default: none. */
  signal?: AbortSource | undefined;
}

const encoder = new TextEncoder();

/** What shows that a text goes on. */
const CUT = encoder.encode("…");

/** The text of an error; if it has no room, the begin of it, in whole characters. */
function textOf(error: unknown, most: number): Uint8Array {
  const message = messageOf(error);
  const bytes = new Uint8Array(Math.min(most, 3 * message.length));
  const { read, written } = encoder.encodeInto(message, bytes);
  if (read === message.length || most < CUT.length) return bytes.subarray(0, written);
  const begin = encoder.encodeInto(message, bytes.subarray(0, most - CUT.length)).written;
  bytes.set(CUT, begin);
  return bytes.subarray(0, begin + CUT.length);
}

/** The message of an error of any realm, or what was thrown, as a text. */
function messageOf(error: unknown): string {
  try {
    const { message } = Object(error);
    return typeof message === "string" ? message : String(error);
  } catch {
    return "the handler has failed"; // and what it has thrown cannot be shown
  }
}

/** A request that a handler works on. It waits for a cancellation only if the handler has asked for its signal. */
class Handling implements ServiceRequest {
  readonly #calls: ServiceCalls;
  readonly #request: Taken;
  #controller: AbortController | undefined;
  #ended = false;

  constructor(calls: ServiceCalls, request: Taken) {
    this.#calls = calls;
    this.#request = request;
  }

  get signal(): RuntimeSignal {
    if (!this.#controller) {
      this.#controller = abortController();
      if (!this.#ended) void this.#watch(this.#controller);
    }
    return this.#controller.signal;
  }

  async #watch(controller: AbortController): Promise<void> {
    const calls = this.#calls;
    const request = this.#request;
    const { name } = calls.geometry;
    try {
      const cancelled = await wait<boolean>(
        calls.attachment,
        {
          what: `watching a request of service "${name}"`,
          waiters: calls.notices,
          attempt: () => (this.#ended ? false : calls.isCancelled(request) || NOT_YET),
          recheck: () => calls.recheckRequest(request),
        },
        { timeoutMs: Infinity, signal: undefined },
      );
      const text = `the caller of service "${name}" waits no longer, or has died`;
      if (cancelled) controller.abort(new IsthmusError("PEER_DIED", text));
    } catch (error) {
      controller.abort(error); // the segment was closed
    }
  }

  end(): void {
    this.#ended = true;
    if (this.#controller && !this.#calls.attachment.closed)
      lookAgain(this.#calls.attachment, this.#calls.notices);
  }
}

/**
 * A server of a service, made by `service.serve`. It takes requests until `close`, or until its segment is closed.
 *
 * @example
 * ```ts
 * import { MiB, Segment } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 4 * MiB });
 * const service = segment.service("upper", { requestBytes: 100, responseBytes: 100, capacity: 16 });
 * const server = service.serve((request) => request.map((byte) => byte & 0xdf));
 * console.log(new TextDecoder().decode(await service.call(new TextEncoder().encode("hello"))));
 * server.close();
 * await server.finished;
 * ```
 */
export class ServiceServer {
  static {
    describe(ServiceServer.prototype, "ServiceServer", ({ open, handling, handled }) => ({
      ...{ open, handling, handled },
    }));
    disposable(ServiceServer.prototype, (server) => server.close());
  }

  /** @internal */
  readonly cannotBeCloned = openItByItsNameOverThere;
  /**
   * Settled when the server is closed and has answered what it had begun. Rejected with an IsthmusError when it had to end:
   * EVICTED when this participant was removed; CORRUPT when the service is damaged.
   */
  readonly finished: Promise<void>;
  readonly #lease: Lease;
  readonly #calls: ServiceCalls;
  readonly #handler: ServiceHandler;
  readonly #concurrency: number;
  readonly #closing = abortController();
  #handling = 0;
  #handled = 0;
  /** Called when a handler has ended. */
  #freed: (() => void) | undefined;

  /** @internal */
  constructor(
    by: typeof OURS,
    lease: Lease,
    calls: ServiceCalls,
    handler: ServiceHandler,
    concurrency: number,
  ) {
    checkOurs(by, "ServiceServer", "service.serve(handler)");
    this.#lease = lease;
    this.#calls = calls;
    this.#handler = handler;
    this.#concurrency = concurrency;
    this.finished = this.#run();
  }

  /** Whether it takes requests. Never throws. */
  get open(): boolean {
    return !this.#closing.signal.aborted && !this.#lease.attachment.closed;
  }

  /** How many requests it handles now. Never throws. */
  get handling(): number {
    return this.#handling;
  }

  /** How many requests it has handled. Never throws. */
  get handled(): number {
    return this.#handled;
  }

  /** Takes no more requests. Those that it has begun are answered; `finished` says when. Never throws. */
  close(): void {
    this.#closing.abort();
    this.#freed?.();
  }

  /** As `close`, for `using`. Never throws. */
  [Symbol.dispose](): void {
    this.close();
  }

  async #run(): Promise<void> {
    const { attachment } = this.#lease;
    const { signal } = this.#closing;
    const how = { timeoutMs: Infinity, signal };
    const end = (): void => this.#freed?.();
    this.#calls.closing.add(end);
    this.#calls.open++;
    signal.addEventListener("abort", () => this.#calls.open--, { once: true });
    try {
      while (this.open) {
        if (this.#handling < this.#concurrency) this.#begin(await wait(attachment, this.#forRequest(), how));
        else await this.#oneEnds();
      }
    } catch (error) {
      // Closing the server or the segment ends it in order.
      if (!signal.aborted && !attachment.closed) {
        this.#closing.abort();
        throw error;
      }
    }
    while (this.#handling > 0 && !attachment.closed) await this.#oneEnds();
    this.#calls.closing.delete(end);
  }

  #oneEnds(): Promise<void> {
    return new Promise((resolve) => {
      this.#freed = resolve;
    });
  }

  #forRequest(): Condition<Taken> {
    const calls = this.#calls;
    return {
      what: `waiting for a request of service "${calls.geometry.name}"`,
      waiters: calls.requests,
      queue: calls.servers,
      attempt: () => {
        this.#lease.attachment.check(true);
        return this.open ? (calls.take() ?? NOT_YET) : NOT_YET;
      },
      recheck: () => calls.recheck(),
      passOn: () => calls.callServer(),
    };
  }

  #begin(request: Taken): void {
    this.#handling++;
    void this.#handle(request);
  }

  async #handle(request: Taken): Promise<void> {
    const calls = this.#calls;
    const { requestBytes, responseBytes } = calls.geometry;
    const handling = new Handling(calls, request);
    let response: Uint8Array;
    let kind = CALL_RESPONSE;
    try {
      const { bytes, length } = request;
      if (length !== bytes.length) throw callDamaged(calls.geometry, "request", length, requestBytes);
      response = bytesOf("response", await this.#handler(bytes, handling));
      if (response.length > responseBytes) {
        throw new RangeError(`response must have at most ${responseBytes} bytes, got ${response.length}`);
      }
    } catch (error) {
      response = textOf(error, responseBytes);
      kind = CALL_FAILURE;
    }
    try {
      handling.end();
      calls.answer(request, response, kind);
    } catch {
      // The service is damaged: the next request that is looked for says so.
    }
    this.#handling--;
    this.#handled++;
    this.#freed?.();
  }
}

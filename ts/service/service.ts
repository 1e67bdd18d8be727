import { OBJECT_SERVICE, SERVICE_RETRY } from "../../protocol/layout.js";
import { QUEUE_CAPACITY_MAX } from "../../protocol/limits.js";
import {
  bytesOf,
  callback,
  integer,
  OURS,
  options,
  type Waiting,
  type WaitOptions,
  type WaitSyncOptions,
  waiting,
  waitingSync,
} from "../arguments.js";
import type { PrivateBytes } from "../bytes.js";
import { IsthmusError } from "../errors.js";
import { describe, openItByItsNameOverThere } from "../host/describe.js";
import { monotonicMs } from "../host/runtime.js";
import { type Attachment, checkMade, type Lease } from "../segment/attachment.js";
import { openObject } from "../segment/directory.js";
import { onAbort } from "../wait/abort.js";
import { type Condition, NOT_YET, wait, waitSync } from "../wait/wait.js";
import { type Call, ServiceCalls, type ServiceGeometry } from "./calls.js";
import { answerTimedOut, checkRequest } from "./errors.js";
import { type OnServerDeath, type ServiceOptions, serviceParameters } from "./parameters.js";
import { type ServeOptions, type ServiceHandler, ServiceServer } from "./server.js";
import { type ServiceStats, serviceStats } from "./stats.js";

/**
 * A service: callers send requests, and each of them gets the response of one server. Opened with
 * `segment.service(name, { requestBytes, responseBytes, capacity })`. Any number of processes call, and any number serve.
 *
 * Requests are taken in the order in which they were sent, by whichever server is free. When `capacity` calls are under way, the
 * next ones wait. A call for which there is no server waits for one. If the process dies that works on a call, the call fails
 * with PEER_DIED within about 100 ms, or goes to another server, as `onServerDeath` says; a request that no server has taken is
 * not concerned. If the caller gives up or dies, the server's `signal` is aborted.
 *
 * The async tasks of one environment get room in the order of their calls. Processes that wait are called in turn.
 *
 * @example
 * ```ts
 * import { MiB, Segment } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 4 * MiB });
 * const service = segment.service("double", { requestBytes: 8, responseBytes: 8, capacity: 100 });
 * using server = service.serve(async (request, { signal }) => {
 *   signal.throwIfAborted();
 *   return request.map((byte) => 2 * byte);
 * });
 * console.log(await service.call(Uint8Array.of(1, 2, 3), { timeoutMs: 1000 })); // usually in another process
 * ```
 */
export class Service {
  static {
    describe(Service.prototype, "Service", ({ name, requestBytes, responseBytes, capacity, stats }) => ({
      ...{ name, requestBytes, responseBytes, capacity },
      ...{ waiting: stats.waiting, serving: stats.serving },
    }));
  }

  /** @internal */
  readonly cannotBeCloned = openItByItsNameOverThere;
  /** Its name in the segment. */
  readonly name: string;
  /** Bytes of the largest request. */
  readonly requestBytes: number;
  /** Bytes of the largest response. */
  readonly responseBytes: number;
  /** How many calls there can be at a time. */
  readonly capacity: number;
  /** What happens to calls whose server dies. */
  readonly onServerDeath: OnServerDeath;
  readonly #lease: Lease;
  readonly #geometry: ServiceGeometry;
  readonly #calls: ServiceCalls;

  /** @internal */
  constructor(lease: Lease, name: string, given: ServiceOptions | undefined) {
    checkMade(lease, "Service", "segment.service(name, { requestBytes, responseBytes, capacity })");
    const parameters = serviceParameters(lease.attachment, name, given);
    const { offset: service } = openObject(lease.attachment, name, OBJECT_SERVICE, { ...parameters });
    this.#lease = lease;
    this.#geometry = { name, service, ...parameters };
    this.#calls = ServiceCalls.of(lease.attachment, this.#geometry);
    this.name = name;
    this.requestBytes = parameters.requestBytes;
    this.responseBytes = parameters.responseBytes;
    this.capacity = parameters.capacity;
    this.onServerDeath = parameters.onServerDeath === SERVICE_RETRY ? "retry" : "fail";
  }

  #attachment(): Attachment {
    const { attachment } = this.#lease;
    attachment.check(true);
    return attachment;
  }

  /**
   * Serves requests, from now until the server is closed. A handler that throws, or returns something else than bytes that fit,
   * fails the call: the caller gets an Error with the same message and the name "HandlerError".
   *
   * @param handler gets a copy of the request, and the signal that says whether anybody still waits; returns the response, 0 to
   *   `responseBytes` bytes, or a promise of it
   * @param given how many requests at a time, and a signal that closes the server
   * @returns the server; `close` ends it
   * @throws {TypeError | RangeError} naming the argument that does not fit
   * @throws {IsthmusError} CLOSED: the segment was closed; READ_ONLY; EVICTED: this participant was removed
   */
  serve(handler: ServiceHandler, given?: ServeOptions): ServiceServer {
    callback("handler", handler);
    const { concurrency = 1, signal } = options<ServeOptions>("options", given, ["concurrency", "signal"]);
    const most = integer("concurrency", concurrency, 1, QUEUE_CAPACITY_MAX);
    const { signal: closing } = waiting({ signal });
    this.#attachment();
    const server = new ServiceServer(OURS, this.#lease, this.#calls, handler, most);
    if (closing) {
      const stop = onAbort(closing, () => server.close());
      server.finished.then(stop, stop);
    }
    return server;
  }

  /**
   * Begins a call if there is room for it now.
   *
   * @param request 0 to `requestBytes` bytes, a view of any kind; they are copied at once
   * @param given how long to wait for the response, and a signal that cancels the call
   * @returns a promise of the response, as that of `call`; undefined when `capacity` calls are under way, or when tasks of this
   *   environment wait for room: they come first
   * @throws {TypeError | RangeError} when it is not such a request
   * @throws {IsthmusError} TOO_LARGE when it is larger than `requestBytes`; CLOSED: the segment was closed; READ_ONLY; EVICTED:
   *   this participant was removed; CORRUPT when the service is damaged; BUSY when others were faster each time
   */
  tryCall(request: Uint8Array, given?: WaitOptions): Promise<PrivateBytes> | undefined {
    const bytes = bytesOf("request", request);
    const how = waiting(given);
    this.#attachment();
    checkRequest(bytes.length, this.#geometry);
    const call = this.#calls.callers.length === 0 ? this.#calls.begin(bytes) : undefined;
    return call && this.#response(call, how, how.timeoutMs);
  }

  /**
   * Sends a request and waits for the response, first for room if `capacity` calls are under way. When the time is over or the
   * signal is aborted, the call is cancelled: no server begins with it, or the one that has begun is told.
   *
   * @param request as for `tryCall`; it must not change before there is room
   * @param given how long to wait in all, and a signal that cancels the call
   * @returns a copy of the response, in private memory
   * @throws {IsthmusError} TIMED_OUT; PEER_DIED: the server died, or ended without an answer, and the service was made with
   *   `onServerDeath: "fail"`; otherwise as `tryCall`
   * @throws an Error with the name "HandlerError" and the message of what the handler has thrown
   * @throws the signal's reason, when it is aborted
   */
  async call(request: Uint8Array, given?: WaitOptions): Promise<PrivateBytes> {
    const bytes = bytesOf("request", request);
    const how = waiting(given);
    const attachment = this.#attachment();
    checkRequest(bytes.length, this.#geometry);
    const begin = how.timeoutMs === Infinity ? 0 : monotonicMs();
    const call =
      (!how.signal?.aborted && this.#calls.callers.length === 0 && this.#calls.begin(bytes)) ||
      (await wait(attachment, this.#forRoom(bytes), how));
    return this.#response(call, this.#rest(how, begin), how.timeoutMs);
  }

  /**
   * As `call`, blocking the thread. A thread that serves cannot answer meanwhile, so it must not block for the same service,
   * whoever else serves.
   *
   * @param request as for `call`
   * @param given how long to wait in all
   * @returns as `call`
   * @throws {IsthmusError} DEADLOCK, at once, when this thread has an open server of this service; otherwise as `call`
   * @throws an Error with the name "HandlerError" and the message of what the handler has thrown
   */
  callSync(request: Uint8Array, given?: WaitSyncOptions): PrivateBytes {
    const bytes = bytesOf("request", request);
    const how = waitingSync(given);
    const attachment = this.#attachment();
    checkRequest(bytes.length, this.#geometry);
    this.#calls.checkBlocking();
    const begin = how.timeoutMs === Infinity ? 0 : monotonicMs();
    const call = waitSync(attachment, this.#forRoom(bytes), how);
    this.#calls.blocking.add(call);
    try {
      return waitSync(attachment, this.#forResponse(call), this.#rest(how, begin));
    } catch (error) {
      throw this.#told(error, how.timeoutMs);
    } finally {
      this.#calls.forget(call);
      this.#calls.blocking.delete(call);
    }
  }

  /** What is left of the time. */
  #rest({ timeoutMs, signal }: Waiting, begin: number): Waiting {
    if (timeoutMs === Infinity) return { timeoutMs, signal };
    return { timeoutMs: Math.max(0, timeoutMs - (monotonicMs() - begin)), signal };
  }

  async #response(call: Call, how: Waiting, timeoutMs: number): Promise<PrivateBytes> {
    try {
      return await wait(this.#lease.attachment, this.#forResponse(call), how);
    } catch (error) {
      this.#calls.forget(call);
      throw error === how.signal?.reason ? error : this.#told(error, timeoutMs);
    }
  }

  #told(error: unknown, timeoutMs: number): unknown {
    const late = error instanceof IsthmusError && error.code === "TIMED_OUT";
    return late ? answerTimedOut(this.#geometry, timeoutMs) : error;
  }

  /** The condition of a call that waits for room. */
  #forRoom(bytes: Uint8Array): Condition<Call> {
    const calls = this.#calls;
    return {
      what: `waiting for room in service "${this.name}"`,
      waiters: calls.room,
      queue: calls.callers,
      attempt: () => {
        this.#attachment();
        return calls.begin(bytes) ?? NOT_YET;
      },
      recheck: () => calls.recheck(),
      passOn: () => calls.callForRoom(),
    };
  }

  /** The condition of a call that waits for its response. */
  #forResponse(call: Call): Condition<PrivateBytes> {
    const calls = this.#calls;
    return {
      what: `waiting for a response of service "${this.name}"`,
      waiters: calls.notices,
      attempt: () => {
        this.#attachment();
        return calls.look(call) ?? NOT_YET;
      },
      recheck: () => calls.recheckCall(call),
    };
  }

  /**
   * The current counters of the service, and who works on calls. Every opener of the segment can read them. The time it takes
   * grows with the capacity.
   *
   * @throws {IsthmusError} CLOSED: the segment was closed
   */
  get stats(): ServiceStats {
    const { attachment } = this.#lease;
    attachment.check(false);
    return serviceStats(attachment, this.#geometry);
  }
}

/** Bugs in ts/service. */
import { type Bug, inSource } from "../bug.js";

const calls = inSource("ts/service/calls.ts");
const server = inSource("ts/service/server.ts");
const service = inSource("ts/service/service.ts");
const stats = inSource("ts/service/stats.ts");
const parameters = inSource("ts/service/parameters.ts");
const errors = inSource("ts/service/errors.ts");

export const BUGS: Bug[] = [
  calls(
    "a call that nobody waits for is neither withdrawn nor cancelled",
    "    call.at = 0;\n",
    "    call.at = 0;\n    if (call !== this.#claimed) return;\n",
    "ts/service/service > a call gets the response",
  ),
  calls(
    "a caller does not send again what was lost",
    "this.geometry.onServerDeath !== SERVICE_RETRY",
    "true",
    'ts/service/deaths > with "retry"',
  ),
  calls(
    "a thread that serves through another opener may block",
    "open ||= other instanceof ServiceCalls && other.open > 0;",
    "open ||= other instanceof ServiceCalls && other.open > 1;",
    "ts/service/service > a call that blocks the thread that serves",
  ),
  server(
    "a server that is closed counts as one that serves",
    "this.#calls.open--,",
    "this.#calls.open,",
    "ts/service/service > a call that blocks the thread that serves",
  ),
  server(
    "a server begins more requests than it was told",
    "if (this.#handling < this.#concurrency)",
    "if (this.#handling <= this.#concurrency)",
    "ts/service/service > a server handles as many",
  ),
  server(
    "a cancellation does not reach the signal",
    "if (cancelled) controller.abort(",
    "if (!cancelled) controller.abort(",
    "ts/service/service > cancelling reaches",
  ),
  service(
    "a call whose signal was aborted keeps its slot",
    "      this.#calls.forget(call);\n      throw error === how.signal?.reason",
    "      throw error === how.signal?.reason",
    "ts/service/service > a call that is withdrawn",
  ),
  stats(
    "what was lost is not told",
    "lost: redelivered,",
    "lost: 0,",
    "ts/service/deaths > the death of a server fails",
  ),
  parameters(
    "the policy of an existing service is not taken over",
    "return { ...found, onServerDeath: policy ?? found.onServerDeath };",
    "return { ...found, onServerDeath: policy ?? SERVICE_FAIL };",
    "ts/service/service > it opens by its name",
  ),
  errors(
    "a request of any length is accepted",
    "if (length <= requestBytes) return;",
    "if (length >= 0) return;",
    "ts/service/service > it opens by its name",
  ),
];

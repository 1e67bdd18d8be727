/** Where to plant bugs in a service: as `planted-sites.ts`. */
import { CALL_CALLER_OFFSET, CALL_RESPONSE_LENGTH_OFFSET } from "../../protocol/layout.js";
import type { CrashLane } from "../lib/crash.js";
import { payloadOf } from "../lib/hosts/ring.js";
import {
  answer,
  begin,
  callSlot,
  forget,
  type Held,
  openService,
  type Request,
  type Service,
  serviceWish,
  takeRequest,
} from "../lib/hosts/service.js";
import type { Script } from "../lib/script.js";
import { FILLS, type Fill, populate } from "./cases/ground.js";

function serviceOf(lane: CrashLane): Service {
  populate(lane, FILLS[0] as Fill);
  return lane.play(1, openService(lane.view, serviceWish(3, 16, 16)));
}

const calling = (lane: CrashLane, service: Service): Script<Held | undefined> =>
  begin(lane.view, service, payloadOf(1, 9));

/** A call that participant 0 makes, and that participant 1 has taken. */
function taken(lane: CrashLane): { service: Service; call: Held; request: Request } {
  const service = serviceOf(lane);
  const call = lane.play(0, calling(lane, service)) as Held;
  return { service, call, request: lane.play(1, takeRequest(lane.view, service)) as Request };
}

/** The store of the token of the caller. */
export function caller(lane: CrashLane): number {
  const service = serviceOf(lane);
  return lane.siteWriting(callSlot(service, 0) + CALL_CALLER_OFFSET, 0, calling(lane, service));
}

/** The store of the length of a response. */
export function responseLength(lane: CrashLane): number {
  const { service, request } = taken(lane);
  return lane.siteWriting(
    request.at + CALL_RESPONSE_LENGTH_OFFSET,
    1,
    answer(service, request, payloadOf(2, 9)),
  );
}

/** The swap that answers a call. */
export function callAnswered(lane: CrashLane): number {
  const { service, request } = taken(lane);
  return lane.siteWriting(request.at, 1, answer(service, request, payloadOf(2, 9)));
}

/** The swap that cancels a call. */
export function callCancelled(lane: CrashLane): number {
  const { service, call } = taken(lane);
  return lane.siteWriting(call.at, 0, forget(service, call));
}

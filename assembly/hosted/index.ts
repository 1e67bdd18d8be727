/** What the hosted core offers beside the functions of the plain one: for hosts that block. */

export { hostedEnter, hostedLeave, hostedNotify, hostedOpen } from "./session";

/** The same loops as with 64 B; the plan makes the frames larger and stamps each cache line. */
export { contestant } from "./spsc-64.js";

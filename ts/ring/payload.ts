/** The types of what a ring carries: bytes, or values of one struct. */
import type { PrivateBytes } from "../bytes.js";
import type { StructView } from "../memory/view.js";
import type { Fields, StructInput, StructValue } from "../struct/struct.js";

/** The fields of a ring whose records are received as `T`; none for bytes. */
export type FieldsOf<T> = T extends Uint8Array ? never : Fields;

/** The type of a record received from a ring with these fields; private bytes when it has none. */
export type ReceivedOf<F extends Fields> = [F] extends [never] ? PrivateBytes : StructValue<F>;

/** The type of a record sent to a ring with these fields, whose records are received as `T`. */
export type SentOf<T, F extends Fields> = [F] extends [never]
  ? Uint8Array
  : string extends keyof F
    ? T
    : StructInput<F>;

/** The fields of a claim or a record, in place: undefined in a ring without a layout. */
export type ViewOf<F extends Fields> = [F] extends [never] ? undefined : StructView<F>;

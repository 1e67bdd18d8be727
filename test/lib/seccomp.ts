/**
 * Programs under a seccomp filter that makes system calls fail, as the profiles of containers do. The filter is set by a launcher
 * of a few instructions, which needs no privilege: it gives up privileges for good, sets the filter, and becomes the program.
 */
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { temporaryDirectory } from "./segments.js";

/** Numbers of system calls on x86-64. */
export const CALLS = {
  lseek: 8,
  mmap: 9,
  pwrite64: 18,
  msync: 26,
  fcntl: 72,
  ftruncate: 77,
  rename: 82,
  fchmod: 91,
  statfs: 137,
  fstatfs: 138,
  linkat: 265,
  utimensat: 280,
  fallocate: 285,
  prlimit64: 302,
  renameat2: 316,
  getrandom: 318,
  memfd_create: 319,
  statx: 332,
  futex_waitv: 449,
} as const;

export interface Rule {
  call: keyof typeof CALLS;
  errno: number;
  /** Only calls in which this argument, masked, has this value. */
  when?: { argument: number; mask: number; value: number };
}

/** Why there are no such programs here; undefined when there are. */
export const noSeccomp =
  process.platform === "linux" && process.arch === "x64"
    ? undefined
    : "the launcher is machine code of x86-64";

/** Operations of the filter's machine: load a word of the call's description, compare, mask, return. */
const [LOAD, JUMP_EQUAL, AND, RETURN] = [0x20, 0x15, 0x54, 0x06];
const ALLOW = 0x7fff0000;
const FAIL = 0x00050000;
const ARGUMENTS = 16;

function instruction(code: number, k: number, no = 0): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16LE(code, 0);
  bytes.writeUInt8(no, 3); // how many to skip when the comparison fails
  bytes.writeUInt32LE(k >>> 0, 4);
  return bytes;
}

function filterOf(rules: Rule[]): Buffer {
  const parts = rules.flatMap(({ call, errno, when }) => {
    const condition = when
      ? [
          instruction(LOAD, ARGUMENTS + 8 * when.argument),
          instruction(AND, when.mask),
          instruction(JUMP_EQUAL, when.value, 1),
        ]
      : [];
    return [
      instruction(LOAD, 0),
      instruction(JUMP_EQUAL, CALLS[call], condition.length + 1),
      ...condition,
      instruction(RETURN, FAIL | errno),
    ];
  });
  return Buffer.concat([...parts, instruction(RETURN, ALLOW)]);
}

/**
 *     mov rbx, rsp                             argc, arguments, NULL, environment
 *     prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
 *     prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program)
 *     if (rax == 0) execve(argv[1], argv + 1, environment)
 *     exit(125)
 */
const CODE = Buffer.from(
  "4889e3b89d000000bf26000000be0100000031d24531d24531c00f05b89d000000bf16000000be02000000488d152e0000000f0585c0" +
    "7517488b03488d54c310488b7b10488d7310b83b0000000f05bf7d000000b83c0000000f050f1f440000",
  "hex",
);

const HEADER_BYTES = 64 + 56;
const ADDRESS = 0x400000;

/** An executable file that has nothing but the launcher and the filter. */
function elf(filter: Buffer): Buffer {
  const program = Buffer.alloc(16);
  program.writeUInt16LE(filter.length / 8, 0);
  program.writeBigUInt64LE(BigInt(ADDRESS + HEADER_BYTES + CODE.length + 16), 8);
  const content = Buffer.concat([CODE, program, filter]);
  const head = Buffer.alloc(HEADER_BYTES);
  head.write("\x7fELF\x02\x01\x01", "latin1");
  head.writeUInt16LE(2, 16); // an executable
  head.writeUInt16LE(62, 18); // of x86-64
  head.writeUInt32LE(1, 20);
  head.writeBigUInt64LE(BigInt(ADDRESS + HEADER_BYTES), 24); // entry
  head.writeBigUInt64LE(64n, 32); // one program header follows
  head.writeUInt16LE(64, 52);
  head.writeUInt16LE(56, 54);
  head.writeUInt16LE(1, 56);
  head.writeUInt32LE(1, 64); // loaded
  head.writeUInt32LE(5, 68); // to be read and executed
  head.writeBigUInt64LE(BigInt(ADDRESS), 80);
  head.writeBigUInt64LE(BigInt(ADDRESS), 88);
  head.writeBigUInt64LE(BigInt(HEADER_BYTES + content.length), 96);
  head.writeBigUInt64LE(BigInt(HEADER_BYTES + content.length), 104);
  head.writeBigUInt64LE(4096n, 112);
  return Buffer.concat([head, content]);
}

/** A program that runs the program named by its arguments with these calls refused. Its path; it is gone with this process. */
export function refusing(...rules: Rule[]): string {
  const file = join(temporaryDirectory(), "refusing");
  writeFileSync(file, elf(filterOf(rules)));
  chmodSync(file, 0o755);
  return file;
}

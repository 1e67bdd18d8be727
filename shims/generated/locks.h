/* Generated from protocol/layout.ts by scripts/generate.ts. Do not edit. */
#ifndef ISTHMUS_GENERATED_LOCKS_H
#define ISTHMUS_GENERATED_LOCKS_H

/* The byte of the file that lock 0 locks: far beyond any segment, so that locks of other programs do not overlap with it. */
#define ISTHMUS_KERNEL_LOCK_BASE 0x10000000000ull
/* The byte that the creator of an object locks until the object has its name. If another process gets it, the creator died. */
#define ISTHMUS_KERNEL_LOCK_STAGED_BYTE 0xffffffffffull

#endif

/* Generated from protocol/layout.ts by scripts/generate.ts. Do not edit. */
#ifndef ISTHMUS_GENERATED_LOCKS_H
#define ISTHMUS_GENERATED_LOCKS_H

/* The byte that lock 0 stands on: far beyond any segment, so that no range lock of others can meet it. */
#define ISTHMUS_KERNEL_LOCK_BASE 0x10000000000ull
/* The byte that the maker of a staged object holds until the object has its name: who gets it knows that the maker died. */
#define ISTHMUS_KERNEL_LOCK_STAGED_BYTE 0xffffffffffull

#endif

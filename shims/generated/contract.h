/* Generated from protocol/shim.ts by scripts/generate.ts. Do not edit. */
#ifndef ISTHMUS_GENERATED_CONTRACT_H
#define ISTHMUS_GENERATED_CONTRACT_H

/* Which contract this shim keeps. */
#define ISTHMUS_SHIM_CONTRACT 2

#endif

/* What shims/darwin_*.c take from it is in darwin-calls.h. */

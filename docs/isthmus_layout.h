/* Generated from protocol/layout.ts and protocol/limits.ts by scripts/generate.ts. Do not edit.
   Little-endian. Words that several participants write need atomic accesses: see protocol.md. */
#ifndef ISTHMUS_LAYOUT_H
#define ISTHMUS_LAYOUT_H
#include <stddef.h>
#include <stdint.h>

#define ISTHMUS_LAYOUT_FINGERPRINT 0x69ebfbu
#define ISTHMUS_MAGIC 0x48545349u
#define ISTHMUS_ABI_VERSION 0x1u
#define ISTHMUS_HEADER_MAGIC_OFFSET 0x0u
#define ISTHMUS_HEADER_ABI_VERSION_OFFSET 0x4u
#define ISTHMUS_HEADER_HEADER_SIZE_OFFSET 0x6u
#define ISTHMUS_HEADER_STATE_OFFSET 0x8u
#define ISTHMUS_HEADER_TOTAL_SIZE_OFFSET 0x10u
#define ISTHMUS_HEADER_GENERATION_OFFSET 0x18u
#define ISTHMUS_HEADER_HEARTBEAT_NS_OFFSET 0x20u
#define ISTHMUS_HEADER_PAYLOAD_OFFSET_OFFSET 0x28u
#define ISTHMUS_HEADER_PAYLOAD_SIZE_OFFSET 0x30u
#define ISTHMUS_HEADER_RESERVED_OFFSET 0x38u
#define ISTHMUS_HEADER_RESERVED_BYTES 0x40u
#define ISTHMUS_HEADER_BYTES 0x78u
#define ISTHMUS_HEADER_FINGERPRINT_OFFSET 0x38u
#define ISTHMUS_HEADER_PARTICIPANTS_OFFSET 0x3cu
#define ISTHMUS_HEADER_DIRECTORY_ENTRIES_OFFSET 0x40u
#define ISTHMUS_HEADER_CREATOR_PID_OFFSET 0x44u
#define ISTHMUS_HEADER_CREATED_NS_OFFSET 0x48u
#define ISTHMUS_HEADER_STALE_OFFSET 0x50u
#define ISTHMUS_HEADER_VERSION_MISMATCHES_OFFSET 0x54u
#define ISTHMUS_HEADER_LAYOUT_MISMATCHES_OFFSET 0x58u
#define ISTHMUS_HEADER_REFUSALS_OFFSET 0x5cu
#define ISTHMUS_HEADER_RECOVERIES_OFFSET 0x60u
#define ISTHMUS_HEADER_DROPS_OFFSET 0x64u
#define ISTHMUS_HEADER_CLEAN_OFFSET 0x68u
#define ISTHMUS_HEADER_FIRST_PAGES_OFFSET 0x6cu
#define ISTHMUS_HEADER_TEMPORARY_OFFSET 0x70u
#define ISTHMUS_SIZE_DECIDED 0x1u
#define ISTHMUS_MAGIC_TEMPORARY 0x504d4554u
#define ISTHMUS_STATE_INITIALIZING 0x0u
#define ISTHMUS_STATE_READY 0x1u
#define ISTHMUS_STATE_BROKEN 0x2u
#define ISTHMUS_SEGMENT_LOCK_OFFSET 0x80u
#define ISTHMUS_DIRECTORY_COUNT_OFFSET 0x88u
#define ISTHMUS_DIRECTORY_NEXT_OFFSET 0x8cu
#define ISTHMUS_WRITE_LOCK_TURN_OFFSET 0x90u
#define ISTHMUS_WRITE_LOCK_GRANTS_OFFSET 0x98u
#define ISTHMUS_DIRECTORY_WAITERS_OFFSET 0x100u
#define ISTHMUS_WAITERS_SUMMARY_OFFSET 0x0u
#define ISTHMUS_WAITERS_NEXT_OFFSET 0x4u
#define ISTHMUS_WAITERS_WORDS_OFFSET 0x8u
#define ISTHMUS_HEAP_OFFSET 0x200u
#define ISTHMUS_HEAP_CHANGES_OFFSET 0x200u
#define ISTHMUS_HEAP_FREE_UNITS_OFFSET 0x204u
#define ISTHMUS_HEAP_BLOCKS_OFFSET 0x208u
#define ISTHMUS_HEAP_ROOT_OFFSET 0x20cu
#define ISTHMUS_HEAP_ROWS_OFFSET 0x210u
#define ISTHMUS_HEAP_GENERATION_OFFSET 0x214u
#define ISTHMUS_HEAP_COLUMNS_OFFSET 0x21cu
#define ISTHMUS_HEAP_ROWS 0x1au
#define ISTHMUS_HEAP_COLUMNS 0x10u
#define ISTHMUS_HEAP_HEADS_OFFSET 0x284u
#define ISTHMUS_HEAP_END_OFFSET 0x904u
#define ISTHMUS_WRITE_LOCK_WAITERS_OFFSET 0x980u
#define ISTHMUS_VALUES_VERSION_OFFSET 0x908u
#define ISTHMUS_VALUES_CHANGING_OFFSET 0x90cu
#define ISTHMUS_VALUES_LEDGERS_OFFSET 0x910u
#define ISTHMUS_VALUES_UNUSED_OFFSET 0x914u
#define ISTHMUS_VALUES_LINKS_OFFSET 0x918u
#define ISTHMUS_VALUES_VERSION 0x2u
#define ISTHMUS_HEAP_CHANGING 0xffffffffu
#define ISTHMUS_BLOCK_BEFORE_OFFSET 0x0u
#define ISTHMUS_BLOCK_SIZE_OFFSET 0x4u
#define ISTHMUS_BLOCK_NEXT_OFFSET 0x8u
#define ISTHMUS_BLOCK_PREVIOUS_OFFSET 0xcu
#define ISTHMUS_BLOCK_LAYOUT_OFFSET 0x8u
#define ISTHMUS_BLOCK_GENERATION_OFFSET 0xcu
#define ISTHMUS_BLOCK_HEADER_BYTES 0x10u
#define ISTHMUS_BLOCK_BYTES_MIN 0x18u
#define ISTHMUS_BLOCK_FREE 0x1u
#define ISTHMUS_CHECK_CHANGING 0x1u
#define ISTHMUS_CHECK_SIZE 0x2u
#define ISTHMUS_CHECK_ORDER 0x3u
#define ISTHMUS_CHECK_FREE_NEIGHBOURS 0x4u
#define ISTHMUS_CHECK_FENCE 0x5u
#define ISTHMUS_CHECK_LIST 0x6u
#define ISTHMUS_CHECK_BITS 0x7u
#define ISTHMUS_CHECK_SUMS 0x8u
#define ISTHMUS_JOURNAL_COUNT_OFFSET 0x0u
#define ISTHMUS_JOURNAL_ENTRIES_OFFSET 0x8u
#define ISTHMUS_JOURNAL_ENTRY_BYTES 0x8u
#define ISTHMUS_PARTICIPANTS_OFFSET 0xa80u
#define ISTHMUS_PARTICIPANT_BYTES 0x200u
#define ISTHMUS_PARTICIPANT_WORD_OFFSET 0x0u
#define ISTHMUS_PARTICIPANT_PID_OFFSET 0x8u
#define ISTHMUS_PARTICIPANT_RUNTIME_OFFSET 0xcu
#define ISTHMUS_PARTICIPANT_JOINED_NS_OFFSET 0x10u
#define ISTHMUS_PARTICIPANT_HEARTBEAT_NS_OFFSET 0x18u
#define ISTHMUS_PARTICIPANT_DOORBELL_OFFSET 0x40u
#define ISTHMUS_PARTICIPANT_BLOCKED_BELL_OFFSET 0x44u
#define ISTHMUS_PARTICIPANT_BLOCKED_OFFSET 0x48u
#define ISTHMUS_PARTICIPANT_ANSWERS_OFFSET 0x80u
#define ISTHMUS_PARTICIPANT_ANSWERS_BYTES 0x40u
#define ISTHMUS_PARTICIPANT_SCRATCH_OFFSET 0x100u
#define ISTHMUS_PARTICIPANT_SCRATCH_BYTES 0x100u
#define ISTHMUS_SLOT_FREE 0x0u
#define ISTHMUS_SLOT_LIVE 0x1u
#define ISTHMUS_SLOT_DEAD 0x2u
#define ISTHMUS_SLOT_EVICTED 0x3u
#define ISTHMUS_RUNTIME_OTHER 0x0u
#define ISTHMUS_RUNTIME_NODE 0x1u
#define ISTHMUS_RUNTIME_BUN 0x2u
#define ISTHMUS_RUNTIME_DENO 0x3u
#define ISTHMUS_RUNTIME_PYTHON 0x4u
#define ISTHMUS_RUNTIME_GO 0x5u
#define ISTHMUS_RUNTIME_RUST 0x6u
#define ISTHMUS_RUNTIME_C 0x7u
#define ISTHMUS_RUNTIME_JVM 0x8u
#define ISTHMUS_RUNTIME_DOTNET 0x9u
#define ISTHMUS_TOKEN_GENERATION_SHIFT 0x20u
#define ISTHMUS_TOKEN_SLOT_SHIFT 0x10u
#define ISTHMUS_TOKEN_SLOT_MASK 0xffffu
#define ISTHMUS_TOKEN_FLAGS_MASK 0xffffu
#define ISTHMUS_TOKEN_STATE_MASK 0x3u
#define ISTHMUS_SHORT_TOKEN_GENERATION_SHIFT 0xau
#define ISTHMUS_SHORT_TOKEN_NUMBER_MASK 0x3ffu
#define ISTHMUS_ENTRY_BYTES 0x80u
#define ISTHMUS_ENTRY_TYPE_OFFSET 0x0u
#define ISTHMUS_ENTRY_VERSION_OFFSET 0x4u
#define ISTHMUS_ENTRY_NAME_HASH_OFFSET 0x8u
#define ISTHMUS_ENTRY_NAME_BYTES_OFFSET 0xcu
#define ISTHMUS_ENTRY_OBJECT_BYTES_OFFSET 0x10u
#define ISTHMUS_ENTRY_OBJECT_OFFSET 0x18u
#define ISTHMUS_ENTRY_PARAMETERS_HASH_OFFSET 0x1cu
#define ISTHMUS_ENTRY_PARAMETERS_OFFSET 0x20u
#define ISTHMUS_ENTRY_PARAMETERS 0x4u
#define ISTHMUS_ENTRY_NAME_OFFSET 0x30u
#define ISTHMUS_OBJECT_RING 0x1u
#define ISTHMUS_OBJECT_LATEST 0x2u
#define ISTHMUS_OBJECT_ALIGNMENT 0x80u
#define ISTHMUS_OBJECT_LOCK 0x3u
#define ISTHMUS_OBJECT_SEMAPHORE 0x4u
#define ISTHMUS_OBJECT_EVENT 0x5u
#define ISTHMUS_OBJECT_COUNTER 0x6u
#define ISTHMUS_OBJECT_LAYOUT 0x7u
#define ISTHMUS_OBJECT_BROADCAST 0x9u
#define ISTHMUS_OBJECT_CACHE 0xau
#define ISTHMUS_OBJECT_QUEUE 0x8u
#define ISTHMUS_OBJECT_SERVICE 0xbu
#define ISTHMUS_OBJECT_VERSION_RING 0x3u
#define ISTHMUS_OBJECT_VERSION_LATEST 0x1u
#define ISTHMUS_OBJECT_VERSION_LOCK 0x1u
#define ISTHMUS_OBJECT_VERSION_SEMAPHORE 0x1u
#define ISTHMUS_OBJECT_VERSION_EVENT 0x1u
#define ISTHMUS_OBJECT_VERSION_COUNTER 0x1u
#define ISTHMUS_OBJECT_VERSION_LAYOUT 0x1u
#define ISTHMUS_OBJECT_VERSION_QUEUE 0x2u
#define ISTHMUS_OBJECT_VERSION_BROADCAST 0x1u
#define ISTHMUS_OBJECT_VERSION_CACHE 0x1u
#define ISTHMUS_OBJECT_VERSION_SERVICE 0x1u
#define ISTHMUS_RING_HEAD_OFFSET 0x0u
#define ISTHMUS_RING_SENT_OFFSET 0x8u
#define ISTHMUS_RING_SENT_BYTES_OFFSET 0x10u
#define ISTHMUS_RING_LAST_SENT_NS_OFFSET 0x18u
#define ISTHMUS_RING_TAIL_OFFSET 0x80u
#define ISTHMUS_RING_CURSOR_OFFSET 0xc0u
#define ISTHMUS_RING_CACHED_HEAD_OFFSET 0xc8u
#define ISTHMUS_RING_RECEIVED_OFFSET 0xd0u
#define ISTHMUS_RING_RELEASED_OFFSET 0xd8u
#define ISTHMUS_RING_PRODUCER_OFFSET 0x100u
#define ISTHMUS_RING_CONSUMER_OFFSET 0x108u
#define ISTHMUS_RING_PRODUCER_ENDED_OFFSET 0x110u
#define ISTHMUS_RING_CONSUMER_ENDED_OFFSET 0x118u
#define ISTHMUS_RING_PREVIOUS_OFFSET 0x120u
#define ISTHMUS_RING_BEGAN_OFFSET 0x128u
#define ISTHMUS_RING_WAITERS_OFFSET 0x180u
#define ISTHMUS_RECORD_LENGTH_OFFSET 0x0u
#define ISTHMUS_RECORD_KIND_OFFSET 0x4u
#define ISTHMUS_RECORD_HEADER_BYTES 0x8u
#define ISTHMUS_RECORD_ALIGNMENT 0x8u
#define ISTHMUS_RECORD_DATA 0x44415441u
#define ISTHMUS_RECORD_PADDING 0x50414444u
#define ISTHMUS_RECORD_END 0x454e4421u
#define ISTHMUS_QUEUE_LISTS_OFFSET 0x0u
#define ISTHMUS_QUEUE_LIST_BYTES 0x100u
#define ISTHMUS_QUEUE_HEAD_OFFSET 0x0u
#define ISTHMUS_QUEUE_TAIL_OFFSET 0x80u
#define ISTHMUS_QUEUE_REDELIVERED_OFFSET 0x200u
#define ISTHMUS_QUEUE_DROPPED_OFFSET 0x208u
#define ISTHMUS_QUEUE_UNSENT_OFFSET 0x210u
#define ISTHMUS_QUEUE_SETTLED_OFFSET 0x218u
#define ISTHMUS_QUEUE_HINT_OFFSET 0x280u
#define ISTHMUS_QUEUE_WAITERS_OFFSET 0x300u
#define ISTHMUS_QUEUE_CELLS_MIN 0x40u
#define ISTHMUS_CELL_LAP_SHIFT 0x2au
#define ISTHMUS_CELL_SLOT_SHIFT 0x16u
#define ISTHMUS_CELL_USE_MASK 0x3fffffu
#define ISTHMUS_CELL_LAP_MASK 0x3fffffu
#define ISTHMUS_CELL_SLOT_MASK 0xfffffu
#define ISTHMUS_MESSAGE_WORD_OFFSET 0x0u
#define ISTHMUS_MESSAGE_LENGTH_OFFSET 0x8u
#define ISTHMUS_MESSAGE_DELIVERIES_OFFSET 0xcu
#define ISTHMUS_MESSAGE_HEADER_BYTES 0x10u
#define ISTHMUS_MESSAGE_REFERENCE 0xffffffffu
#define ISTHMUS_MESSAGE_VALUE_OFFSET 0x10u
#define ISTHMUS_MESSAGE_GENERATION_OFFSET 0x14u
#define ISTHMUS_MESSAGE_ALIGNMENT 0x40u
#define ISTHMUS_MESSAGE_OWNER_SHIFT 0x20u
#define ISTHMUS_MESSAGE_USE_SHIFT 0x3u
#define ISTHMUS_MESSAGE_STATE_MASK 0x7u
#define ISTHMUS_MESSAGE_FREE 0x0u
#define ISTHMUS_MESSAGE_SENDING 0x1u
#define ISTHMUS_MESSAGE_TAKEN 0x2u
#define ISTHMUS_MESSAGE_RETURNING 0x3u
#define ISTHMUS_MESSAGE_LISTED 0x4u
#define ISTHMUS_QUEUE_REDELIVER 0x0u
#define ISTHMUS_QUEUE_DROP 0x1u
#define ISTHMUS_SERVICE_WAITERS_OFFSET 0x0u
#define ISTHMUS_CALL_CALLER_OFFSET 0x10u
#define ISTHMUS_CALL_RESPONSE_LENGTH_OFFSET 0x14u
#define ISTHMUS_CALL_KIND_OFFSET 0x18u
#define ISTHMUS_CALL_REQUEST_OFFSET 0x20u
#define ISTHMUS_CALL_HEADER_BYTES 0x10u
#define ISTHMUS_CALL_RESPONSE_ALIGNMENT 0x8u
#define ISTHMUS_CALL_RETURNED 0x3u
#define ISTHMUS_CALL_ANSWERED 0x5u
#define ISTHMUS_CALL_LOST 0x6u
#define ISTHMUS_CALL_CANCELLED 0x7u
#define ISTHMUS_CALL_RESPONSE 0x0u
#define ISTHMUS_CALL_FAILURE 0x1u
#define ISTHMUS_SERVICE_FAIL 0x0u
#define ISTHMUS_SERVICE_RETRY 0x1u
#define ISTHMUS_BROADCAST_INTENT_OFFSET 0x0u
#define ISTHMUS_BROADCAST_TAIL_OFFSET 0x8u
#define ISTHMUS_BROADCAST_OLDEST_OFFSET 0x10u
#define ISTHMUS_BROADCAST_RECENT_OFFSET 0x18u
#define ISTHMUS_BROADCAST_LAST_OFFSET 0x20u
#define ISTHMUS_BROADCAST_LAST_SENT_NS_OFFSET 0x28u
#define ISTHMUS_BROADCAST_SENT_BYTES_OFFSET 0x30u
#define ISTHMUS_BROADCAST_PUBLISHER_OFFSET 0x80u
#define ISTHMUS_BROADCAST_WAITERS_OFFSET 0x100u
#define ISTHMUS_TOPIC_LENGTH_OFFSET 0x0u
#define ISTHMUS_TOPIC_KIND_OFFSET 0x4u
#define ISTHMUS_TOPIC_NUMBER_OFFSET 0x8u
#define ISTHMUS_TOPIC_HEADER_BYTES 0x10u
#define ISTHMUS_CACHE_SEED_OFFSET 0x0u
#define ISTHMUS_CACHE_WAITERS_OFFSET 0x80u
#define ISTHMUS_CACHE_COUNTS_BYTES 0x40u
#define ISTHMUS_CACHE_HITS_OFFSET 0x0u
#define ISTHMUS_CACHE_MISSES_OFFSET 0x8u
#define ISTHMUS_CACHE_EVICT_LRU 0x0u
#define ISTHMUS_CACHE_EVICT_NONE 0x1u
#define ISTHMUS_CACHE_OF_BYTES 0x0u
#define ISTHMUS_CACHE_OF_JSON 0x2u
#define ISTHMUS_CACHE_OF_STRUCT 0x4u
#define ISTHMUS_SHARD_LOCK_OFFSET 0x0u
#define ISTHMUS_SHARD_TAIL_OFFSET 0x40u
#define ISTHMUS_SHARD_ENTRIES_OFFSET 0x48u
#define ISTHMUS_SHARD_LIVE_OFFSET 0x50u
#define ISTHMUS_SHARD_SETS_OFFSET 0x58u
#define ISTHMUS_SHARD_EVICTED_OFFSET 0x60u
#define ISTHMUS_SHARD_EXPIRED_OFFSET 0x68u
#define ISTHMUS_SHARD_SOONEST_OFFSET 0x70u
#define ISTHMUS_SHARD_LARGEST_OFFSET 0x78u
#define ISTHMUS_SHARD_OLDEST_OFFSET 0x80u
#define ISTHMUS_SHARD_HEADER_BYTES 0x100u
#define ISTHMUS_SHARD_UNIT_BYTES 0x80u
#define ISTHMUS_SHARD_MARK_BYTES 0x20u
#define ISTHMUS_CACHED_KEY_BYTES_OFFSET 0x0u
#define ISTHMUS_CACHED_VALUE_BYTES_OFFSET 0x4u
#define ISTHMUS_CACHED_META_OFFSET 0x8u
#define ISTHMUS_CACHED_DIGEST_OFFSET 0x10u
#define ISTHMUS_CACHED_NEXT_OFFSET 0x20u
#define ISTHMUS_CACHED_HEADER_BYTES 0x28u
#define ISTHMUS_CACHED_ALIGNMENT 0x10u
#define ISTHMUS_CACHED_EXPIRES_SHIFT 0x10u
#define ISTHMUS_CACHED_TEXT 0x1u
#define ISTHMUS_CACHED_DATA 0x2u
#define ISTHMUS_CACHED_NUMBER 0x4u
#define ISTHMUS_CACHED_PENDING 0x6u
#define ISTHMUS_CACHED_PADDING 0x8u
#define ISTHMUS_CACHED_KIND_MASK 0xeu
#define ISTHMUS_RESULT_ERRORS 0x10u
#define ISTHMUS_RESULT_OFFSETS 0x80u
#define ISTHMUS_RESULT_FLAGS 0x7u
#define ISTHMUS_FLAG_WAKE 0x1u
#define ISTHMUS_FLAG_EMPTY 0x2u
#define ISTHMUS_RESULT_CALL_ALL 0x1u
#define ISTHMUS_FLAG_FULL 0x2u
#define ISTHMUS_FLAG_DEATHS 0x4u
#define ISTHMUS_FLAG_WAKE_ROOM 0x2u
#define ISTHMUS_FLAG_PRESENT 0x4u
#define ISTHMUS_FLAG_MORE 0x4u
#define ISTHMUS_FLAG_WAKE_SHARED 0x1u
#define ISTHMUS_FLAG_WAKE_EXCLUSIVE 0x2u
#define ISTHMUS_OPEN_WRITES 0x1u
#define ISTHMUS_OPEN_CREATES 0x2u
#define ISTHMUS_OPEN_EXCLUSIVE 0x4u
#define ISTHMUS_OPEN_FILE 0x8u
#define ISTHMUS_OPEN_CREATOR_LIVES 0x10u
#define ISTHMUS_NEXT_MAP 0x0u
#define ISTHMUS_NEXT_MAKE 0x1u
#define ISTHMUS_NEXT_CREATE 0x2u
#define ISTHMUS_NEXT_REMOVE 0x3u
#define ISTHMUS_NEXT_WAIT 0x4u
#define ISTHMUS_NEXT_ENTER 0x5u
#define ISTHMUS_ANSWER_VERSION_OFFSET 0x0u
#define ISTHMUS_ANSWER_ENTRY_OFFSET 0x8u
#define ISTHMUS_ANSWER_WAKE_OFFSET 0x10u
#define ISTHMUS_ANSWER_POSITION_OFFSET 0x18u
#define ISTHMUS_ANSWER_CELL_OFFSET 0x20u
#define ISTHMUS_OWNER_ATTACH_UNIT 0x2u
#define ISTHMUS_OWNER_ATTACH_MASK 0xfffeu
#define ISTHMUS_OWNER_CLOSED 0x1u
#define ISTHMUS_OWNER_ABANDONED 0xffffu
#define ISTHMUS_SUSPECT_NONE 0x10000u
#define ISTHMUS_SUSPECT_GONE 0x10001u
#define ISTHMUS_END_NEVER 0x0u
#define ISTHMUS_END_LIVE 0x1u
#define ISTHMUS_END_CLOSED 0x2u
#define ISTHMUS_END_DEAD 0x3u
#define ISTHMUS_END_REPORTED 0x4u
#define ISTHMUS_LATEST_CURRENT_OFFSET 0x0u
#define ISTHMUS_LATEST_VERSIONS_OFFSET 0x8u
#define ISTHMUS_LATEST_WRITER_OFFSET 0x80u
#define ISTHMUS_LATEST_WAITERS_OFFSET 0x100u
#define ISTHMUS_LOCK_WORD_OFFSET 0x0u
#define ISTHMUS_LOCK_SHARED_OFFSET 0x80u
#define ISTHMUS_LOCK_WAITERS_OFFSET 0x100u
#define ISTHMUS_LOCK_HELD 0x1u
#define ISTHMUS_LOCK_UPGRADING 0x2u
#define ISTHMUS_LOCK_OWNER_DIED 0x4u
#define ISTHMUS_LOCK_BROKEN 0x8u
#define ISTHMUS_LOCK_SHARED_FIRST 0x10u
#define ISTHMUS_LOCK_JOURNALED 0x20u
#define ISTHMUS_LOCK_SHARED_PRESENT 0x40u
#define ISTHMUS_SIGNAL_VALUE_OFFSET 0x0u
#define ISTHMUS_SIGNAL_CLAIM_OFFSET 0x8u
#define ISTHMUS_SEMAPHORE_TAKEN 0x2u
#define ISTHMUS_SIGNAL_WAITERS_OFFSET 0x80u
#define ISTHMUS_EVENT_SIGNALED 0x1u
#define ISTHMUS_VALUE_MARK 0x56414c00u
#define ISTHMUS_VALUE_KIND_MASK 0x7fu
#define ISTHMUS_VALUE_UNUSED 0x80u
#define ISTHMUS_VALUE_COUNT_OFFSET 0x0u
#define ISTHMUS_VALUE_LINK_OFFSET 0x4u
#define ISTHMUS_VALUE_SEQUENCE_OFFSET 0x8u
#define ISTHMUS_VALUE_LENGTH_OFFSET 0xcu
#define ISTHMUS_VALUE_HEADER_BYTES 0x10u
#define ISTHMUS_VALUE_CELL_KIND_OFFSET 0x0u
#define ISTHMUS_VALUE_CELL_CONTENT_OFFSET 0x8u
#define ISTHMUS_VALUE_CELL_BYTES 0x10u
#define ISTHMUS_VALUE_NULL 0x1u
#define ISTHMUS_VALUE_FALSE 0x2u
#define ISTHMUS_VALUE_TRUE 0x3u
#define ISTHMUS_VALUE_NUMBER 0x4u
#define ISTHMUS_VALUE_DATE 0x5u
#define ISTHMUS_VALUE_INTEGER 0x6u
#define ISTHMUS_VALUE_LATIN1 0x10u
#define ISTHMUS_VALUE_UTF16 0x11u
#define ISTHMUS_VALUE_BYTES 0x12u
#define ISTHMUS_VALUE_BIG 0x13u
#define ISTHMUS_VALUE_BOX 0x14u
#define ISTHMUS_VALUE_LIST 0x15u
#define ISTHMUS_VALUE_DICT 0x16u
#define ISTHMUS_VALUE_HANDLE 0x20u
#define ISTHMUS_VALUE_LEDGER 0x21u
#define ISTHMUS_VALUE_CHUNK 0x22u
#define ISTHMUS_VALUE_ENTRY 0x23u
#define ISTHMUS_VALUE_COPY 0x100u
#define ISTHMUS_VALUE_KEY_WIDE 0x80000000u
#define ISTHMUS_VALUE_CHANGING 0x1u
#define ISTHMUS_VALUES_MORE 0x1u
#define ISTHMUS_FLAG_LINKS_CHANGED 0x4u
#define ISTHMUS_CHUNKS_MAX 0x1au
#define ISTHMUS_CHUNKS_FIRST_SHIFT 0x2u
#define ISTHMUS_LIST_CHUNKS_OFFSET 0x10u
#define ISTHMUS_LIST_BYTES 0x78u
#define ISTHMUS_DICT_FIRST_OFFSET 0x10u
#define ISTHMUS_DICT_LAST_OFFSET 0x14u
#define ISTHMUS_DICT_INSERTED_OFFSET 0x18u
#define ISTHMUS_DICT_BUCKETS_OFFSET 0x20u
#define ISTHMUS_DICT_CHUNKS_OFFSET 0x24u
#define ISTHMUS_DICT_BYTES 0x8cu
#define ISTHMUS_DICT_SPLIT_MAX 0x30u
#define ISTHMUS_DICT_ENTRY_CELL_OFFSET 0x0u
#define ISTHMUS_DICT_ENTRY_NUMBER_OFFSET 0x10u
#define ISTHMUS_DICT_ENTRY_CHAIN_OFFSET 0x18u
#define ISTHMUS_DICT_ENTRY_NEXT_OFFSET 0x1cu
#define ISTHMUS_DICT_ENTRY_PREVIOUS_OFFSET 0x20u
#define ISTHMUS_DICT_ENTRY_HASH_OFFSET 0x24u
#define ISTHMUS_DICT_ENTRY_KEY_BYTES_OFFSET 0x28u
#define ISTHMUS_DICT_ENTRY_KEY_OFFSET 0x2cu
#define ISTHMUS_LEDGER_OWNER_OFFSET 0x0u
#define ISTHMUS_LEDGER_FIRST_OFFSET 0x8u
#define ISTHMUS_LEDGER_NEXT_OFFSET 0xcu
#define ISTHMUS_LEDGER_BYTES 0x10u
#define ISTHMUS_HANDLE_VALUE_OFFSET 0x0u
#define ISTHMUS_HANDLE_LEDGER_OFFSET 0x4u
#define ISTHMUS_HANDLE_NEXT_OFFSET 0x8u
#define ISTHMUS_HANDLE_PREVIOUS_OFFSET 0xcu
#define ISTHMUS_HANDLE_BYTES 0x10u
#define ISTHMUS_KERNEL_LOCK_BASE 0x10000000000u
#define ISTHMUS_KERNEL_LOCK_STAGED_BYTE 0xffffffffffu
#define ISTHMUS_KERNEL_LOCK_CREATION 0x0u
#define ISTHMUS_KERNEL_LOCK_HOLDERS 0x1u
#define ISTHMUS_KERNEL_LOCK_PARTICIPANTS 0x10u

#define ISTHMUS_PAGE_BYTES 0x10000u
#define ISTHMUS_SEGMENT_PAGES_MAX 0x10000u
#define ISTHMUS_PARTICIPANTS_MIN 0x40u
#define ISTHMUS_PARTICIPANTS_MAX 0x400u
#define ISTHMUS_PARTICIPANTS_STEP 0x40u
#define ISTHMUS_DIRECTORY_BYTES_PER_ENTRY 0x1000u
#define ISTHMUS_DIRECTORY_ENTRIES_MIN 0x10u
#define ISTHMUS_DIRECTORY_ENTRIES_MAX 0x400u
#define ISTHMUS_JOURNAL_BYTES_PER_ENTRY 0x100u
#define ISTHMUS_JOURNAL_ENTRIES_MIN 0x100u
#define ISTHMUS_JOURNAL_ENTRIES_MAX 0x10000u
#define ISTHMUS_JOURNAL_ENTRIES_PER_CHANGE 0x60u
#define ISTHMUS_HEAP_BYTES_MIN 0x400u
#define ISTHMUS_BLOCK_ALIGNMENT_MAX 0x10000u
#define ISTHMUS_OBJECT_NAME_BYTES_MAX 0x50u
#define ISTHMUS_LAYOUT_TEXT_BYTES_MAX 0x1000u
#define ISTHMUS_SEGMENT_NAME_MAX 0xc8u
#define ISTHMUS_RING_CAPACITY_MIN 0x40u
#define ISTHMUS_RING_CAPACITY_MAX 0x7fff0000u
#define ISTHMUS_RING_HELD_RECORDS_MAX 0x40u
#define ISTHMUS_RING_HELD_SHIFT 0x3u
#define ISTHMUS_BROADCAST_CAPACITY_MIN 0x100u
#define ISTHMUS_BROADCAST_CAPACITY_MAX 0x7fff0000u
#define ISTHMUS_BROADCAST_READS_MAX 0x3e8u
#define ISTHMUS_BROADCAST_SHARE_SHIFT 0x2u
#define ISTHMUS_QUEUE_CAPACITY_MAX 0x100000u
#define ISTHMUS_QUEUE_MESSAGE_BYTES_MAX 0x10000000u
#define ISTHMUS_VALUE_KEY_BYTES_MAX 0x100000u
#define ISTHMUS_VALUES_FREED_PER_CHANGE 0x2u
#define ISTHMUS_CACHE_BYTES_MIN 0x1000u
#define ISTHMUS_CACHE_BYTES_MAX 0x7fff0000u
#define ISTHMUS_CACHE_SHARD_SHIFT 0x14u
#define ISTHMUS_CACHE_SHARDS_MAX 0x10u
#define ISTHMUS_CACHE_SHARE_SHIFT 0x3u
#define ISTHMUS_CACHE_KEY_BYTES_MAX 0x10000u
#define ISTHMUS_SERVICE_MESSAGE_BYTES_MAX 0x10000000u
#define ISTHMUS_LATEST_SMALL_BYTES_MAX 0x100u
#define ISTHMUS_LATEST_SMALL_SLOTS 0x2u
#define ISTHMUS_LATEST_LARGE_SLOTS 0x4u
#define ISTHMUS_LATEST_BYTES_MAX 0x10000000u
#define ISTHMUS_COUNTER_MAX 0x1fffffffffffffu
#define ISTHMUS_TURN_MS 0xau
#define ISTHMUS_RECHECK_MS 0x64u
#define ISTHMUS_STALLED_MS 0xbb8u
#define ISTHMUS_HEARTBEAT_MS 0x3e8u
#define ISTHMUS_WRITE_LOCK_TIMEOUT_MS 0x1388u
#define ISTHMUS_LEAVE_TIMEOUT_MS 0x32u
#define ISTHMUS_LATEST_WRITE_TIMEOUT_MS 0x32u
#define ISTHMUS_CACHE_WRITE_TIMEOUT_MS 0x1f4u
#define ISTHMUS_LATEST_READS_MAX 0x2710u

struct isthmus_layout_header {
  uint32_t magic;
  uint16_t abi_version;
  uint16_t header_size; /* bytes of the header */
  uint32_t state; /* STATE_… */
  uint8_t gap_12[4];
  uint64_t total_size; /* bytes of the segment */
  uint64_t generation; /* 1 for a segment with a new name; if it replaced another segment, the generation of that one plus 1 */
  uint64_t heartbeat_ns; /* time of the latest heartbeat of any participant, nanoseconds since 1970 */
  uint64_t payload_offset;
  uint64_t payload_size;
  uint32_t fingerprint; /* LAYOUT_FINGERPRINT of the creator's core */
  uint32_t participants; /* participant slots */
  uint32_t directory_entries; /* directory entries */
  uint32_t creator_pid; /* process id of the creator, for display */
  uint64_t created_ns; /* time of creation, nanoseconds since 1970 */
  uint32_t stale; /* 1 after a newer generation has taken the name */
  uint32_t version_mismatches; /* openers refused for their ABI version */
  uint32_t layout_mismatches; /* openers refused for their layout fingerprint */
  uint32_t refusals; /* openers refused because size or state were wrong */
  uint32_t recoveries; /* participants that died without leaving and were found dead */
  uint32_t drops; /* records that were not sent, because the timeout of the sender passed or its signal was aborted */
  uint32_t clean; /* 1 after the last participant has left, if no slot belonged to a dead one; else 0 */
  uint32_t first_pages; /* pages that the segment had when it was created; the sizes of journal and directory are computed from it */
  uint32_t temporary; /* MAGIC_TEMPORARY if the last process that has the segment open removes its name, else 0 */
  uint8_t gap_116[4];
};
_Static_assert(offsetof(struct isthmus_layout_header, magic) == 0, "magic");
_Static_assert(offsetof(struct isthmus_layout_header, abi_version) == 4, "abi_version");
_Static_assert(offsetof(struct isthmus_layout_header, header_size) == 6, "header_size");
_Static_assert(offsetof(struct isthmus_layout_header, state) == 8, "state");
_Static_assert(offsetof(struct isthmus_layout_header, total_size) == 16, "total_size");
_Static_assert(offsetof(struct isthmus_layout_header, generation) == 24, "generation");
_Static_assert(offsetof(struct isthmus_layout_header, heartbeat_ns) == 32, "heartbeat_ns");
_Static_assert(offsetof(struct isthmus_layout_header, payload_offset) == 40, "payload_offset");
_Static_assert(offsetof(struct isthmus_layout_header, payload_size) == 48, "payload_size");
_Static_assert(offsetof(struct isthmus_layout_header, fingerprint) == 56, "fingerprint");
_Static_assert(offsetof(struct isthmus_layout_header, participants) == 60, "participants");
_Static_assert(offsetof(struct isthmus_layout_header, directory_entries) == 64, "directory_entries");
_Static_assert(offsetof(struct isthmus_layout_header, creator_pid) == 68, "creator_pid");
_Static_assert(offsetof(struct isthmus_layout_header, created_ns) == 72, "created_ns");
_Static_assert(offsetof(struct isthmus_layout_header, stale) == 80, "stale");
_Static_assert(offsetof(struct isthmus_layout_header, version_mismatches) == 84, "version_mismatches");
_Static_assert(offsetof(struct isthmus_layout_header, layout_mismatches) == 88, "layout_mismatches");
_Static_assert(offsetof(struct isthmus_layout_header, refusals) == 92, "refusals");
_Static_assert(offsetof(struct isthmus_layout_header, recoveries) == 96, "recoveries");
_Static_assert(offsetof(struct isthmus_layout_header, drops) == 100, "drops");
_Static_assert(offsetof(struct isthmus_layout_header, clean) == 104, "clean");
_Static_assert(offsetof(struct isthmus_layout_header, first_pages) == 108, "first_pages");
_Static_assert(offsetof(struct isthmus_layout_header, temporary) == 112, "temporary");
_Static_assert(sizeof(struct isthmus_layout_header) == 120, "isthmus_layout_header");

struct isthmus_layout_participant {
  uint64_t word; /* token of the owner, with its state: SLOT_… */
  uint32_t pid; /* process id, for display */
  uint32_t runtime; /* RUNTIME_…, for display */
  uint64_t joined_ns; /* nanoseconds since 1970, for display */
  uint64_t heartbeat_ns; /* nanoseconds since 1970; an old heartbeat means "stalled", never "dead" */
  uint8_t gap_32[32];
  uint32_t doorbell; /* each wake-up of the owner's event loop adds 1; the event loop watches this word */
  uint32_t blocked_bell; /* each wake-up of the owner's thread while it blocks adds 1; the thread sleeps on this word */
  uint32_t blocked; /* 1 while the owner's thread blocks, and notifiers use the second doorbell */
  uint8_t gap_76[436];
};
_Static_assert(offsetof(struct isthmus_layout_participant, word) == 0, "word");
_Static_assert(offsetof(struct isthmus_layout_participant, pid) == 8, "pid");
_Static_assert(offsetof(struct isthmus_layout_participant, runtime) == 12, "runtime");
_Static_assert(offsetof(struct isthmus_layout_participant, joined_ns) == 16, "joined_ns");
_Static_assert(offsetof(struct isthmus_layout_participant, heartbeat_ns) == 24, "heartbeat_ns");
_Static_assert(offsetof(struct isthmus_layout_participant, doorbell) == 64, "doorbell");
_Static_assert(offsetof(struct isthmus_layout_participant, blocked_bell) == 68, "blocked_bell");
_Static_assert(offsetof(struct isthmus_layout_participant, blocked) == 72, "blocked");
_Static_assert(sizeof(struct isthmus_layout_participant) == 512, "isthmus_layout_participant");

struct isthmus_layout_entry {
  uint32_t type; /* OBJECT_… */
  uint32_t version; /* OBJECT_VERSION_… of the core that made the object */
  uint32_t name_hash; /* FNV-1a of the name */
  uint32_t name_bytes; /* bytes of the name */
  uint64_t object_bytes; /* bytes of the object */
  uint32_t object; /* where the object begins */
  uint32_t parameters_hash; /* FNV-1a of type, version and parameters: 6 words of 32 bits */
  uint32_t parameters[4]; /* their meaning depends on the type */
  uint8_t gap_48[80];
};
_Static_assert(offsetof(struct isthmus_layout_entry, type) == 0, "type");
_Static_assert(offsetof(struct isthmus_layout_entry, version) == 4, "version");
_Static_assert(offsetof(struct isthmus_layout_entry, name_hash) == 8, "name_hash");
_Static_assert(offsetof(struct isthmus_layout_entry, name_bytes) == 12, "name_bytes");
_Static_assert(offsetof(struct isthmus_layout_entry, object_bytes) == 16, "object_bytes");
_Static_assert(offsetof(struct isthmus_layout_entry, object) == 24, "object");
_Static_assert(offsetof(struct isthmus_layout_entry, parameters_hash) == 28, "parameters_hash");
_Static_assert(offsetof(struct isthmus_layout_entry, parameters) == 32, "parameters");
_Static_assert(sizeof(struct isthmus_layout_entry) == 128, "isthmus_layout_entry");

struct isthmus_layout_ring {
  uint64_t head; /* position up to which records are published. Only the producer writes it. */
  uint64_t sent; /* records published */
  uint64_t sent_bytes; /* payload bytes published */
  uint64_t last_sent_ns; /* nanoseconds since 1970 */
  uint8_t gap_32[96];
  uint64_t tail; /* position up to which the producer may overwrite bytes. Only the consumer writes it. */
  uint8_t gap_136[56];
  uint64_t cursor; /* position up to which records were taken; at most RING_HELD_… ahead of the tail. It is on another cache line than the tail, as all that only the consumer uses: the producer looks at the tail while it waits for room. */
  uint64_t cached_head; /* the consumer's copy of the head */
  uint64_t received; /* records received */
  uint64_t released; /* records received when the tail was last published */
  uint8_t gap_224[32];
  uint64_t producer; /* OWNER word of the producer's end */
  uint64_t consumer; /* OWNER word of the consumer's end */
  uint64_t producer_ended; /* the producer's OWNER word whose end was reported to the consumer */
  uint64_t consumer_ended; /* the consumer's OWNER word whose end was reported to the producer */
  uint64_t previous; /* the producer's OWNER word that the producer which holds the end has replaced */
  uint64_t began; /* the head when it took the end */
  uint8_t gap_304[80];
};
_Static_assert(offsetof(struct isthmus_layout_ring, head) == 0, "head");
_Static_assert(offsetof(struct isthmus_layout_ring, sent) == 8, "sent");
_Static_assert(offsetof(struct isthmus_layout_ring, sent_bytes) == 16, "sent_bytes");
_Static_assert(offsetof(struct isthmus_layout_ring, last_sent_ns) == 24, "last_sent_ns");
_Static_assert(offsetof(struct isthmus_layout_ring, tail) == 128, "tail");
_Static_assert(offsetof(struct isthmus_layout_ring, cursor) == 192, "cursor");
_Static_assert(offsetof(struct isthmus_layout_ring, cached_head) == 200, "cached_head");
_Static_assert(offsetof(struct isthmus_layout_ring, received) == 208, "received");
_Static_assert(offsetof(struct isthmus_layout_ring, released) == 216, "released");
_Static_assert(offsetof(struct isthmus_layout_ring, producer) == 256, "producer");
_Static_assert(offsetof(struct isthmus_layout_ring, consumer) == 264, "consumer");
_Static_assert(offsetof(struct isthmus_layout_ring, producer_ended) == 272, "producer_ended");
_Static_assert(offsetof(struct isthmus_layout_ring, consumer_ended) == 280, "consumer_ended");
_Static_assert(offsetof(struct isthmus_layout_ring, previous) == 288, "previous");
_Static_assert(offsetof(struct isthmus_layout_ring, began) == 296, "began");
_Static_assert(sizeof(struct isthmus_layout_ring) == 384, "isthmus_layout_ring");

#endif

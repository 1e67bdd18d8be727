// spsc copy|place PAYLOAD RING BATCH STRIDE WARMUP COUNT: messages per second from one process to another.
//
// copy: each message is stamped in private memory, copied in, copied out, and summed.
// place: each message is copied from a stamped frame into its claim; the reader compares it in place with the
// frame that must have come, byte by byte.
#include "pair.hpp"
#include "ring.hpp"
#include "stamp.hpp"

struct Job {
  bool in_place;
  uint32_t payload;
  uint64_t capacity, batch, stride, warmup, count;
};

static std::vector<uint32_t> frame_of(const Job &job) {
  std::vector<uint32_t> words(job.payload / 4);
  for (size_t i = 0; i < words.size(); i++) words[i] = uint32_t(i) * 2654435761u;
  return words;
}

/** One more frame at the end, the same as the first. */
static void append_frame(std::vector<uint32_t> &frames, size_t words) {
  const std::vector<uint32_t> first(frames.begin(), frames.begin() + words);
  frames.insert(frames.end(), first.begin(), first.end());
}

static void produce(RingWords *ring, const Job &job) {
  Producer producer(ring, job.capacity);
  const size_t words = job.payload / 4;
  std::vector<uint32_t> frames(frame_of(job));
  for (uint64_t i = 1; i < job.batch; i++) append_frame(frames, words);
  for (uint64_t sequence = 0; sequence < job.warmup + job.count; sequence += job.batch) {
    for (uint64_t i = 0; i < job.batch; i++)
      stamp(&frames[i * words], words, job.stride, uint32_t(sequence + i));
    for (uint64_t i = 0; i < job.batch; i++) {
      uint8_t *room;
      while (!(room = producer.claim(job.payload))) producer.publish();
      memcpy(room, &frames[i * words], job.payload);
    }
    producer.publish();
  }
}

static bool consume(RingWords *ring, const Job &job) {
  Consumer consumer(ring, job.capacity);
  const size_t words = job.payload / 4;
  std::vector<uint32_t> frame(frame_of(job));
  uint64_t start = now_ns();
  uint32_t length = 0, sum = 0, expected = 0;
  bool good = true;
  for (uint64_t sequence = 0; sequence < job.warmup + job.count; sequence++) {
    if (sequence == job.warmup) start = now_ns();
    const uint8_t *payload;
    while (!(payload = consumer.peek(length))) consumer.release();
    if (job.in_place) {
      stamp(frame.data(), words, job.stride, uint32_t(sequence));
      good = good && memcmp(payload, frame.data(), length) == 0;
    } else {
      memcpy(frame.data(), payload, length);
      sum += sum_words(frame.data(), words, job.stride);
    }
    consumer.take(length);
  }
  const uint64_t elapsed = now_ns() - start;
  printf("{\"perSecond\":%.1f}\n", double(job.count) * 1e9 / double(elapsed));
  if (job.in_place) return good;
  for (uint64_t i = 0; i < job.warmup + job.count; i++)
    expected += message_sum(words, job.stride, uint32_t(i));
  return sum == expected;
}

int main(int argc, char **argv) {
  const auto number = [&](int index) { return number_argument(argc, argv, index); };
  const bool in_place = argc > 1 && strcmp(argv[1], "place") == 0;
  const Job job{in_place, uint32_t(number(2)), number(3), number(4), number(5), number(6), number(7)};
  auto *ring = reinterpret_cast<RingWords *>(shared_pages(ring_bytes(job.capacity)));
  run_pair(
      [&] {
        produce(ring, job);
        return true;
      },
      [&] { return consume(ring, job); });
}

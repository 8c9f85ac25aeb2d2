/*
 * The limit of a decoder: what C takes to find each frame in chunks of 64 KiB, and to tell somebody where it is.
 * A frame that two chunks share is put together in a buffer, as every decoder has to.
 *
 *   framings lines|u32be PAYLOAD_BYTES STREAM_BYTES WARMUP_MS DURATION_MS
 *
 * Prints one line of JSON, as framing-run.ts does.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHUNK_BYTES 65536

static uint64_t frames, payload_bytes;

static void count_frame(const uint8_t *bytes, size_t start, size_t end) {
  (void)bytes;
  frames++;
  payload_bytes += end - start;
}

/* By a pointer that the compiler can't see through: there is somebody to call. */
static void (*volatile sink)(const uint8_t *, size_t, size_t) = count_frame;

static uint8_t *partial;
static size_t partial_length;

static void keep(const uint8_t *bytes, size_t length) {
  memcpy(partial + partial_length, bytes, length);
  partial_length += length;
}

static void push_lines(const uint8_t *chunk, size_t length) {
  size_t at = 0;
  if (partial_length > 0) {
    const uint8_t *lf = memchr(chunk, '\n', length);
    at = lf == NULL ? length : (size_t)(lf - chunk) + 1;
    keep(chunk, at);
    if (lf == NULL) return;
    sink(partial, 0, partial_length - 1);
    partial_length = 0;
  }
  while (at < length) {
    const uint8_t *lf = memchr(chunk + at, '\n', length - at);
    if (lf == NULL) break;
    sink(chunk, at, (size_t)(lf - chunk));
    at = (size_t)(lf - chunk) + 1;
  }
  keep(chunk + at, length - at);
}

static size_t frame_bytes(const uint8_t *header) {
  uint32_t size;
  memcpy(&size, header, 4);
  return (size_t)ntohl(size) + 4;
}

static void push_u32be(const uint8_t *chunk, size_t length) {
  size_t at = 0;
  while (partial_length > 0 && at < length) {
    size_t wanted = (partial_length < 4 ? 4 : frame_bytes(partial)) - partial_length;
    size_t step = wanted < length - at ? wanted : length - at;
    keep(chunk + at, step);
    at += step;
    if (partial_length < 4 || partial_length < frame_bytes(partial)) continue;
    sink(partial, 4, partial_length);
    partial_length = 0;
  }
  while (length - at >= 4) {
    size_t size = frame_bytes(chunk + at);
    if (length - at < size) break;
    sink(chunk, at + 4, at + size);
    at += size;
  }
  keep(chunk + at, length - at);
}

static uint64_t cpu_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

int main(int argc, char **argv) {
  if (argc < 6) return 2;
  int lines = strcmp(argv[1], "lines") == 0;
  size_t payload = strtoul(argv[2], NULL, 10), stream_bytes = strtoul(argv[3], NULL, 10);
  size_t frame = payload + (lines ? 1 : 4), copies = stream_bytes / frame, total = copies * frame;
  uint8_t *stream = malloc(total);
  partial = malloc(frame + CHUNK_BYTES);
  for (size_t i = 0; i < copies; i++) {
    uint8_t *at = stream + i * frame;
    uint32_t size = htonl((uint32_t)payload);
    if (!lines) memcpy(at, &size, 4);
    memset(at + (lines ? 0 : 4), 'a', payload);
    if (lines) at[payload] = '\n';
  }
  uint64_t limits[] = {strtoull(argv[4], NULL, 10) * 1000000, strtoull(argv[5], NULL, 10) * 1000000}, ns = 0;
  for (int phase = 0; phase < 2; phase++) {
    uint64_t began = cpu_ns();
    frames = payload_bytes = 0;
    do {
      for (size_t at = 0; at < total; at += CHUNK_BYTES) {
        size_t length = total - at < CHUNK_BYTES ? total - at : CHUNK_BYTES;
        if (lines) push_lines(stream + at, length);
        else push_u32be(stream + at, length);
      }
      ns = cpu_ns() - began;
    } while (ns < limits[phase]);
  }
  if (payload_bytes != frames * payload || frames % copies != 0) return 3;
  printf("{\"messages\":%llu,\"bytes\":%llu,\"ns\":%llu}\n", (unsigned long long)frames, (unsigned long long)(frames * frame), (unsigned long long)ns);
  return 0;
}

/*
 * The load generator: one thread, epoll, made of as little as possible, so that the server is what is measured.
 * Owns connections, pacing and the clock. Knows no protocol: it sends the request's bytes over and over, and counts the
 * reply's bytes; main.ts writes both to files. While it warms up it compares every byte that comes with the reply.
 *
 *   load MODE key=value...
 *     echo       pipelined: connections=N depth=D; as many requests are sent as replies have come, in one write
 *     slow       as echo, beside slow=S connections that send all they can and read 4 KiB every 50 ms
 *     churn      connect, handshake, one request, one reply, close; connections=N chains of it at once
 *     broadcast  the first connection sends the request; burst=B replies are awaited on each; then again
 *     idle       opens the connections, one echo on each unless echo=0, says "ready", and waits for the end of stdin
 *   port= pid= (server) request=FILE reply=FILE handshake=none|ws|socketio warmup=MS duration=MS
 *
 * Prints one line of JSON. Times in it are nanoseconds, counted from when a request is queued to when its reply is read.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define READ_BYTES (512 * 1024)
#define PATTERN_BYTES (256 * 1024)
#define STALL_NS 8000000000ull
#define SLOW_READ_BYTES 4096
#define SLOW_READ_NS 50000000ull
#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

static void fail(const char *format, ...) {
  char text[512];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  printf("{\"error\":\"%s\"}\n", text);
  exit(1);
}

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* ---- options ---- */
static const char *mode;
static int port, server_pid, connections = 1, depth = 1, slow_connections, burst = 1, echo_idle = 1;
static uint64_t warmup_ns, duration_ns = 1000000000ull;
static const char *handshake = "none";

/* A message's bytes, repeated, so that a write of many messages begins anywhere in the first one. */
struct pattern {
  uint8_t *bytes;
  size_t message;
  size_t total;
};
static struct pattern request, reply;

static void load_pattern(struct pattern *p, const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) fail("cannot open %s", path);
  fseek(file, 0, SEEK_END);
  p->message = (size_t)ftell(file);
  rewind(file);
  size_t copies = 1 + (PATTERN_BYTES + p->message - 1) / p->message;
  p->total = copies * p->message;
  p->bytes = malloc(p->total);
  if (p->bytes == NULL || fread(p->bytes, 1, p->message, file) != p->message) fail("cannot read %s", path);
  for (size_t i = 1; i < copies; i++) memcpy(p->bytes + i * p->message, p->bytes, p->message);
  fclose(file);
}

/* ---- latency: 32 buckets to the octave, so 3 % ---- */
#define SUB_BITS 5
static uint64_t buckets[64 << SUB_BITS];
static uint64_t latency_max;

static void record(uint64_t ns, uint64_t count) {
  unsigned index;
  if (ns < (1u << SUB_BITS)) {
    index = (unsigned)ns;
  } else {
    unsigned shift = 63u - (unsigned)__builtin_clzll(ns) - SUB_BITS;
    index = ((shift + 1) << SUB_BITS) + (unsigned)((ns >> shift) & ((1u << SUB_BITS) - 1));
  }
  buckets[index] += count;
  if (ns > latency_max) latency_max = ns;
}

static uint64_t percentile(double share) {
  uint64_t total = 0, seen = 0;
  for (size_t i = 0; i < sizeof buckets / sizeof *buckets; i++) total += buckets[i];
  if (total == 0) return 0;
  uint64_t wanted = (uint64_t)((double)total * share);
  if (wanted >= total) wanted = total - 1;
  for (size_t i = 0; i < sizeof buckets / sizeof *buckets; i++) {
    seen += buckets[i];
    if (seen <= wanted) continue;
    if (i < (1u << SUB_BITS)) return i;
    unsigned shift = (unsigned)(i >> SUB_BITS) - 1;
    uint64_t low = ((uint64_t)(i & ((1u << SUB_BITS) - 1)) | (1u << SUB_BITS)) << shift;
    return low + ((1ull << shift) >> 1);
  }
  return latency_max;
}

/* ---- what the server uses ---- */
/* CPU of all threads by the scheduler's account; ticks of 10 ms from stat where there is no schedstat. */
static uint64_t server_cpu_ns(void) {
  char path[300];
  uint64_t sum = 0;
  snprintf(path, sizeof path, "/proc/%d/task", server_pid);
  DIR *tasks = opendir(path);
  if (tasks == NULL) return 0;
  struct dirent *entry;
  int found = 0;
  while ((entry = readdir(tasks)) != NULL) {
    if (entry->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", server_pid, entry->d_name);
    FILE *file = fopen(path, "r");
    unsigned long long ns;
    if (file == NULL) continue;
    if (fscanf(file, "%llu", &ns) == 1) sum += ns, found = 1;
    fclose(file);
  }
  closedir(tasks);
  if (found) return sum;
  snprintf(path, sizeof path, "/proc/%d/stat", server_pid);
  FILE *file = fopen(path, "r");
  if (file == NULL) return 0;
  char line[2048];
  size_t length = fread(line, 1, sizeof line - 1, file);
  fclose(file);
  line[length] = 0;
  char *after = strrchr(line, ')');
  unsigned long long user = 0, system = 0;
  if (after != NULL) sscanf(after + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system);
  return (user + system) * (1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK));
}

static uint64_t server_memory(const char *field) {
  char path[64], line[256];
  uint64_t kilobytes = 0;
  snprintf(path, sizeof path, "/proc/%d/status", server_pid);
  FILE *file = fopen(path, "r");
  if (file == NULL) return 0;
  size_t length = strlen(field);
  while (fgets(line, sizeof line, file) != NULL) {
    if (strncmp(line, field, length) == 0 && line[length] == ':') kilobytes = strtoull(line + length + 1, NULL, 10);
  }
  fclose(file);
  return kilobytes * 1024;
}

/* What cores 0 and 1 did, for whomever: the rest of it is other people's. */
static uint64_t cores_busy_ns(void) {
  FILE *file = fopen("/proc/stat", "r");
  char line[512];
  uint64_t ticks = 0;
  if (file == NULL) return 0;
  while (fgets(line, sizeof line, file) != NULL) {
    unsigned long long user, nice, system, idle, wait, irq, softirq, steal;
    int core;
    if (sscanf(line, "cpu%d %llu %llu %llu %llu %llu %llu %llu %llu", &core, &user, &nice, &system, &idle, &wait, &irq, &softirq, &steal) != 9) continue;
    if (core < 2) ticks += user + nice + system + irq + softirq + steal;
  }
  fclose(file);
  return ticks * (1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK));
}

static uint64_t own_cpu_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* ---- the window in which is measured ---- */
static enum { WARMING, MEASURING, DONE } phase = WARMING;
static uint64_t began_ns, window_ns, window_end_ns, messages, server_cpu_start, own_cpu_start, cores_busy_start, last_progress_ns;

/* Call it with the time now and then; returns 0 when it is over. */
static int in_window(uint64_t now) {
  if (phase == WARMING && now - began_ns >= warmup_ns) {
    phase = MEASURING;
    messages = 0;
    latency_max = 0;
    memset(buckets, 0, sizeof buckets);
    server_cpu_start = server_cpu_ns();
    own_cpu_start = own_cpu_ns();
    cores_busy_start = cores_busy_ns();
    window_ns = now_ns();
  } else if (phase == MEASURING && now - window_ns >= duration_ns) {
    phase = DONE;
    window_end_ns = now;
    return 0;
  }
  if (now - last_progress_ns > STALL_NS) fail("no reply for %llu s", STALL_NS / 1000000000ull);
  return 1;
}

static void report(void) {
  uint64_t server = server_cpu_ns() - server_cpu_start, own = own_cpu_ns() - own_cpu_start, busy = cores_busy_ns() - cores_busy_start;
  uint64_t others = busy > server + own ? busy - server - own : 0;
  printf("{\"messages\":%llu,\"ns\":%llu,\"p50\":%llu,\"p99\":%llu,\"p999\":%llu,\"max\":%llu,\"serverCpuNs\":%llu,\"loadCpuNs\":%llu,\"othersCpuNs\":%llu,\"rss\":%llu,\"peakRss\":%llu}\n",
         (unsigned long long)messages, (unsigned long long)(window_end_ns - window_ns), (unsigned long long)percentile(0.5),
         (unsigned long long)percentile(0.99), (unsigned long long)percentile(0.999), (unsigned long long)latency_max,
         (unsigned long long)server, (unsigned long long)own, (unsigned long long)others, (unsigned long long)server_memory("VmRSS"),
         (unsigned long long)server_memory("VmHWM"));
}

/* ---- connections ---- */
struct batch {
  uint64_t queued_ns;
  uint32_t count;
};

struct connection {
  int fd;
  int slow;
  int wants_out;
  enum { CONNECTING, SHAKING, READY } state; /* churn only */
  uint64_t to_send;  /* bytes */
  size_t send_at;    /* offset in the request */
  size_t receive_at; /* offset in the reply */
  uint64_t opened_ns;
  struct batch *batches; /* what is under way, oldest first */
  uint32_t head, tail, capacity;
  char head_text[1024]; /* churn: the handshake's reply so far */
  size_t head_length;
};

static struct connection *all;
static int poll_fd;
static uint8_t *read_buffer;

static int open_socket(int index, int blocking, int small_buffer) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | (blocking ? 0 : SOCK_NONBLOCK), 0);
  if (fd < 0) fail("socket: %s", strerror(errno));
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (small_buffer) {
    int size = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  }
  /* Many source addresses, so that churn does not run out of ports. */
  struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000002u + (uint32_t)index % 200u)};
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  if (bind(fd, (struct sockaddr *)&from, sizeof from) != 0) fail("bind: %s", strerror(errno));
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0 && (blocking || errno != EINPROGRESS)) fail("connect: %s", strerror(errno));
  return fd;
}

static const char upgrade_ws[] =
    "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
static const char upgrade_socketio[] =
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

static void send_all(int fd, const void *bytes, size_t length) {
  const char *at = bytes;
  while (length > 0) {
    ssize_t sent = send(fd, at, length, MSG_NOSIGNAL);
    if (sent <= 0) fail("send: %s", strerror(errno));
    at += sent;
    length -= (size_t)sent;
  }
}

static void receive_all(int fd, void *bytes, size_t length) {
  char *at = bytes;
  while (length > 0) {
    ssize_t got = recv(fd, at, length, 0);
    if (got <= 0) fail("the server closed in the handshake: %s", got == 0 ? "end" : strerror(errno));
    at += got;
    length -= (size_t)got;
  }
}

/* Up to the blank line, byte by byte: what follows it belongs to the conversation. */
static void receive_head(int fd) {
  char head[2048];
  size_t length = 0;
  while (length < sizeof head) {
    receive_all(fd, head + length, 1);
    length++;
    if (length >= 4 && memcmp(head + length - 4, "\r\n\r\n", 4) == 0) break;
  }
  if (length < 12 || memcmp(head, "HTTP/1.1 101", 12) != 0) fail("the server refused the upgrade");
}

static void skip_frame(int fd) {
  uint8_t header[4], body[4096];
  receive_all(fd, header, 2);
  size_t length = header[1] & 127u;
  if (length == 126) {
    receive_all(fd, header + 2, 2);
    length = (size_t)header[2] << 8 | header[3];
  }
  if (length > sizeof body) fail("a frame of %zu bytes in the handshake", length);
  receive_all(fd, body, length);
}

static void shake_hands(int fd) {
  if (strcmp(handshake, "none") == 0) return;
  if (strcmp(handshake, "ws") == 0) {
    send_all(fd, upgrade_ws, sizeof upgrade_ws - 1);
    receive_head(fd);
    return;
  }
  send_all(fd, upgrade_socketio, sizeof upgrade_socketio - 1);
  receive_head(fd);
  skip_frame(fd);                                                     /* 0{"sid":...} */
  static const uint8_t hello[] = {0x81, 0x82, 1, 2, 3, 4, '4' ^ 1, '0' ^ 2}; /* 40 */
  send_all(fd, hello, sizeof hello);
  skip_frame(fd); /* 40{"sid":...} */
}

static void watch(struct connection *c, int operation, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = c};
  if (epoll_ctl(poll_fd, operation, c->fd, &event) != 0) fail("epoll_ctl: %s", strerror(errno));
}

static void make_ready(struct connection *c) {
  fcntl(c->fd, F_SETFL, fcntl(c->fd, F_GETFL) | O_NONBLOCK);
}

static void echo_once(int fd) {
  send_all(fd, request.bytes, request.message);
  for (size_t left = reply.message; left > 0;) {
    size_t step = left < READ_BYTES ? left : READ_BYTES;
    receive_all(fd, read_buffer, step);
    left -= step;
  }
}

static void open_all(int with_echo) {
  all = calloc((size_t)(connections + slow_connections), sizeof *all);
  for (int i = 0; i < connections + slow_connections; i++) {
    struct connection *c = &all[i];
    c->slow = i >= connections;
    c->fd = open_socket(i, 1, c->slow);
    c->capacity = (uint32_t)depth + 1;
    c->batches = malloc(c->capacity * sizeof *c->batches);
    shake_hands(c->fd);
    if (with_echo) echo_once(c->fd);
    else if (i % 64 == 63) usleep(5000); /* so that the server accepts before its backlog is full */
  }
}

/* Send what is queued; returns 0 when the kernel takes no more. */
static int transmit(struct connection *c) {
  while (c->to_send > 0) {
    size_t room = request.total - c->send_at;
    size_t step = c->to_send < room ? (size_t)c->to_send : room;
    ssize_t sent = send(c->fd, request.bytes + c->send_at, step, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno != EAGAIN) fail("send: %s", strerror(errno));
      if (!c->wants_out) watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT), c->wants_out = 1;
      return 0;
    }
    c->to_send -= (uint64_t)sent;
    c->send_at = (c->send_at + (size_t)sent) % request.message;
  }
  if (c->wants_out) watch(c, EPOLL_CTL_MOD, EPOLLIN), c->wants_out = 0;
  return 1;
}

static void queue_requests(struct connection *c, uint32_t count, uint64_t now) {
  c->batches[c->tail] = (struct batch){now, count};
  c->tail = (c->tail + 1) % c->capacity;
  c->to_send += (uint64_t)count * request.message;
  transmit(c);
}

/* Bytes of replies have come: returns how many replies they complete. */
static uint32_t take_bytes(struct connection *c, const uint8_t *bytes, size_t length) {
  if (phase == WARMING) {
    for (size_t at = 0, from = c->receive_at; at < length;) {
      size_t step = reply.total - from < length - at ? reply.total - from : length - at;
      if (memcmp(bytes + at, reply.bytes + from, step) != 0) fail("the reply is not what is expected");
      at += step;
      from = (from + step) % reply.message;
    }
  }
  size_t have = c->receive_at + length;
  c->receive_at = have % reply.message;
  return (uint32_t)(have / reply.message);
}

static size_t receive(struct connection *c) {
  /* What is not looked at need not be copied. */
  ssize_t got = recv(c->fd, read_buffer, READ_BYTES, phase == WARMING ? 0 : MSG_TRUNC);
  if (got > 0) return (size_t)got;
  if (got < 0 && errno == EAGAIN) return 0;
  fail("the server closed the connection: %s", got == 0 ? "end" : strerror(errno));
  return 0;
}

static void on_replies(struct connection *c) {
  size_t length = receive(c);
  uint32_t count = take_bytes(c, read_buffer, length);
  if (count == 0) return;
  uint64_t now = now_ns();
  last_progress_ns = now;
  messages += count;
  for (uint32_t left = count; left > 0;) {
    struct batch *oldest = &c->batches[c->head];
    uint32_t taken = oldest->count < left ? oldest->count : left;
    record(now - oldest->queued_ns, taken);
    oldest->count -= taken;
    left -= taken;
    if (oldest->count == 0) c->head = (c->head + 1) % c->capacity;
  }
  queue_requests(c, count, now);
}

/* A slow reader sends all that the kernel takes; setting the watch anew tells when it takes more. */
static void on_slow(struct connection *c) {
  if (c->to_send == 0) c->to_send = (uint64_t)(PATTERN_BYTES / request.message + 1) * request.message;
  transmit(c);
  watch(c, EPOLL_CTL_MOD, EPOLLOUT | EPOLLET);
}

static void run_echo(void) {
  struct epoll_event events[256];
  open_all(0);
  for (int i = 0; i < connections + slow_connections; i++) {
    make_ready(&all[i]);
    watch(&all[i], EPOLL_CTL_ADD, all[i].slow ? EPOLLOUT | EPOLLET : EPOLLIN);
  }
  began_ns = last_progress_ns = now_ns();
  for (int i = 0; i < connections; i++) queue_requests(&all[i], (uint32_t)depth, now_ns());
  uint64_t next_slow_ns = began_ns;
  for (;;) {
    int count = epoll_wait(poll_fd, events, 256, 20);
    for (int i = 0; i < count; i++) {
      struct connection *c = events[i].data.ptr;
      if (c->slow) {
        on_slow(c);
        continue;
      }
      if (events[i].events & EPOLLOUT) transmit(c);
      if (events[i].events & ~(uint32_t)EPOLLOUT) on_replies(c);
    }
    uint64_t now = now_ns();
    if (slow_connections > 0 && now >= next_slow_ns) {
      next_slow_ns = now + SLOW_READ_NS;
      for (int i = connections; i < connections + slow_connections; i++) {
        ssize_t got = recv(all[i].fd, read_buffer, SLOW_READ_BYTES, 0);
        if (got == 0) fail("the server closed the slow connection");
      }
    }
    if (!in_window(now)) break;
  }
  report();
}

static void run_broadcast(void) {
  struct epoll_event events[256];
  open_all(0);
  usleep(200000); /* the last of them are accepted */
  for (int i = 0; i < connections; i++) {
    make_ready(&all[i]);
    watch(&all[i], EPOLL_CTL_ADD, EPOLLIN);
  }
  uint64_t all_of_it = (uint64_t)connections * (uint64_t)burst;
  began_ns = last_progress_ns = now_ns();
  for (int running = 1; running;) {
    uint64_t triggered = now_ns(), left = all_of_it;
    send_all(all[0].fd, request.bytes, request.message);
    while (left > 0 && running) {
      int count = epoll_wait(poll_fd, events, 256, 20);
      uint64_t now = now_ns();
      for (int i = 0; i < count; i++) {
        struct connection *c = events[i].data.ptr;
        uint32_t taken = take_bytes(c, read_buffer, receive(c));
        if (taken == 0) continue;
        if (taken > left) fail("more was broadcast than is expected");
        now = now_ns();
        last_progress_ns = now;
        left -= taken;
        messages += taken;
        record(now - triggered, taken);
      }
      running = in_window(now);
    }
  }
  report();
}

static void restart(struct connection *c, int index) {
  c->fd = open_socket(index, 0, 0);
  c->state = CONNECTING;
  c->opened_ns = now_ns();
  c->receive_at = 0;
  c->head_length = 0;
  watch(c, EPOLL_CTL_ADD, EPOLLOUT);
}

static void send_request(struct connection *c) {
  c->state = READY;
  send_all(c->fd, request.bytes, request.message);
}

static void on_churn(struct connection *c, int index) {
  if (c->state == CONNECTING) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) fail("connect: %s", strerror(error));
    watch(c, EPOLL_CTL_MOD, EPOLLIN);
    if (strcmp(handshake, "ws") == 0) {
      send_all(c->fd, upgrade_ws, sizeof upgrade_ws - 1);
      c->state = SHAKING;
    } else {
      send_request(c);
    }
    return;
  }
  if (c->state == SHAKING) {
    ssize_t got = recv(c->fd, c->head_text + c->head_length, sizeof c->head_text - c->head_length, 0);
    if (got <= 0) fail("the server closed in the handshake");
    c->head_length += (size_t)got;
    if (memmem(c->head_text, c->head_length, "\r\n\r\n", 4) != NULL) send_request(c);
    else if (c->head_length == sizeof c->head_text) fail("the upgrade's reply is too long");
    return;
  }
  if (take_bytes(c, read_buffer, receive(c)) == 0) return;
  uint64_t now = now_ns();
  last_progress_ns = now;
  messages++;
  record(now - c->opened_ns, 1);
  close(c->fd);
  restart(c, index);
}

static void run_churn(void) {
  struct epoll_event events[256];
  all = calloc((size_t)connections, sizeof *all);
  began_ns = last_progress_ns = now_ns();
  int turn = 0;
  for (int i = 0; i < connections; i++) restart(&all[i], turn++);
  for (;;) {
    int count = epoll_wait(poll_fd, events, 256, 20);
    for (int i = 0; i < count; i++) on_churn(events[i].data.ptr, turn++);
    if (!in_window(now_ns())) break;
  }
  report();
}

static void run_idle(void) {
  char byte;
  open_all(echo_idle);
  printf("ready\n");
  fflush(stdout);
  while (read(0, &byte, 1) > 0) continue;
}

static const char *value_of(int argc, char **argv, const char *key, const char *otherwise) {
  size_t length = strlen(key);
  for (int i = 2; i < argc; i++) {
    if (strncmp(argv[i], key, length) == 0 && argv[i][length] == '=') return argv[i] + length + 1;
  }
  return otherwise;
}

int main(int argc, char **argv) {
  if (argc < 2) fail("usage: load MODE key=value...");
  mode = argv[1];
  port = atoi(value_of(argc, argv, "port", "0"));
  server_pid = atoi(value_of(argc, argv, "pid", "0"));
  connections = atoi(value_of(argc, argv, "connections", "1"));
  depth = atoi(value_of(argc, argv, "depth", "1"));
  slow_connections = atoi(value_of(argc, argv, "slow", "0"));
  burst = atoi(value_of(argc, argv, "burst", "1"));
  echo_idle = atoi(value_of(argc, argv, "echo", "1"));
  warmup_ns = strtoull(value_of(argc, argv, "warmup", "500"), NULL, 10) * 1000000ull;
  duration_ns = strtoull(value_of(argc, argv, "duration", "1000"), NULL, 10) * 1000000ull;
  handshake = value_of(argc, argv, "handshake", "none");
  if (connections < 1 || connections > 19000 || depth < 1 || depth > 65536) fail("connections or depth out of range");
  load_pattern(&request, value_of(argc, argv, "request", ""));
  load_pattern(&reply, value_of(argc, argv, "reply", ""));
  read_buffer = malloc(READ_BYTES);
  poll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (strcmp(mode, "echo") == 0 || strcmp(mode, "slow") == 0) run_echo();
  else if (strcmp(mode, "broadcast") == 0) run_broadcast();
  else if (strcmp(mode, "churn") == 0) run_churn();
  else if (strcmp(mode, "idle") == 0) run_idle();
  else fail("no mode %s", mode);
  return 0;
}

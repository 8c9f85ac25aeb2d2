/*
 * The limit: an epoll server, one thread, that frames as Hawser's does and copies each message once into its output.
 * One read, one send per wake-up. Owns nothing else: no timeouts, no limits but the buffer's, no memory for idle connections.
 *
 *   server framing=u32be|lines mode=echo|broadcast burst=B
 *
 * Prints "listening PORT". Ends when stdin does; "gc" there is answered with "gc", as by the other servers.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES (256 * 1024)
#define MAX_FRAME (16 * 1024 * 1024)

struct connection {
  int fd;
  int wants_out;
  size_t index;
  uint8_t *partial; /* a frame that has begun */
  size_t partial_length, partial_capacity;
  uint8_t *unsent;
  size_t unsent_length, unsent_capacity;
};

static int poll_fd, lines, broadcast, burst = 1;
static struct connection **all;
static size_t count, capacity;
static uint8_t *in, *out;
static size_t out_length, out_capacity;

static void watch(struct connection *c, int operation, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = c};
  epoll_ctl(poll_fd, operation, c->fd, &event);
}

static void append(uint8_t **bytes, size_t *length, size_t *room, const uint8_t *from, size_t more) {
  if (*length + more > *room) {
    *room = (*length + more) * 2;
    *bytes = realloc(*bytes, *room);
  }
  memcpy(*bytes + *length, from, more);
  *length += more;
}

static void end(struct connection *c) {
  close(c->fd);
  all[c->index] = all[--count];
  all[c->index]->index = c->index;
  free(c->partial);
  free(c->unsent);
  free(c);
}

/* Send; keep what the kernel does not take, and read no more until it has. */
static void transmit(struct connection *c, const uint8_t *bytes, size_t length) {
  ssize_t sent = send(c->fd, bytes, length, MSG_NOSIGNAL);
  if (sent < 0) sent = 0;
  if ((size_t)sent == length) return;
  append(&c->unsent, &c->unsent_length, &c->unsent_capacity, bytes + sent, length - (size_t)sent);
  if (!c->wants_out) watch(c, EPOLL_CTL_MOD, EPOLLOUT), c->wants_out = 1;
}

static void on_writable(struct connection *c) {
  ssize_t sent = send(c->fd, c->unsent, c->unsent_length, MSG_NOSIGNAL);
  if (sent <= 0) return;
  c->unsent_length -= (size_t)sent;
  memmove(c->unsent, c->unsent + sent, c->unsent_length);
  if (c->unsent_length > 0) return;
  free(c->unsent);
  c->unsent = NULL;
  c->unsent_capacity = 0;
  c->wants_out = 0;
  watch(c, EPOLL_CTL_MOD, EPOLLIN);
}

/* One frame, header or ending included; the payload is copied as a handler that sends it back makes it be. */
static inline void frame(const uint8_t *bytes, size_t length) {
  append(&out, &out_length, &out_capacity, bytes, length);
}

/* Whole frames of bytes[0, length); returns how many bytes they are. */
static size_t decode(const uint8_t *bytes, size_t length) {
  size_t at = 0;
  if (lines) {
    while (at < length) {
      const uint8_t *lf = memchr(bytes + at, '\n', length - at);
      if (lf == NULL) break;
      size_t size = (size_t)(lf - bytes) + 1 - at;
      frame(bytes + at, size);
      at += size;
    }
    return at;
  }
  while (length - at >= 4) {
    uint32_t size;
    memcpy(&size, bytes + at, 4);
    size = ntohl(size);
    if (size > MAX_FRAME) abort();
    if (length - at - 4 < size) break;
    frame(bytes + at, size + 4);
    at += size + 4;
  }
  return at;
}

/* How many bytes the begun frame still wants, as far as is known. */
static size_t wanted(const struct connection *c) {
  if (lines) return READ_BYTES;
  if (c->partial_length < 4) return 4 - c->partial_length;
  uint32_t size;
  memcpy(&size, c->partial, 4);
  return ntohl(size) + 4 - c->partial_length;
}

static void on_chunk(struct connection *c, const uint8_t *bytes, size_t length) {
  while (c->partial_length > 0 && length > 0) {
    const uint8_t *lf = lines ? memchr(bytes, '\n', length) : NULL;
    size_t step = lines ? (lf == NULL ? length : (size_t)(lf - bytes) + 1) : wanted(c);
    if (step > length) step = length;
    append(&c->partial, &c->partial_length, &c->partial_capacity, bytes, step);
    bytes += step;
    length -= step;
    if (lines ? lf != NULL : c->partial_length > 4 && wanted(c) == 0) {
      frame(c->partial, c->partial_length);
      free(c->partial);
      c->partial = NULL;
      c->partial_length = c->partial_capacity = 0;
    }
  }
  size_t used = decode(bytes, length);
  if (used < length) append(&c->partial, &c->partial_length, &c->partial_capacity, bytes + used, length - used);
  if (out_length == 0) return;
  if (broadcast) {
    size_t once = out_length;
    for (int i = 1; i < burst; i++) {
      if (out_capacity < out_length + once) out = realloc(out, out_capacity = (out_length + once) * 2);
      memcpy(out + out_length, out, once);
      out_length += once;
    }
    for (size_t i = 0; i < count; i++) {
      struct connection *each = all[i];
      if (each->wants_out) append(&each->unsent, &each->unsent_length, &each->unsent_capacity, out, out_length);
      else transmit(each, out, out_length);
    }
  } else {
    transmit(c, out, out_length);
  }
  out_length = 0;
}

static void on_accept(int listener) {
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct connection *c = calloc(1, sizeof *c);
    c->fd = fd;
    c->index = count;
    if (count == capacity) all = realloc(all, (capacity = capacity * 2 + 64) * sizeof *all);
    all[count++] = c;
    watch(c, EPOLL_CTL_ADD, EPOLLIN);
  }
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "framing=lines") == 0) lines = 1;
    if (strcmp(argv[i], "mode=broadcast") == 0) broadcast = 1;
    if (strncmp(argv[i], "burst=", 6) == 0) burst = atoi(argv[i] + 6);
  }
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 4096) != 0) return 1;
  getsockname(listener, (struct sockaddr *)&address, &length);
  in = malloc(READ_BYTES);
  out = malloc(out_capacity = 2 * READ_BYTES);
  poll_fd = epoll_create1(0);
  static struct connection listening, control;
  listening.fd = listener;
  control.fd = 0;
  watch(&listening, EPOLL_CTL_ADD, EPOLLIN);
  watch(&control, EPOLL_CTL_ADD, EPOLLIN);
  printf("listening %d\n", ntohs(address.sin_port));
  fflush(stdout);
  struct epoll_event events[256];
  for (;;) {
    int ready = epoll_wait(poll_fd, events, 256, -1);
    for (int i = 0; i < ready; i++) {
      struct connection *c = events[i].data.ptr;
      if (c == &listening) {
        on_accept(listener);
      } else if (c == &control) {
        char text[64];
        if (read(0, text, sizeof text) <= 0) return 0;
        printf("gc\n");
        fflush(stdout);
      } else if (c->wants_out) {
        on_writable(c);
      } else {
        ssize_t got = recv(c->fd, in, READ_BYTES, 0);
        if (got > 0) on_chunk(c, in, (size_t)got);
        else if (got == 0 || errno != EAGAIN) end(c);
      }
    }
  }
}

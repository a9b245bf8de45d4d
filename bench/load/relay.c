// The least that a TCP relay can do: `relay PORT ORIGIN` copies bytes between its clients and the origin, both on
// 127.0.0.1, through one buffer of 256 KiB. No tunnel can cost less.
#include "loop.h"

typedef struct End {
  int fd;
  struct End *other;
  char *waiting;          // bytes that the other end could not take yet
  size_t length;
  bool ended;             // FIN came and was passed on
} End;

static int epoll;
static End *dropped[1024];  // freed after the batch of events, which may still name them
static int drops;

static void drop(End *it) {
  if (it->fd < 0) return;
  End *both[2] = { it, it->other };
  for (int i = 0; i < 2; i++) {
    close(both[i]->fd);
    both[i]->fd = -1;
    dropped[drops++] = both[i];
  }
}

// Reads an end while none of its bytes wait to be sent. Asks an end for room while bytes wait for it.
static void expect(End *it) {
  bool reads = !it->ended && !it->waiting;
  watch(epoll, EPOLL_CTL_MOD, it->fd, (reads ? EPOLLIN : 0) | (it->other->waiting ? EPOLLOUT : 0), it);
}

static void on_readable(End *it) {
  ssize_t count = recv(it->fd, payload, BULK, 0);
  if (must_wait(count)) return;
  if (count < 0) return drop(it);
  if (count == 0) {
    it->ended = true;
    shutdown(it->other->fd, SHUT_WR);
    if (it->other->ended) return drop(it);
    return expect(it);
  }
  ssize_t sent = send(it->other->fd, payload, count, 0);
  if (sent < 0 && !must_wait(sent)) return drop(it);
  if (sent < 0) sent = 0;
  if (sent == count) return;
  it->length = count - sent;
  it->waiting = malloc(it->length);
  memcpy(it->waiting, payload + sent, it->length);
  expect(it);
  expect(it->other);
}

static void on_writable(End *it) {
  End *from = it->other;
  ssize_t sent = send(it->fd, from->waiting, from->length, 0);
  if (must_wait(sent)) return;
  if (sent < 0) return drop(it);
  from->length -= sent;
  memmove(from->waiting, from->waiting + sent, from->length);
  if (from->length > 0) return;
  free(from->waiting);
  from->waiting = NULL;
  expect(it);
  expect(from);
}

static void accept_one(int listener, int origin) {
  int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
  if (client < 0) return;
  int server = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in address = loopback(origin);
  if (connect(server, (void *)&address, sizeof address) && errno != EINPROGRESS) fail("connect");
  End *ends[2] = { calloc(1, sizeof(End)), calloc(1, sizeof(End)) };
  int fds[2] = { client, server };
  for (int i = 0; i < 2; i++) {
    *ends[i] = (End){ .fd = fds[i], .other = ends[1 - i] };
    without_delay(fds[i]);
    watch(epoll, EPOLL_CTL_ADD, fds[i], EPOLLIN, ends[i]);
  }
}

int main(int count, char **words) {
  if (count < 3) return 2;
  prepare();
  epoll = epoll_create1(0);
  int listener = listen_on(atoi(words[1]));
  watch(epoll, EPOLL_CTL_ADD, listener, EPOLLIN, NULL);
  while (true) {
    struct epoll_event ready[256];
    int events = epoll_wait(epoll, ready, 256, -1);
    for (int i = 0; i < events; i++) {
      End *it = ready[i].data.ptr;
      if (!it) {
        accept_one(listener, atoi(words[2]));
        continue;
      }
      if (it->fd >= 0 && ready[i].events & EPOLLOUT && it->other->waiting) on_writable(it);
      if (it->fd >= 0 && ready[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !it->waiting) on_readable(it);
    }
    while (drops > 0) {
      End *it = dropped[--drops];
      free(it->waiting);
      free(it);
    }
  }
}

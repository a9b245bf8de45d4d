// The server behind the proxies: `origin` prints the port of 127.0.0.1 that it listens on, and serves
// until it is killed.
//
//   GET /N        N octets (up to 256 KiB) with Content-Length; the connection is kept unless told otherwise
//   POST /N       the same, behind a body that has a Content-Length
//   GET /stream   octets without end
//   POST /sink    octets without end are taken and forgotten
//
// The target may be in absolute-form: some proxies send it on as they got it.
#include "loop.h"

enum { MAX_HEAD = 4096 };

typedef struct {
  int fd;
  enum { SERVING, STREAMING, SINKING } mode;
  bool closing;
  int received;           // octets of unfinished heads in `head`
  char head[MAX_HEAD];
  char answer[256];       // the answer that is being sent: its head, then `body` octets of the payload
  int answer_length;
  int sent;
  int body;
  int unread;             // octets of the request's body that come before the answer
} Connection;

static int epoll;

static void drop(Connection *it) {
  close(it->fd);
  free(it);
}

static void expect(Connection *it, uint32_t events) {
  watch(epoll, EPOLL_CTL_MOD, it->fd, events, it);
}

static void forget(Connection *it, int count) {
  it->received -= count;
  memmove(it->head, it->head + count, it->received);
}

// Takes the head of the first request off the buffer; false if it has not come whole.
static bool take_request(Connection *it) {
  char *end = memmem(it->head, it->received, "\r\n\r\n", 4);
  if (!end) return false;
  *end = 0;
  char *path = strchr(it->head, ' ');
  path = path ? path + 1 : "/0";
  if (!strncmp(path, "http://", 7)) path = strchr(path + 7, '/');
  if (!path) path = "/0";
  it->closing = strstr(it->head, "onnection: close") != NULL;
  it->sent = 0;
  it->body = 0;
  if (!strncmp(path, "/stream", 7)) {
    it->mode = STREAMING;
    it->answer_length = sprintf(it->answer, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
  } else if (!strncmp(path, "/sink", 5)) {
    it->mode = SINKING;
    it->answer_length = 0;
  } else {
    it->body = atoi(path + 1);
    if (it->body < 0 || it->body > BULK) it->body = 0;
    it->answer_length = sprintf(it->answer,
      "HTTP/1.1 200 OK\r\nServer: origin\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: text/plain\r\n"
      "Content-Length: %d\r\n%s\r\n", it->body, it->closing ? "Connection: close\r\n" : "");
  }
  char *length = strcasestr(it->head, "\ncontent-length:");
  it->unread = length ? atoi(length + 16) : 0;
  forget(it, end + 4 - it->head);
  return true;
}

// Throws away what has come of the request's body; false if more of it will come.
static bool skip_body(Connection *it) {
  int count = it->unread < it->received ? it->unread : it->received;
  it->unread -= count;
  forget(it, count);
  return it->unread == 0;
}

// Sends the rest of the answer; false if it must wait or the peer is gone.
static bool send_answer(Connection *it) {
  int whole = it->answer_length + it->body;
  while (it->sent < whole) {
    int from_body = it->sent > it->answer_length ? it->sent - it->answer_length : 0;
    struct iovec parts[2] = {
      { it->answer + it->sent, it->sent < it->answer_length ? it->answer_length - it->sent : 0 },
      { payload + from_body, it->body - from_body },
    };
    if (parts[0].iov_len == 0) parts[0].iov_base = it->answer;
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
    ssize_t sent = sendmsg(it->fd, &message, 0);
    if (must_wait(sent)) {
      expect(it, EPOLLOUT);
      return false;
    }
    if (sent < 0) {
      drop(it);
      return false;
    }
    it->sent += sent;
  }
  if (it->closing && it->mode == SERVING) {
    drop(it);
    return false;
  }
  return true;
}

static void stream(Connection *it) {
  for (int turn = 0; turn < 4; turn++) {
    ssize_t sent = send(it->fd, payload, BULK, 0);
    if (must_wait(sent)) return;
    if (sent < 0) return drop(it);
  }
}

static void sink(Connection *it) {
  for (int turn = 0; turn < 4; turn++) {
    ssize_t received = recv(it->fd, payload, BULK, MSG_TRUNC);
    if (must_wait(received)) return;
    if (received <= 0) return drop(it);
  }
}

static void serve(Connection *it) {
  while (it->mode == SERVING && (it->unread > 0 || take_request(it))) {
    if (!skip_body(it) || !send_answer(it)) return;
  }
  if (it->mode == STREAMING) expect(it, EPOLLOUT);
}

static void on_readable(Connection *it) {
  if (it->mode == SINKING) return sink(it);
  ssize_t received = recv(it->fd, it->head + it->received, MAX_HEAD - it->received, 0);
  if (must_wait(received)) return;
  if (received <= 0) return drop(it);
  it->received += received;
  serve(it);
}

static void on_writable(Connection *it) {
  if (it->sent == it->answer_length + it->body) return stream(it);
  if (!send_answer(it)) return;
  expect(it, it->mode == STREAMING ? EPOLLOUT : EPOLLIN);
  serve(it);
}

static void accept_all(int listener) {
  int fd;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    without_delay(fd);
    Connection *it = calloc(1, sizeof *it);
    it->fd = fd;
    watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, it);
  }
}

int main(void) {
  prepare();
  memset(payload, 'x', sizeof payload);
  epoll = epoll_create1(0);
  int listener = listen_on(0);
  struct sockaddr_in address;
  socklen_t size = sizeof address;
  getsockname(listener, (void *)&address, &size);
  watch(epoll, EPOLL_CTL_ADD, listener, EPOLLIN, NULL);
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  while (true) {
    struct epoll_event ready[256];
    int count = epoll_wait(epoll, ready, 256, -1);
    for (int i = 0; i < count; i++) {
      Connection *it = ready[i].data.ptr;
      if (!it) accept_all(listener);
      else if (ready[i].events & EPOLLOUT) on_writable(it);
      else on_readable(it);
    }
  }
}

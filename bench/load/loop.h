// Code that the origin and the client share: non-blocking sockets on this machine, and one epoll loop.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BULK = 256 * 1024 };

// Bulk data to send, and a buffer for received bytes that are thrown away.
static char payload[BULK];

static inline void fail(const char *what) {
  perror(what);
  exit(1);
}

static inline double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static inline struct sockaddr_in loopback(int port) {
  return (struct sockaddr_in){
    .sin_family = AF_INET,
    .sin_port = htons(port),
    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
  };
}

// Port 0 stands for any free port.
static inline int listen_on(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in address = loopback(port);
  if (bind(fd, (void *)&address, sizeof address) || listen(fd, 4096)) fail("listen");
  return fd;
}

static inline void without_delay(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

// Makes a write to a closed connection an error instead of a signal, and raises the limit of open descriptors.
static inline void prepare(void) {
  signal(SIGPIPE, SIG_IGN);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

static inline void watch(int epoll, int operation, int fd, uint32_t events, void *whose) {
  struct epoll_event event = { .events = events, .data.ptr = whose };
  if (epoll_ctl(epoll, operation, fd, &event) < 0) fail("epoll_ctl");
}

// Whether a call failed only because it would have had to wait.
static inline bool must_wait(ssize_t result) {
  return result < 0 && (errno == EAGAIN || errno == EINTR);
}

// The client of the proxies: `client KIND VIA PROXY ORIGIN CONNECTIONS SECONDS [--size N] [--rate N] [--body N]
// [--fields TEXT] [--tls]`; PROXY and ORIGIN are ports of 127.0.0.1.
//
//   KIND  down, up   octets without end through tunnels
//         get        one request after the other on kept connections
//         short      connect, one request, read to the end, again
//         idle       connections that were used once and are held until standard input ends
//   VIA   http       requests in absolute-form
//         connect    a CONNECT tunnel to the origin
//         socks5     a SOCKS5 tunnel to the origin
//         direct     a port that leads to the origin by itself: its own, or a relay's
//
//   --size N         each request asks for N octets (100)
//   --rate N         all connections of `get` together send N requests a second; without it, as many as possible
//   --body N         each request is a POST with a body of N octets
//   --fields TEXT    the fields of each request behind Host, each with its CRLF
//   --tls            the client speaks TLS with the proxy; it accepts every certificate
//
// Prints one line of JSON: how much was done in how many seconds, with how many errors; latencies in microseconds; and
// the CPU seconds that the client took. A latency begins at the connect in `short`, and at the request in `get`. With
// --rate it begins when the request was due, so a request that had to wait for a free connection counts its wait.
#include "loop.h"
#include <getopt.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

enum { MAX_HEAD = 4096, MAX_BODY = 64 * 1024, SLOWEST = 10 * 1000 * 1000 };

// The longest wait for events, and the time for connecting before the first request of a --rate is due, in seconds.
static const double PATIENCE = 0.02, SETTLING = 0.1;

typedef enum { CONNECTING, SECURING, GREETED, ASKED, RESTING, WORKING, ENDING, HOLDING } Stage;

typedef struct {
  int fd;
  SSL *tls;               // NULL without --tls
  Stage stage;
  double started;
  int served;             // answers that came on this connection
  int received;           // octets of an unfinished head in `head`
  long left;              // octets that the body still has; -1 within the head
  char head[MAX_HEAD + 1];
} Connection;

static const char *kind, *via;
static int epoll, proxy, origin, running, held, size = 100, rate, body;
static const char *fields = "User-Agent: bench\r\nAccept: */*\r\n";
static SSL_CTX *security;
static bool bulk;
static char request[MAX_HEAD + MAX_BODY];
static int request_length;
static uint64_t units, bytes, errors, reconnects, *latencies;

static void expect(Connection *it, uint32_t events) {
  watch(epoll, EPOLL_CTL_MOD, it->fd, events, it);
}

static void open_connection(Connection *it) {
  struct sockaddr_in address = loopback(proxy);
  it->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (it->fd < 0) fail("socket");
  without_delay(it->fd);
  it->stage = CONNECTING;
  it->started = now();
  it->served = it->received = 0;
  it->left = -1;
  if (connect(it->fd, (void *)&address, sizeof address) && errno != EINPROGRESS) fail("connect");
  watch(epoll, EPOLL_CTL_ADD, it->fd, EPOLLOUT, it);
}

// `untidy` resets the connection, so that the peer stops sending.
static void close_connection(Connection *it, bool untidy) {
  struct linger none = { 1, 0 };
  if (untidy) setsockopt(it->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
  if (it->tls) SSL_free(it->tls);
  it->tls = NULL;
  close(it->fd);
  it->fd = -1;
}

// Makes errno say whether TLS must only wait.
static ssize_t tls_failure(Connection *it, int result) {
  errno = SSL_get_error(it->tls, result) == SSL_ERROR_WANT_READ ? EAGAIN : EIO;
  ERR_clear_error();
  return -1;
}

// Receives; what goes to `payload` is thrown away, so the kernel need not copy it.
static ssize_t take(Connection *it, void *into, size_t length) {
  if (!it->tls) return recv(it->fd, into, length, into == payload ? MSG_TRUNC : 0);
  int count = SSL_read(it->tls, into, length);
  if (count > 0) return count;
  return SSL_get_shutdown(it->tls) & SSL_RECEIVED_SHUTDOWN ? 0 : tls_failure(it, count);
}

static ssize_t give(Connection *it, const void *what, size_t length) {
  if (!it->tls) return send(it->fd, what, length, 0);
  int count = SSL_write(it->tls, what, length);
  return count > 0 ? count : tls_failure(it, count);
}

// Replaces a connection that cannot be used any more with a fresh one. If it never worked, that has to wait.
static void replace(Connection *it, bool failed) {
  close_connection(it, failed);
  if (failed && ++errors > 1000) exit(3);
  if (!strcmp(kind, "idle") || bulk) running--;
  else open_connection(it);
}

static bool say(Connection *it, const void *what, size_t length) {
  if (give(it, what, length) == (ssize_t)length) return true;
  replace(it, true);
  return false;
}

static void ask(Connection *it, double since) {
  it->received = 0;
  it->left = -1;
  it->started = since;
  if (!say(it, request, request_length)) return;
  it->stage = WORKING;
  if (!strcmp(kind, "up")) expect(it, EPOLLOUT);
}

// The connection has nothing to do: with --rate it waits until a request is due.
static void rest(Connection *it, double since) {
  if (rate) it->stage = RESTING;
  else ask(it, since);
}

static void greet(Connection *it) {
  if (!strcmp(via, "connect")) {
    char text[128];
    int count = sprintf(text, "CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", origin, origin);
    if (say(it, text, count)) it->stage = ASKED;
  } else if (!strcmp(via, "socks5")) {
    if (say(it, "\5\1\0", 3)) it->stage = GREETED;
  } else {
    rest(it, it->started);
  }
}

static void secure(Connection *it) {
  it->stage = SECURING;
  int result = SSL_connect(it->tls);
  if (result == 1) return greet(it);
  if (!must_wait(tls_failure(it, result))) replace(it, true);
}

static void on_connected(Connection *it) {
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(it->fd, SOL_SOCKET, SO_ERROR, &error, &length);
  if (error) return replace(it, true);
  expect(it, EPOLLIN);
  if (!security) return greet(it);
  it->tls = SSL_new(security);
  SSL_set_fd(it->tls, it->fd);
  secure(it);
}

// Collects octets in `head`. False if none came; if none will come, the connection is replaced.
static bool collect(Connection *it) {
  ssize_t count = take(it, it->head + it->received, MAX_HEAD - it->received);
  if (must_wait(count)) return false;
  if (count <= 0) {
    // A kept connection may be closed between two requests; that is no error.
    bool between = it->served > 0 && it->received == 0 && !strcmp(kind, "get");
    reconnects += between;
    replace(it, !between);
    return false;
  }
  it->received += count;
  it->head[it->received] = 0;
  return true;
}

static void on_greeting(Connection *it) {
  if (!collect(it) || it->received < 2) return;
  unsigned char text[10] = { 5, 1, 0, 1, 127, 0, 0, 1, origin >> 8, origin & 0xFF };
  it->received = 0;
  if (say(it, text, sizeof text)) it->stage = ASKED;
}

static void on_reply(Connection *it) {
  if (!collect(it)) return;
  if (!strcmp(via, "socks5")) {
    if (it->received < 10) return;
    if (it->head[1] != 0) return replace(it, true);
  } else {
    if (!strstr(it->head, "\r\n\r\n")) return;
    if (strncmp(it->head + 8, " 200", 4)) return replace(it, true);
  }
  rest(it, it->started);
}

static void on_answered(Connection *it) {
  uint64_t latency = (now() - it->started) * 1e6;
  latencies[latency < SLOWEST ? latency : SLOWEST]++;
  units++;
  it->served++;
  if (!strcmp(kind, "get")) {
    it->received = 0;
    rest(it, now());
  } else if (!strcmp(kind, "short")) {
    it->stage = ENDING;
  } else {
    it->stage = HOLDING;
    held++;
  }
}

static void on_answer(Connection *it) {
  if (it->left < 0) {
    if (!collect(it)) return;
    char *end = strstr(it->head, "\r\n\r\n");
    if (!end) return;
    char *length = strcasestr(it->head, "\r\ncontent-length:");
    if (strncmp(it->head + 8, " 200", 4) || !length || length > end) return replace(it, true);
    it->left = atol(length + 17) - (it->received - (end + 4 - it->head));
  }
  while (it->left > 0) {
    ssize_t count = take(it, payload, it->left < BULK ? it->left : BULK);
    if (must_wait(count)) return;
    if (count <= 0) return replace(it, true);
    it->left -= count;
    bytes += count;
  }
  on_answered(it);
}

static void on_bulk(Connection *it) {
  for (int turn = 0; turn < 4; turn++) {
    bool up = !strcmp(kind, "up");
    ssize_t count = up ? give(it, payload, BULK) : take(it, payload, BULK);
    if (must_wait(count)) return;
    if (count <= 0) return replace(it, true);
    bytes += count;
  }
}

static void on_end(Connection *it) {
  ssize_t count = take(it, payload, BULK);
  if (must_wait(count)) return;
  if (it->stage == HOLDING) held--;
  replace(it, count != 0 || it->stage == HOLDING);
}

// Sends the requests that are due, on connections that have nothing to do. Returns how long to wait for events.
static double keep_pace(Connection *all, int count, double begin) {
  static int next;
  static uint64_t asked;
  for (int looked = 0; looked < count; looked++) {
    double due = begin + (double)asked / rate, left = due - now();
    if (left > 0) return left < PATIENCE ? left : PATIENCE;
    Connection *it = &all[next++ % count];
    if (it->stage != RESTING) continue;
    asked++;
    ask(it, due);
  }
  return PATIENCE;
}

static void step(Connection *it) {
  switch (it->stage) {
    case CONNECTING: return on_connected(it);
    case SECURING: return secure(it);
    case GREETED: return on_greeting(it);
    case ASKED: return on_reply(it);
    case RESTING: return (void)collect(it);
    case WORKING: return bulk ? on_bulk(it) : on_answer(it);
    case ENDING:
    case HOLDING: return on_end(it);
  }
}

static void prepare_request(void) {
  char prefix[64] = "";
  if (!strcmp(via, "http")) sprintf(prefix, "http://127.0.0.1:%d", origin);
  char path[32];
  sprintf(path, bulk ? !strcmp(kind, "up") ? "/sink" : "/stream" : "/%d", size);
  char length[64] = "";
  if (body > 0) sprintf(length, "Content-Length: %d\r\n", body);
  request_length = snprintf(request, MAX_HEAD, "%s %s%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s%s%s\r\n",
    body > 0 || !strcmp(kind, "up") ? "POST" : "GET", prefix, path, origin, fields, length,
    !strcmp(kind, "short") ? "Connection: close\r\n" : "");
  if (request_length >= MAX_HEAD || body > MAX_BODY) exit(2);
  memset(request + request_length, 'x', body);
  request_length += body;
}

// The connections speak plainly if this is not called.
static void prepare_tls(void) {
  security = SSL_CTX_new(TLS_client_method());
  if (!security) exit(1);
}

// Returns how many arguments were options; the others are behind them.
static int read_options(int count, char **words) {
  static const struct option options[] = {
    { "size", required_argument, NULL, 's' },
    { "rate", required_argument, NULL, 'r' },
    { "body", required_argument, NULL, 'b' },
    { "fields", required_argument, NULL, 'f' },
    { "tls", no_argument, NULL, 't' },
    { 0 },
  };
  int letter;
  while ((letter = getopt_long(count, words, "", options, NULL)) != -1) {
    if (letter == 's') size = atoi(optarg);
    else if (letter == 'r') rate = atoi(optarg);
    else if (letter == 'b') body = atoi(optarg);
    else if (letter == 'f') fields = optarg;
    else if (letter == 't') prepare_tls();
    else exit(2);
  }
  return optind - 1;
}

static uint64_t percentile(double part) {
  uint64_t before = 0;
  for (uint64_t i = 0; i <= SLOWEST; i++) {
    before += latencies[i];
    if (before > units * part) return i;
  }
  return 0;
}

static void report(double seconds) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  double cpu = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec;
  cpu += (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  printf("{\"seconds\":%.4f,\"units\":%lu,\"bytes\":%lu,\"errors\":%lu,\"reconnects\":%lu,\"held\":%d,"
    "\"p50\":%lu,\"p99\":%lu,\"cpu\":%.4f}\n",
    seconds, units, bytes, errors, reconnects, held, percentile(0.5), percentile(0.99), cpu);
  fflush(stdout);
}

int main(int count, char **words) {
  int skipped = read_options(count, words);
  words += skipped;
  if (count - skipped < 7) {
    fputs("client KIND VIA PROXY ORIGIN CONNECTIONS SECONDS [options]\n", stderr);
    return 2;
  }
  prepare();
  kind = words[1];
  via = words[2];
  proxy = atoi(words[3]);
  origin = atoi(words[4]);
  int connections = running = atoi(words[5]);
  double seconds = atof(words[6]);
  bulk = !strcmp(kind, "down") || !strcmp(kind, "up");
  bool holds = !strcmp(kind, "idle");
  latencies = calloc(SLOWEST + 1, sizeof *latencies);
  epoll = epoll_create1(0);
  prepare_request();
  Connection *all = calloc(connections, sizeof *all);
  int opened = 0;
  double begin = now();
  while (now() < begin + seconds && running > 0 && !(holds && held == running)) {
    // A hundred at a time: the queue of a listener is short.
    for (int i = 0; i < 100 && opened < connections; i++) {
      if (!holds || opened - held < 100) open_connection(&all[opened++]);
    }
    double wait = rate ? keep_pace(all, opened, begin + SETTLING) : PATIENCE;
    struct timespec time = { .tv_nsec = wait * 1e9 };
    struct epoll_event ready[256];
    int events = epoll_pwait2(epoll, ready, 256, &time, NULL);
    for (int i = 0; i < events; i++) step(ready[i].data.ptr);
  }
  report(now() - begin);
  if (holds) while (read(0, payload, BULK) > 0);
  for (int i = 0; i < opened; i++) if (all[i].fd >= 0) close_connection(&all[i], true);
  return 0;
}

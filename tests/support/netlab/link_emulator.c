/*
 * A link between two hosts made of network namespaces, for kernels without netem.
 *
 * Carries IP packets between two TUN devices. Each direction has a rate, a queue that drops what does
 * not fit, a delay, and losses by chance from a seed.
 *
 * usage: link_emulator NAMESPACE_A DEVICE_A NAMESPACE_B DEVICE_B BITS_PER_SECOND DELAY_US LOSS
 *        QUEUE_BYTES SEED
 *
 * Ends when it gets SIGTERM, or when its standard input ends.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
  PACKET_BYTES_MAX = 1600,
  PACKETS_MAX = 1 << 14,
  /* Packets taken from one side before the other gets its turn. */
  BURST = 64,
  /* An Ethernet header is billed too, so that the rate means what it means on a cable. */
  HEADER_BYTES = 14,
};

typedef struct {
  uint64_t due_ns;
  size_t length;
  unsigned char bytes[PACKET_BYTES_MAX];
} Packet;

typedef struct {
  double bits_per_second;
  uint64_t delay_ns;
  double loss;
  double queue_bytes;
} Link;

/* One direction: a ring of packets on their way. Positions only grow. */
typedef struct {
  int from, to;
  Packet *packets;
  uint32_t head, tail;
  /* When the last packet taken in has left the sender's interface. */
  uint64_t sent_ns;
} Direction;

static uint64_t random_state;

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Marsaglia's xorshift: in [0, 1). */
static double chance(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return (double)(random_state >> 11) / 9007199254740992.0;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int open_tun(const char *namespace, const char *device) {
  int handle = open(namespace, O_RDONLY | O_CLOEXEC);
  if (handle < 0 || setns(handle, CLONE_NEWNET) != 0) fail(namespace);
  close(handle);
  int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (tun < 0) fail("/dev/net/tun");
  struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", device);
  if (ioctl(tun, TUNSETIFF, &request) != 0) fail(device);
  return tun;
}

/* Delivers what is due; returns when the next packet is, or 0 where there is none. */
static uint64_t deliver(Direction *direction) {
  uint64_t now = now_ns();
  while (direction->head != direction->tail) {
    Packet *packet = &direction->packets[direction->head % PACKETS_MAX];
    if (packet->due_ns > now) return packet->due_ns;
    if (write(direction->to, packet->bytes, packet->length) < 0 && errno == EAGAIN) return now;
    direction->head++;
  }
  return 0;
}

static void take(Direction *direction, const Link *link) {
  for (int i = 0; i < BURST; i++) {
    bool is_full = direction->tail - direction->head >= PACKETS_MAX;
    unsigned char dropped[PACKET_BYTES_MAX];
    Packet *packet = &direction->packets[direction->tail % PACKETS_MAX];
    ssize_t length = read(direction->from, is_full ? dropped : packet->bytes, PACKET_BYTES_MAX);
    if (length <= 0) return;
    uint64_t now = now_ns();
    if (direction->sent_ns < now) direction->sent_ns = now;
    double waiting = (double)(direction->sent_ns - now) * 1e-9 * link->bits_per_second / 8;
    if (is_full || waiting > link->queue_bytes) continue;
    direction->sent_ns += (uint64_t)((double)(length + HEADER_BYTES) * 8e9 / link->bits_per_second);
    if (link->loss > 0 && chance() < link->loss) continue;
    packet->due_ns = direction->sent_ns + link->delay_ns;
    packet->length = (size_t)length;
    direction->tail++;
  }
}

/* Waits for packets, for the next one to be due, or for the end. */
static bool wait_for(struct pollfd *sources, uint64_t due_ns) {
  uint64_t now = now_ns();
  uint64_t left = due_ns > now ? due_ns - now : 0;
  struct timespec timeout = {.tv_sec = (time_t)(left / 1000000000u),
                             .tv_nsec = (long)(left % 1000000000u)};
  if (ppoll(sources, 3, due_ns ? &timeout : NULL, NULL) < 0 && errno != EINTR) fail("ppoll");
  char byte;
  return !(sources[2].revents & (POLLIN | POLLHUP)) || read(0, &byte, 1) > 0;
}

int main(int count, char **arguments) {
  if (count != 10) {
    fprintf(stderr, "link_emulator: nine arguments, see the source\n");
    return 2;
  }
  Link link = {.bits_per_second = atof(arguments[5]),
               .delay_ns = (uint64_t)(atof(arguments[6]) * 1000),
               .loss = atof(arguments[7]),
               .queue_bytes = atof(arguments[8])};
  random_state = strtoull(arguments[9], NULL, 10) * 0x9E3779B97F4A7C15u + 1;
  int a = open_tun(arguments[1], arguments[2]);
  int b = open_tun(arguments[3], arguments[4]);
  Direction directions[2] = {{.from = a, .to = b}, {.from = b, .to = a}};
  for (int i = 0; i < 2; i++) {
    directions[i].packets = calloc(PACKETS_MAX, sizeof(Packet));
    if (directions[i].packets == NULL) fail("calloc");
  }
  /* Due times are kept to microseconds even while the programs under test use every core. */
  prctl(PR_SET_TIMERSLACK, 1);
  setpriority(PRIO_PROCESS, 0, -15);
  printf("ready\n");
  fflush(stdout);
  struct pollfd sources[3] = {{.fd = a, .events = POLLIN}, {.fd = b, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
  uint64_t due = 0;
  while (wait_for(sources, due)) {
    due = 0;
    for (int i = 0; i < 2; i++) {
      if (sources[i].revents & POLLIN) take(&directions[i], &link);
      uint64_t next = deliver(&directions[i]);
      if (next != 0 && (due == 0 || next < due)) due = next;
    }
  }
  return 0;
}

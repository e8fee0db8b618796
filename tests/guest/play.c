/* A broadcast of its own: sends a transport stream at the pace of a number of bits a second.
 *
 *   CROSS-gcc -O2 -static -Wall -Wextra -Werror play.c -o play && ./play [-l] BITS FILE TO
 *
 * TO is a device that takes whole packets, as /dev/vidtv_inject, or udp:ADDRESS:PORT. -l: FILE again and again, the
 * continuity counters going on across the seams. The file is read into memory first, so that only the pace holds it up.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PACKET 188
/* What fits a datagram of Ethernet. */
#define CHUNK (7 * PACKET)

static unsigned char next_counter[0x2000];

static void fail(const char *what)
{
    fprintf(stderr, "play: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int open_target(const char *to)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    char host[64];
    unsigned port;
    int fd;

    if (sscanf(to, "udp:%63[0-9.]:%u", host, &port) != 2) {
        fd = open(to, O_WRONLY);
        if (fd < 0)
            fail(to);
        return fd;
    }
    address.sin_port = htons(port);
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
        fail(to);
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address))
        fail(to);
    return fd;
}

/* Has the counter of each packet follow the one before it on its PID. */
static void renumber(unsigned char *chunk, size_t bytes)
{
    unsigned char *packet;

    for (packet = chunk; packet < chunk + bytes; packet += PACKET) {
        unsigned char *counter = &next_counter[(packet[1] & 0x1f) << 8 | packet[2]];
        *counter = (*counter + (packet[3] >> 4 & 1)) & 0x0f;
        packet[3] = (packet[3] & 0xf0) | *counter;
    }
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static unsigned char *read_all(const char *path, size_t *size)
{
    struct stat about;
    unsigned char *bytes;
    size_t got = 0;
    ssize_t n;
    int fd = open(path, O_RDONLY);

    if (fd < 0 || fstat(fd, &about))
        fail(path);
    bytes = malloc(about.st_size);
    if (!bytes)
        fail("memory");
    while ((n = read(fd, bytes + got, about.st_size - got)) > 0)
        got += n;
    close(fd);
    *size = got - got % PACKET;
    if (!*size) {
        fprintf(stderr, "play: %s holds no packet\n", path);
        exit(1);
    }
    return bytes;
}

int main(int argc, char **argv)
{
    int repeat = 0, fd;
    unsigned long long sent = 0;
    unsigned char *bytes, chunk[CHUNK];
    double began, rate;
    size_t size, at = 0;

    if (argc > 1 && !strcmp(argv[1], "-l")) {
        repeat = 1;
        argv++;
        argc--;
    }
    if (argc != 4) {
        fputs("Usage: play [-l] BITS FILE TO\n", stderr);
        return 2;
    }
    rate = atof(argv[1]) / 8;
    bytes = read_all(argv[2], &size);
    fd = open_target(argv[3]);
    began = now();
    while (at < size) {
        size_t n = size - at < CHUNK ? size - at : CHUNK;
        double early;

        memcpy(chunk, bytes + at, n);
        if (repeat)
            renumber(chunk, n);
        /* A listener that is not there yet refuses datagrams: they are lost, as on any line. */
        if (write(fd, chunk, n) != (ssize_t)n && errno != ECONNREFUSED)
            fail(argv[3]);
        sent += n;
        at += n;
        if (at == size && repeat)
            at = 0;
        early = began + sent / rate - now();
        if (early > 0.002)
            usleep(early * 1e6);
    }
    return 0;
}

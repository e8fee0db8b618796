/* A broadcast of its own: sends a transport stream at the pace of a number of bits a second.
 *
 *   CROSS-gcc -O2 -static -Wall -Wextra -Werror play.c -o play && ./play [-l] BITS FILE TO
 *
 * TO is a device that takes whole packets, as /dev/vidtv_inject, or /dev/vidtv_inject@474000000 for one frequency; a video
 * device for output; or udp:ADDRESS:PORT. -l: FILE again and again, the
 * continuity counters going on across the seams. The file is read into memory first, so that only the pace holds it up.
 */
#define _FILE_OFFSET_BITS 64
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PACKET 188
/* What fits a datagram of Ethernet; and the buffer of an encoder, which knows nothing of packets. */
#define CHUNK (7 * PACKET)
#define BUFFER 32768

static unsigned char next_counter[0x2000];
static off_t frequency;
static size_t chunk = CHUNK;

static void fail(const char *what)
{
    fprintf(stderr, "play: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* An encoder of MPEG streams, as far as who reads it can tell. */
static void be_encoder(int fd)
{
    struct v4l2_format format = {.type = V4L2_BUF_TYPE_VIDEO_OUTPUT};

    chunk = BUFFER;
    format.fmt.pix.width = 1280;
    format.fmt.pix.height = 720;
    format.fmt.pix.pixelformat = V4L2_PIX_FMT_MPEG;
    format.fmt.pix.field = V4L2_FIELD_NONE;
    if (ioctl(fd, VIDIOC_S_FMT, &format) || format.fmt.pix.pixelformat != V4L2_PIX_FMT_MPEG)
        fail("VIDIOC_S_FMT");
}

static int open_target(const char *to)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    char host[64];
    unsigned port;
    int fd;

    if (sscanf(to, "udp:%63[0-9.]:%u", host, &port) != 2) {
        char path[64];
        const char *at = strchr(to, '@');
        snprintf(path, sizeof path, "%.*s", at ? (int)(at - to) : (int)strlen(to), to);
        frequency = at ? strtoul(at + 1, NULL, 10) : 0;
        fd = open(path, O_WRONLY);
        if (fd < 0)
            fail(to);
        if (!strncmp(to, "/dev/video", 10))
            be_encoder(fd);
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
static void renumber(unsigned char *bytes, size_t size)
{
    unsigned char *packet;

    for (packet = bytes; packet < bytes + size; packet += PACKET) {
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
    unsigned char *bytes;
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
        size_t n = size - at < chunk ? size - at : chunk;
        double early;

        if (repeat && !at)
            renumber(bytes, size);
        /* A listener that is not there yet refuses datagrams: they are lost, as on any line. */
        if ((frequency ? pwrite(fd, bytes + at, n, frequency) : write(fd, bytes + at, n)) != (ssize_t)n && errno != ECONNREFUSED)
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

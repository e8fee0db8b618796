/* What one TAP of a demux costs to read: by read() into memory of ours, or by buffers of the kernel's that are mapped.
 *
 *   CROSS-gcc -O2 -static -Wall -Wextra -Werror tap.c -o tap && ./tap read|mmap|copied FREQUENCY SECONDS
 *
 * Tunes adapter 0 to a DVB-T frequency, takes all PIDs of its mux and looks at the demux 100 times a second, as the box
 * does. read: into a ring of 4 MiB. mmap: looks at each packet's first byte where it lies. copied: the same, and then into
 * the ring, where viewers need it. Prints the bytes, what was lost and the CPU seconds for a GB.
 * The kernel needs DVB_MMAP for the last two.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/dvb/dmx.h>
#include <linux/dvb/frontend.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define PACKET 188
#define RING (4u << 20)
#define BUFFERS 32
/* Whole packets, and not much more than comes between two looks: a buffer is given when it is full. */
#define BUFFER (64 * PACKET)

static unsigned char ring[RING + BUFFER];
static unsigned char *mapped[BUFFERS];
static size_t head;
static unsigned long long total, lost;

static void fail(const char *what)
{
    fprintf(stderr, "tap: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void tune(unsigned frequency)
{
    struct dtv_property set[] = {
        {.cmd = DTV_CLEAR},
        {.cmd = DTV_DELIVERY_SYSTEM, .u.data = SYS_DVBT},
        {.cmd = DTV_FREQUENCY, .u.data = frequency},
        {.cmd = DTV_BANDWIDTH_HZ, .u.data = 8000000},
        {.cmd = DTV_MODULATION, .u.data = QAM_AUTO},
        {.cmd = DTV_INVERSION, .u.data = INVERSION_AUTO},
        {.cmd = DTV_TUNE},
    };
    struct dtv_properties all = {sizeof set / sizeof *set, set};
    enum fe_status status = 0;
    int tries, fd = open("/dev/dvb/adapter0/frontend0", O_RDWR);

    if (fd < 0 || ioctl(fd, FE_SET_PROPERTY, &all))
        fail("frontend");
    for (tries = 0; !(status & FE_HAS_LOCK) && tries < 100; tries++) {
        usleep(20000);
        if (ioctl(fd, FE_READ_STATUS, &status))
            fail("status");
    }
    if (!(status & FE_HAS_LOCK)) {
        fputs("tap: no lock\n", stderr);
        exit(1);
    }
}

static double cpu(void)
{
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    return used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

/* Has packets begin where they should. */
static void look(const unsigned char *bytes, size_t size)
{
    size_t at;

    for (at = 0; at < size; at += PACKET)
        lost += bytes[at] != 0x47;
    total += size;
}

static void drain_read(int fd)
{
    ssize_t n;

    for (;;) {
        n = read(fd, ring + head, BUFFER);
        if (n < 0 && errno == EOVERFLOW)
            lost++;
        else if (n <= 0)
            return;
        else {
            look(ring + head, n);
            head = (head + n) % RING;
        }
    }
}

static void drain_mapped(int fd, int copies)
{
    struct dmx_buffer buffer;

    for (;;) {
        memset(&buffer, 0, sizeof buffer);
        if (ioctl(fd, DMX_DQBUF, &buffer))
            return;
        if (copies) {
            memcpy(ring + head, mapped[buffer.index], buffer.bytesused);
            look(ring + head, buffer.bytesused);
            head = (head + buffer.bytesused) % RING;
        } else
            look(mapped[buffer.index], buffer.bytesused);
        if (ioctl(fd, DMX_QBUF, &buffer))
            fail("DMX_QBUF");
    }
}

static void map(int fd)
{
    struct dmx_requestbuffers request = {.count = BUFFERS, .size = BUFFER};
    unsigned i;

    if (ioctl(fd, DMX_REQBUFS, &request))
        fail("DMX_REQBUFS");
    for (i = 0; i < request.count && i < BUFFERS; i++) {
        struct dmx_buffer buffer = {.index = i};
        if (ioctl(fd, DMX_QUERYBUF, &buffer))
            fail("DMX_QUERYBUF");
        mapped[i] = mmap(NULL, buffer.length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, buffer.offset);
        if (mapped[i] == MAP_FAILED || ioctl(fd, DMX_QBUF, &buffer))
            fail("a buffer");
    }
}

int main(int argc, char **argv)
{
    struct dmx_pes_filter_params filter = {
        .pid = 0x2000, .input = DMX_IN_FRONTEND, .output = DMX_OUT_TSDEMUX_TAP, .pes_type = DMX_PES_OTHER};
    double began, before;
    int fd, reads;

    if (argc != 4) {
        fputs("Usage: tap read|mmap|copied FREQUENCY SECONDS\n", stderr);
        return 2;
    }
    reads = !strcmp(argv[1], "read");
    tune(atoi(argv[2]));
    fd = open("/dev/dvb/adapter0/demux0", O_RDWR | O_NONBLOCK);
    if (fd < 0)
        fail("demux");
    if (reads && ioctl(fd, DMX_SET_BUFFER_SIZE, BUFFERS * BUFFER))
        fail("DMX_SET_BUFFER_SIZE");
    if (ioctl(fd, DMX_SET_PES_FILTER, &filter))
        fail("DMX_SET_PES_FILTER");
    if (!reads)
        map(fd);
    if (ioctl(fd, DMX_START))
        fail("DMX_START");
    began = now();
    before = cpu();
    while (now() - began < atof(argv[3])) {
        usleep(10000);
        if (reads)
            drain_read(fd);
        else
            drain_mapped(fd, !strcmp(argv[1], "copied"));
    }
    printf("%s: %llu bytes, %llu losses, %.3f CPU s, %.2f CPU s/GB\n", argv[1], total, lost, cpu() - before,
           (cpu() - before) * 1e9 / (total ? total : 1));
    return 0;
}

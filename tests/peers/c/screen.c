/* What draws the box's screen, in one file of C: opens pairing, shows the PIN and the link, says yes to one question.
 *
 *   cc -Wall -Wextra -Werror screen.c -o screen && ./screen /run/stbcast/stbcast.sock
 *
 * It speaks the lines of JSON that src/local/mod.rs documents. A vendor's program has a JSON library; this one looks
 * for its fields by hand, which is enough for lines that the box writes. It has no television to tune, so it keeps the
 * tuner that a phone asks for; one that lets it go closes its frontend, answers true, and keeps this conversation.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096

static FILE *box_in, *box_out;
static char line[LINE_MAX_BYTES + 1];

static void fail(const char *what)
{
    fprintf(stderr, "screen: %s\n", what);
    exit(1);
}

/* The next line of the box, without its end. */
static const char *next_line(void)
{
    if (!fgets(line, sizeof line, box_in))
        fail("the box hung up");
    line[strcspn(line, "\n")] = 0;
    return line;
}

/* The value of a field, up to its quote, comma or brace; "" where the line has no such field. */
static const char *field(const char *name, char *value, size_t size)
{
    char key[64];
    const char *at;
    size_t length;

    value[0] = 0;
    snprintf(key, sizeof key, "\"%s\":", name);
    at = strstr(line, key);
    if (!at)
        return value;
    at += strlen(key);
    length = *at == '"' ? strcspn(++at, "\"") : strcspn(at, ",}");
    if (length >= size)
        length = size - 1;
    memcpy(value, at, length);
    value[length] = 0;
    return value;
}

static void ask(const char *request)
{
    if (fprintf(box_out, "%s\n", request) < 0 || fflush(box_out) != 0)
        fail("the box does not listen");
}

int main(int argc, char **argv)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char value[512], number[32], answer[96];
    int box, answered = 0;

    if (argc != 2 || strlen(argv[1]) >= sizeof address.sun_path)
        fail("usage: screen SOCKET");
    strcpy(address.sun_path, argv[1]);
    box = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (box < 0 || connect(box, (struct sockaddr *)&address, sizeof address) != 0)
        fail("no box listens there");
    box_in = fdopen(box, "r");
    box_out = fdopen(dup(box), "w");
    if (!box_in || !box_out)
        fail("no memory");
    next_line();
    if (strcmp(field("v", value, sizeof value), "1") != 0)
        fail("the box speaks another version");
    ask("{\"cmd\":\"events\"}");
    ask("{\"cmd\":\"pair\",\"mode\":\"both\",\"role\":\"owner\"}");
    for (;;) {
        next_line();
        if (strcmp(field("done", value, sizeof value), "false") == 0)
            fail(line);
        if (field("link", value, sizeof value)[0]) {
            printf("link %s\n", value);
            printf("PIN %s\n", field("pin", value, sizeof value));
        }
        field("event", value, sizeof value);
        if (strcmp(value, "ask") == 0) {
            printf("asked about '%s'\n", field("name", value, sizeof value));
            field("ask", number, sizeof number);
            snprintf(answer, sizeof answer, "{\"cmd\":\"answer\",\"ask\":%s,\"allow\":%s}", number,
                     answered++ ? "false" : "true");
            ask(answer);
        } else if (strcmp(value, "tuner-ask") == 0) {
            printf("asked for the tuner by '%s'\n", field("name", value, sizeof value));
            field("ask", number, sizeof number);
            snprintf(answer, sizeof answer, "{\"cmd\":\"answer\",\"ask\":%s,\"allow\":false}", number);
            ask(answer);
        } else if (strcmp(value, "paired") == 0) {
            printf("paired '%s'\n", field("name", value, sizeof value));
            return 0;
        } else if (strcmp(value, "pair-failed") == 0) {
            fail(field("why", value, sizeof value));
        }
        fflush(stdout);
    }
}

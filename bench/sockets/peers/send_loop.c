/* The lower bound: the same bytes to every connected socket with one send(2) each, and nothing else.
 *
 * send_loop CLIENT_PORT COMMAND_PORT: each client of the first port gets one frame at once, and then every published
 * frame. A frame is published on the second port as a 32-bit big-endian length and as many bytes. Frames that arrive
 * together leave in one send. */

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

enum { MAX_CLIENTS = 65536, ROOM = 1 << 20, EVENTS = 256 };

static int clients[MAX_CLIENTS];
static int client_count;
static unsigned char incoming[ROOM];
static size_t filled;
static const unsigned char welcome[] = {0x81, 2, 'i', 'n'};
static unsigned char outgoing[ROOM];

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static int listen_on(int port) {
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 1024) < 0)
        fail("listen");
    return listener;
}

static int accept_from(int listener) {
    int one = 1, accepted = accept(listener, NULL, NULL);
    if (accepted < 0)
        fail("accept");
    setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return accepted;
}

static void watch(int epoll, int descriptor) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = descriptor};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) < 0)
        fail("epoll_ctl");
}

/* Move the complete frames that have arrived to the front of `outgoing`; return their length. */
static size_t take_frames(void) {
    size_t at = 0, length = 0;
    while (filled - at >= 4) {
        uint32_t size;
        memcpy(&size, incoming + at, 4);
        size = ntohl(size);
        if (size > ROOM - 4) {
            fputs("a frame is too large\n", stderr);
            exit(1);
        }
        if (filled - at - 4 < size)
            break;
        memcpy(outgoing + length, incoming + at + 4, size);
        length += size;
        at += 4 + size;
    }
    memmove(incoming, incoming + at, filled - at);
    filled -= at;
    return length;
}

static void add_client(int client) {
    if (client_count == MAX_CLIENTS)
        fail("too many clients");
    clients[client_count++] = client;
    if (send(client, welcome, sizeof welcome, MSG_NOSIGNAL) != sizeof welcome)
        fail("send");
}

static void send_to_all(const unsigned char *bytes, size_t length) {
    for (int i = 0; i < client_count; i++)
        if (send(clients[i], bytes, length, MSG_NOSIGNAL) != (ssize_t)length)
            fail("send");
}

static void command(int descriptor) {
    ssize_t got = read(descriptor, incoming + filled, ROOM - filled);
    if (got < 0)
        fail("read");
    if (got == 0) {
        close(descriptor);
        return;
    }
    filled += got;
    size_t length = take_frames();
    if (length)
        send_to_all(outgoing, length);
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fputs("usage: send_loop CLIENT_PORT COMMAND_PORT\n", stderr);
        return 2;
    }
    int for_clients = listen_on(atoi(argv[1])), for_commands = listen_on(atoi(argv[2]));
    int epoll = epoll_create1(0);
    struct epoll_event events[EVENTS];
    watch(epoll, for_clients);
    watch(epoll, for_commands);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        if (count < 0 && errno != EINTR)
            fail("epoll_wait");
        for (int i = 0; i < count; i++) {
            int ready = events[i].data.fd;
            if (ready == for_commands)
                watch(epoll, accept_from(for_commands));
            else if (ready != for_clients)
                command(ready);
            else
                add_client(accept_from(for_clients));
        }
    }
}

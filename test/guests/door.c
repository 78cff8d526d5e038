/* Listens at a path, talks to a child of its own there, then to whoever connects: repeats what each says until one says how to end. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sockaddr_un place = {.sun_family = AF_UNIX};
static char said[4 << 20];

static void need(int ok, const char *what)
{
    if (ok) return;
    printf("%s: %s\n", what, strerror(errno));
    exit(1);
}

static int dial(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&place, sizeof place) == 0) return fd;
    close(fd);
    return -1;
}

static long hear(int fd)
{
    long length = 0, got;
    while ((got = read(fd, said + length, sizeof said - 1 - length)) > 0) length += got;
    need(got == 0, "read");
    said[length] = 0;
    return length;
}

static void say(int fd, const char *what, long length)
{
    for (long sent; length > 0; what += sent, length -= sent) need((sent = write(fd, what, length)) > 0, "write");
}

static void show_node(const char *when)
{
    struct stat node;
    need(lstat(place.sun_path, &node) == 0, "lstat");
    printf("%s: %o\n", when, node.st_mode);
}

static void inside(int listener)
{
    pid_t child = fork();
    if (child == 0) {
        int fd = dial();
        need(fd >= 0, "connect inside");
        say(fd, "hello", 5);
        shutdown(fd, SHUT_WR);
        hear(fd);
        printf("inside: %s\n", said);
        exit(0);
    }
    struct ucred who;
    socklen_t length = sizeof who;
    int fd = accept(listener, NULL, NULL);
    need(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length) == 0, "SO_PEERCRED");
    hear(fd);
    say(fd, who.pid == child ? "my child" : "a stranger", 8);
    close(fd);
    waitpid(child, NULL, 0);
}

static void write_until_it_fails(int fd)
{
    while (write(fd, "x", 1) == 1) usleep(1000);
    printf("gone: %s", strerror(errno));
    printf(", then %zd\n", read(fd, said, 1));
}

int main(int argc, char **argv)
{
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    signal(SIGPIPE, SIG_IGN);
    umask(027);
    strcpy(place.sun_path, argc > 1 ? argv[1] : "door");
    need(bind(listener, (struct sockaddr *)&place, sizeof place) == 0, "bind");
    show_node("bound");
    fflush(stdout);
    need(dial() < 0, "connects before listen");
    need(listen(listener, 5) == 0, "listen");
    show_node("listening");
    fflush(stdout);
    inside(listener);
    for (int open = 1; open;) {
        struct pollfd wait = {.fd = listener, .events = POLLIN};
        struct sockaddr_un peer, own;
        struct ucred who;
        socklen_t length = sizeof peer, own_length = sizeof own, who_length = sizeof who;
        printf("waiting\n");
        fflush(stdout);
        need(poll(&wait, 1, -1) == 1, "poll");
        int fd = accept(listener, (struct sockaddr *)&peer, &length);
        need(fd >= 0, "accept");
        need(getsockname(fd, (struct sockaddr *)&own, &own_length) == 0, "getsockname");
        need(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &who_length) == 0, "SO_PEERCRED");
        printf("peer of %u bytes, mine %s, pid %d uid %u gid %u\n", length,
               strcmp(own.sun_path, place.sun_path) == 0 ? "as bound" : "another", who.pid, who.uid, who.gid);
        long heard = hear(fd);
        printf("heard %ld bytes\n", heard);
        if (strcmp(said, "gone") == 0) write_until_it_fails(fd);
        else say(fd, said, heard);
        if (strcmp(said, "unlink") == 0) {
            need(unlink(place.sun_path) == 0, "unlink");
            printf("unlinked: %s\n", dial() < 0 ? strerror(errno) : "connected");
            open = 0;
        }
        if (strcmp(said, "close") == 0) {
            close(listener);
            printf("closed: %s\n", dial() < 0 ? strerror(errno) : "connected");
            open = 0;
        }
        close(fd);
    }
    printf("end\n");
    fflush(stdout);
    pause();
}

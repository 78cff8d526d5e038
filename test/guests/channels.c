/* Pipes, sockets, events and terminals, each used by two parties: what arrives is printed. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/select.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void need(int ok, const char *what)
{
    if (ok) return;
    printf("%s: %s\n", what, strerror(errno));
    exit(1);
}

static void *count(void *fd)
{
    char bytes[64];
    long total = 0, got;
    while ((got = read(*(int *)fd, bytes, sizeof bytes)) > 0) total += got;
    return (void *)total;
}

static void pipe_between_threads(void)
{
    int ends[2];
    pthread_t thread;
    void *total;
    need(pipe(ends) == 0, "pipe");
    need(pthread_create(&thread, NULL, count, &ends[0]) == 0, "thread");
    for (int i = 0; i < 2000; i++) need(write(ends[1], "0123456789abcdefghijklmnopqrstuvwxyz", 36) == 36, "write");
    close(ends[1]);
    pthread_join(thread, &total);
    printf("pipe: %ld bytes\n", (long)total);
}

static void broken_pipe(void)
{
    int ends[2];
    need(pipe(ends) == 0, "pipe");
    close(ends[0]);
    signal(SIGPIPE, SIG_IGN);
    printf("broken pipe: %s\n", write(ends[1], "x", 1) < 0 ? strerror(errno) : "taken");
}

static void shared_memory(void)
{
    int id = shmget(IPC_PRIVATE, 4096, 0600);
    int *shared = shmat(id, NULL, 0);
    need(shared != (void *)-1, "shmat");
    if (fork() == 0) {
        shared[7] = 4711;
        _exit(0);
    }
    wait(NULL);
    printf("shared memory: %d\n", shared[7]);
    shmdt(shared);
    shmctl(id, IPC_RMID, NULL);
}

static void send_descriptor(int socket, int fd)
{
    char control[CMSG_SPACE(sizeof fd)] = {0};
    struct iovec piece = {"!", 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    sendmsg(socket, &message, 0);
}

static int receive_descriptor(int socket)
{
    char control[CMSG_SPACE(sizeof(int))], byte;
    struct iovec piece = {&byte, 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    int fd = -1;
    need(recvmsg(socket, &message, 0) == 1, "recvmsg");
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    return fd;
}

static void descriptor_between_processes(void)
{
    int pair[2];
    char text[32] = {0};
    need(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0, "socketpair");
    if (fork() == 0) {
        int ends[2];
        need(pipe(ends) == 0, "pipe");
        need(write(ends[1], "through a pipe", 14) == 14, "write");
        send_descriptor(pair[1], ends[0]);
        _exit(0);
    }
    int fd = receive_descriptor(pair[0]);
    wait(NULL);
    need(read(fd, text, sizeof text - 1) > 0, "read");
    printf("descriptor: %s\n", text);
}

static void watch(int epoll, int fd, int number)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = number};
    need(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
}

static void events(void)
{
    struct epoll_event told[8];
    struct itimerspec soon = {.it_value = {0, 10000000}};
    sigset_t set;
    int epoll = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, 0), counter = eventfd(0, EFD_NONBLOCK);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int signals = signalfd(-1, &set, 0);
    watch(epoll, timer, 1);
    watch(epoll, signals, 2);
    watch(epoll, counter, 4);
    printf("events before: %d\n", epoll_wait(epoll, told, 8, 0));
    eventfd_write(counter, 3);
    kill(getpid(), SIGUSR1);
    timerfd_settime(timer, 0, &soon, NULL);
    int sum = 0;
    while (sum != 7) {
        int ready = epoll_wait(epoll, told, 8, -1);
        sum = 0;
        for (int i = 0; i < ready; i++) sum += told[i].data.u32;
    }
    struct signalfd_siginfo info;
    uint64_t value, expiries;
    need(read(signals, &info, sizeof info) == sizeof info, "signalfd");
    need(read(timer, &expiries, 8) == 8 && read(counter, &value, 8) == 8, "read");
    printf("events: signal %d from %s, timer %d, counter %d\n", info.ssi_signo, info.ssi_pid == (unsigned)getpid() ? "me" : "?",
                  (int)expiries, (int)value);
}

static void stream_socket(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    need(bind(listener, (void *)&address, sizeof address) == 0 && listen(listener, 5) == 0, "listen");
    getsockname(listener, (void *)&address, &length);
    int begun = connect(client, (void *)&address, sizeof address);
    printf("connect: %s\n", begun == 0 || errno == EINPROGRESS ? "begun" : strerror(errno));
    int server = accept(listener, NULL, NULL);
    struct pollfd poller = {.fd = client, .events = POLLOUT};
    need(poll(&poller, 1, -1) == 1, "poll");
    char text[16] = {0};
    need(write(client, "question", 8) == 8 && read(server, text, 15) == 8, "question");
    printf("stream: %s\n", text);
    shutdown(client, SHUT_WR);
    printf("end: %d\n", (int)read(server, text, 15));
    need(write(server, "answer", 6) == 6, "answer");
    close(server);
    poller.events = POLLIN;
    poll(&poller, 1, -1);
    printf("back: %d bytes\n", (int)recv(client, text, 15, 0));
}

static void datagram_socket(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, from;
    socklen_t length = sizeof address;
    char text[16] = {0};
    int receiver = socket(AF_INET, SOCK_DGRAM, 0), sender = socket(AF_INET, SOCK_DGRAM, 0);
    need(bind(receiver, (void *)&address, sizeof address) == 0, "bind");
    getsockname(receiver, (void *)&address, &length);
    need(connect(sender, (void *)&address, sizeof address) == 0 && send(sender, "datagram", 8, 0) == 8, "send");
    length = sizeof from;
    int got = recvfrom(receiver, text, sizeof text, 0, (void *)&from, &length);
    printf("datagram: %d %s from %s\n", got, text, inet_ntoa(from.sin_addr));
}

static void named_socket_and_fifo(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "named.socket"};
    struct stat stat;
    char text[16] = {0};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    need(bind(listener, (void *)&name, sizeof name) == 0 && listen(listener, 1) == 0, "bind");
    need(lstat(name.sun_path, &stat) == 0, "lstat");
    printf("node: %o\n", stat.st_mode & S_IFMT);
    int client = socket(AF_UNIX, SOCK_STREAM, 0);
    need(connect(client, (void *)&name, sizeof name) == 0 && write(client, "by name", 7) == 7, "connect");
    int server = accept(listener, NULL, NULL);
    need(read(server, text, 15) == 7, "read");
    printf("named: %s\n", text);
    unlink(name.sun_path);
    need(mkfifo("fifo", 0600) == 0, "mkfifo");
    if (fork() == 0) {
        int fd = open("fifo", O_WRONLY);
        _exit(write(fd, "by fifo", 7) != 7);
    }
    int fd = open("fifo", O_RDONLY);
    memset(text, 0, sizeof text);
    need(read(fd, text, 15) == 7, "fifo");
    wait(NULL);
    printf("fifo: %s, then %d\n", text, (int)read(fd, text, 15));
    unlink("fifo");
}

static void terminal(void)
{
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    char text[512] = {0};
    int master, status, length = 0, got;
    pid_t child = forkpty(&master, NULL, NULL, &size);
    need(child >= 0, "forkpty");
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", "stty size; read word; echo got $word; exit 3", (char *)NULL);
        _exit(127);
    }
    need(write(master, "wrong\x15right\n", 12) == 12, "type");
    while ((got = read(master, text + length, sizeof text - 1 - length)) > 0) length += got;
    waitpid(child, &status, 0);
    char *answer = strstr(text, "got ");
    printf("terminal: %s, %.9s, status %d\n", strstr(text, "24 80") ? "24 80" : "?", answer ? answer : "nothing", WEXITSTATUS(status));
}

static void file_events(void)
{
    char events[512];
    int notify = inotify_init1(0);
    need(mkdir("watched", 0700) == 0, "mkdir");
    inotify_add_watch(notify, "watched", IN_CREATE | IN_CLOSE_WRITE | IN_DELETE);
    close(open("watched/file", O_CREAT | O_WRONLY, 0600));
    unlink("watched/file");
    rmdir("watched");
    int length = read(notify, events, sizeof events);
    for (int at = 0; at < length;) {
        struct inotify_event *event = (void *)(events + at);
        printf("file event: %x %s\n", event->mask, event->len ? event->name : "");
        at += sizeof *event + event->len;
    }
}

static void limits_of_time(void)
{
    struct timeval limit = {0, 20000};
    int ready = select(0, NULL, NULL, NULL, &limit);
    printf("select: %d, %s\n", ready, limit.tv_usec == 0 ? "nothing left" : "time left");
    int pair[2];
    char byte;
    need(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair");
    limit.tv_usec = 20000;
    setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    printf("receive: %s\n", recv(pair[0], &byte, 1, 0) < 0 ? strerror(errno) : "something");
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    pipe_between_threads();
    broken_pipe();
    shared_memory();
    descriptor_between_processes();
    events();
    stream_socket();
    datagram_socket();
    named_socket_and_fifo();
    terminal();
    file_events();
    limits_of_time();
    return 0;
}

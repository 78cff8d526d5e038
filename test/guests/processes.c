/* fork, exec, wait and pipes; every line is written by one process at a time. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static volatile sig_atomic_t children_died;

static void on_child(int number)
{
    children_died += number == SIGCHLD;
}

static void report(const char *what, pid_t pid)
{
    int status = 0;
    pid_t got = waitpid(pid, &status, 0);
    printf("%s: waited %d exited %d code %d signalled %d by %d\n", what, got == pid, WIFEXITED(status),
           WIFEXITED(status) ? WEXITSTATUS(status) : -1, WIFSIGNALED(status), WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

static void plain(void)
{
    int private = 1;
    int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t parent = getpid();
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        private = 2;
        *shared = getppid() == parent ? 33 : 44;
        _exit(private + 3);
    }
    report("fork", child);
    printf("private %d shared %d\n", private, *shared);
    fflush(stdout);
    child = fork();
    if (child == 0) {
        signal(SIGTERM, SIG_DFL);
        for (;;)
            pause();
    }
    kill(child, SIGTERM);
    report("killed", child);
    fflush(stdout);
    child = vfork();
    if (child == 0)
        _exit(77);
    report("vfork", child);
    int waited = wait(NULL);
    printf("no more children %d %d\n", waited, errno == ECHILD);
}

static void pipeline(const char *self)
{
    int channel[2];
    if (pipe(channel) != 0)
        exit(9);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        dup2(channel[1], 1);
        close(channel[0]);
        close(channel[1]);
        execl(self, self, "child", "with arguments", (char *)NULL);
        _exit(99);
    }
    close(channel[1]);
    char text[4096];
    size_t length = 0;
    for (ssize_t got; (got = read(channel[0], text + length, sizeof text - 1 - length)) > 0;)
        length += (size_t)got;
    text[length] = 0;
    close(channel[0]);
    printf("through the pipe: %s", text);
    report("exec", child);
}

/* More than a pipe holds, so the writer has to wait for the reader. */
static void bulk(void)
{
    int channel[2];
    if (pipe(channel) != 0)
        exit(9);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        close(channel[0]);
        char block[10000];
        for (int i = 0; i < 40; i++) {
            memset(block, 'a' + i % 26, sizeof block);
            if (write(channel[1], block, sizeof block) != sizeof block)
                _exit(1);
        }
        _exit(0);
    }
    close(channel[1]);
    unsigned long sum = 0, length = 0;
    unsigned char block[777];
    for (ssize_t got; (got = read(channel[0], block, sizeof block)) > 0; length += (unsigned long)got)
        for (ssize_t i = 0; i < got; i++)
            sum = sum * 31 + block[i];
    close(channel[0]);
    printf("bulk %lu %lx\n", length, sum);
    report("writer", child);
}

static void broken_pipe(void)
{
    int channel[2];
    if (pipe(channel) != 0)
        exit(9);
    close(channel[0]);
    signal(SIGPIPE, SIG_IGN);
    ssize_t written = write(channel[1], "x", 1);
    printf("broken pipe %zd %s\n", written, strerror(errno));
    signal(SIGPIPE, SIG_DFL);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        _exit((int)write(channel[1], "x", 1));
    report("killed by the pipe", child);
    close(channel[1]);
}

static void spawned(void)
{
    pid_t child;
    char *arguments[] = { "sh", "-c", "exit 12", NULL };
    fflush(stdout);
    printf("spawn %d\n", posix_spawn(&child, "/bin/sh", NULL, NULL, arguments, environ));
    report("spawned", child);
    printf("missing %d\n", posix_spawnp(&child, "no-such-program-here", NULL, NULL, arguments, environ) == ENOENT);
    fflush(stdout);
    printf("system %d\n", WEXITSTATUS(system("echo from the shell; exit 3")));
    FILE *stream = popen("echo one; echo two", "r");
    char line[64];
    while (fgets(line, sizeof line, stream))
        printf("popen %s", line);
    printf("closed %d\n", pclose(stream));
}

static void noticed(void)
{
    sigset_t set, old;
    signal(SIGCHLD, on_child);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, &old);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        _exit(5);
    while (!children_died)
        sigsuspend(&old);
    siginfo_t info;
    printf("waitid %d", waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT));
    printf(" status %d code %d\n", info.si_status, info.si_code == CLD_EXITED);
    report("noticed", child);
    sigprocmask(SIG_SETMASK, &old, NULL);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "child") == 0) {
        printf("%d arguments, the last is \"%s\"\n", argc, argv[argc - 1]);
        return 21;
    }
    plain();
    pipeline(argv[0]);
    bulk();
    broken_pipe();
    spawned();
    noticed();
    return 0;
}

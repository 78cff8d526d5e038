/* What processes in nested pid namespaces see of themselves and of each other. Needs CAP_SYS_ADMIN. Prints no number that depends on the machine. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int sender = -1;

static void note(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    sender = info->si_pid;
}

/* The numbers behind a name in /proc/self/status but for the outermost, which is the machine's. */
static void show_numbers(const char *who, const char *name)
{
    char line[256];
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, name, strlen(name)) != 0) continue;
        char *inner = strchr(line, '\t');
        inner = inner ? strchr(inner + 1, '\t') : NULL;
        printf("%s: %s%s", who, name, inner ? inner : " none inside\n");
    }
    if (file) fclose(file);
}

static void as_grandchild(void)
{
    printf("grandchild: pid %d, parent %d, tid %ld\n", getpid(), getppid(), syscall(SYS_gettid));
    show_numbers("grandchild", "NSpid");
    printf("grandchild: kill its init: %d\n", kill(1, SIGKILL));
    kill(1, SIGUSR1);
    fflush(stdout);
    _exit(7);
}

static void as_orphan(void)
{
    if (fork() == 0) {
        while (getppid() != 1) usleep(100);
        printf("orphan: pid %d, parent %d\n", getpid(), getppid());
        fflush(stdout);
        _exit(9);
    }
    _exit(8);
}

/* Process 1 of its namespace. */
static int as_init(void)
{
    printf("init: pid %d, parent %d, group %s, session %s\n", getpid(), getppid(), getpgrp() ? "seen" : "not seen", getsid(0) ? "seen" : "not seen");
    show_numbers("init", "NSpid");
    show_numbers("init", "NStgid");
    struct sigaction action = { .sa_sigaction = note, .sa_flags = SA_SIGINFO };
    sigaction(SIGUSR1, &action, NULL);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) as_grandchild();
    int status = 0;
    pid_t ended;
    while ((ended = waitpid(child, &status, 0)) < 0 && errno == EINTR) ;
    printf("init: child %d, ended %d with %d, signal from %d\n", child, ended, WEXITSTATUS(status), sender);
    fflush(stdout);
    if (fork() == 0) as_orphan();
    for (int i = 0; i < 2; i++) {
        while ((ended = wait(&status)) < 0 && errno == EINTR) ;
        printf("init: %d ended with %d\n", ended, WEXITSTATUS(status));
    }
    int nobody = kill(999, 0);
    printf("init: kill what is not here: %d %s\n", nobody, strerror(errno));
    printf("init: setsid %d, group %d\n", setsid(), getpgrp());
    fflush(stdout);
    /* It ends with the namespace. */
    if (fork() == 0) for (;;) pause();
    return 3;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOFBF, 4096);
    int before = getpid();
    if (unshare(CLONE_NEWPID) != 0) {
        printf("unshare: %s\n", strerror(errno));
        return 77;
    }
    printf("outside: the same pid %d, again %d\n", getpid() == before, unshare(CLONE_NEWPID));
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) _exit(as_init());
    int status = 0;
    pid_t ended = waitpid(child, &status, 0);
    printf("outside: its child %d ended with %d\n", ended == child, WEXITSTATUS(status));
    pid_t more = fork();
    printf("outside: one more %d %s\n", more, strerror(errno));
    return 0;
}

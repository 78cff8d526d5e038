/* Ends in the way that its argument names, after a line of output. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void said_at_exit(void)
{
    printf("at exit\n");
}

int main(int argc, char **argv)
{
    const char *way = argc > 1 ? argv[1] : "return";
    struct rlimit no_core = { 0, 0 };
    setrlimit(RLIMIT_CORE, &no_core);
    atexit(said_at_exit);
    printf("about to %s\n", way);
    fflush(stdout);
    volatile int zero = 0;
    int *volatile nowhere = (int *)8;
    if (strcmp(way, "exit") == 0)
        exit(300);
    if (strcmp(way, "_exit") == 0)
        _exit(3);
    if (strcmp(way, "abort") == 0)
        abort();
    if (strcmp(way, "segv") == 0)
        *nowhere = 1;
    if (strcmp(way, "fpe") == 0)
        zero = 1 / zero;
    if (strcmp(way, "ill") == 0)
        __builtin_trap();
    if (strcmp(way, "term") == 0)
        raise(SIGTERM);
    if (strcmp(way, "kill") == 0)
        kill(getpid(), SIGKILL);
    if (strcmp(way, "usr1") == 0)
        raise(SIGUSR1);
    return 5;
}

/*
 * Counts the instructions of a program by single-stepping it: the oracle for exact counts.
 *
 *     singlestep PROGRAM [ARGUMENTS]
 *
 * Prints "N instructions retired" on standard error and ends with the program's status (128 + signal when killed).
 *
 * What a stop means (arch/x86/kernel/traps.c, kernel/entry/common.c and kernel/signal.c of Linux):
 *   SIGTRAP with TRAP_TRACE     the processor's trap after one instruction, or one iteration of a REP instruction
 *   SIGTRAP with TRAP_BRKPT     the same for a system call, whose trap the kernel raises on the way out of it
 *   SIGTRAP with SI_KERNEL      the program's own int3, which has completed
 *   SIGTRAP with code SIGTRAP   a signal frame has been built and the thread stands on the first instruction of its
 *                               handler: no instruction ran
 *   any other signal            about to be delivered: no instruction ran; the one that faulted never completed
 *   the end of the process      when we let it run without a signal, the call that ended it ran;
 *                               when we passed it a signal, that killed it and nothing ran
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what)
{
    perror(what);
    exit(120);
}

/* What a stop adds to the count; *deliver becomes the signal to go on with. */
static int retired_by(pid_t child, int signal, long *deliver)
{
    siginfo_t info;
    *deliver = signal;
    if (signal != SIGTRAP)
        return 0;
    if (ptrace(PTRACE_GETSIGINFO, child, NULL, &info) != 0)
        die("PTRACE_GETSIGINFO");
    if (info.si_code == SI_KERNEL)
        return 1;
    if (info.si_code != TRAP_TRACE && info.si_code != TRAP_BRKPT && info.si_code != SIGTRAP)
        return 0; /* sent with kill */
    *deliver = 0;
    return info.si_code != SIGTRAP;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 121;
    pid_t child = fork();
    if (child == 0) {
        personality(ADDR_NO_RANDOMIZE);
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
            die("PTRACE_TRACEME");
        execv(argv[1], argv + 1);
        die(argv[1]);
    }
    int status;
    if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
        die("exec");
    ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_EXITKILL);

    unsigned long instructions = 0;
    long deliver = 0;
    for (;;) {
        if (ptrace(PTRACE_SINGLESTEP, child, NULL, deliver) != 0)
            die("PTRACE_SINGLESTEP");
        if (waitpid(child, &status, 0) != child)
            die("waitpid");
        if (!WIFSTOPPED(status))
            break;
        instructions += (unsigned long)retired_by(child, WSTOPSIG(status), &deliver);
    }
    instructions += deliver == 0;
    fprintf(stderr, "%lu instructions retired\n", instructions);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

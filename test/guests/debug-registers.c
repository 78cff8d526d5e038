/*
 * Whether this machine's debug registers work, which some virtual machines lack without saying so: exits 0 when a
 * write to a watched variable stops a child, 1 when the child runs through.
 */
#include <stddef.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int watched;

int main(void) {
    pid_t child = fork();
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        watched = 1;
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    ptrace(PTRACE_POKEUSER, child, offsetof(struct user, u_debugreg[0]), &watched);
    /* DR7: four bytes (11), on writes (01), in the first register, for this task (L0). */
    ptrace(PTRACE_POKEUSER, child, offsetof(struct user, u_debugreg[7]), 0xd0001);
    ptrace(PTRACE_CONT, child, NULL, NULL);
    waitpid(child, &status, 0);
    int works = WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP;
    kill(child, SIGKILL);
    return works ? 0 : 1;
}

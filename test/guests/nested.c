/*
 * Processes of several users and in a nested pid namespace, each calling `probed` over and over until it is told to execute another program.
 * Started by root: `nested PROGRAM`, where PROGRAM is what they execute then. Their parent ends them when they are done.
 */
#define _GNU_SOURCE
#include <grp.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/** Set from outside: 1 executes PROGRAM, 2 ends. */
volatile uint64_t order;

__attribute__((noinline)) void probed(void) { __asm__ volatile("" ::: "memory"); }

static void spin(const char *program)
{
    while (order == 0) {
        probed();
        sched_yield();
    }
    if (order == 1) execl(program, program, program, "spin", NULL);
    _exit(0);
}

static void become(int id)
{
    if (setgroups(0, NULL) != 0 || setresgid(id, id, id) != 0 || setresuid(id, id, id) != 0) _exit(77);
}

int main(int argc, char **argv)
{
    if (argc > 2) spin(argv[1]);
    /* Two of an ordinary user: exec makes them dumpable again. */
    for (int i = 0; i < 2; i++) {
        if (fork() == 0) {
            become(1234);
            execl(argv[0], argv[0], argv[1], "spin", NULL);
            _exit(3);
        }
    }
    if (unshare(CLONE_NEWPID) != 0) return 77;
    if (fork() == 0) {
        for (int i = 2; i <= 5; i++)
            if (fork() == 0) spin(argv[1]);
        spin(argv[1]);
    }
    spin(argv[1]);
}

/* A program to probe: nested calls with known arguments, library calls, children, and a tail of threads' work. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((noinline)) long price(long item, long count)
{
    __asm__ volatile("" ::: "memory");
    return item * 10 + count;
}

__attribute__((noinline)) long total(int depth)
{
    __asm__ volatile("" ::: "memory");
    return depth == 0 ? 0 : price(depth, 1) + total(depth - 1);
}

int main(int argc, char **argv)
{
    long sum = total(5);
    for (int i = 0; i < 4; i++) {
        char *name = malloc(100 + i);
        strcpy(name, "ware");
        sum += (long)strlen(name);
        free(name);
    }
    if (argc > 1 && strcmp(argv[1], "fork") == 0) {
        pid_t child = fork();
        if (child == 0) _exit((int)(price(1, 2) & 0x7f));
        int status;
        waitpid(child, &status, 0);
        sum += WEXITSTATUS(status);
    }
    return (int)(sum & 0x7f);
}

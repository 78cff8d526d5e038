/* A program to probe: nested calls with known arguments, library calls, children, and a tail of threads' work. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* DTRACE_PROBE2(shop, sold, item, count) of sys/sdt.h, written out, with a semaphore: the header need not be installed. */
__attribute__((section(".probes"))) volatile unsigned short shop_sold_semaphore;
long announced;

#define SOLD(item, count)                                                                                              \
    __asm__ volatile("990: nop\n"                                                                                      \
                     " .pushsection .note.stapsdt, \"?\", \"note\"\n .balign 4\n .4byte 992f-991f, 994f-993f, 3\n"       \
                     "991: .asciz \"stapsdt\"\n992: .balign 4\n993: .8byte 990b\n .8byte _.stapsdt.base\n"              \
                     " .8byte shop_sold_semaphore\n .asciz \"shop\"\n .asciz \"sold\"\n .asciz \"-8@%0 -8@%1\"\n"       \
                     "994: .balign 4\n .popsection\n"                                                                  \
                     " .ifndef _.stapsdt.base\n .pushsection .stapsdt.base, \"aG\", \"progbits\", .stapsdt.base, comdat\n"  \
                     " .weak _.stapsdt.base\n .hidden _.stapsdt.base\n_.stapsdt.base: .space 1\n"                       \
                     " .size _.stapsdt.base, 1\n .popsection\n .endif\n"                                               \
                     :                                                                                                 \
                     : "r"(item), "r"(count))

__attribute__((noinline)) long price(long item, long count)
{
    if (shop_sold_semaphore) announced++;
    SOLD(item, count);
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

/* Calls a function before and after it has unmapped everything in front of its text. */
#include "bare.h"

__attribute__((noinline)) static long step(long sum)
{
    __asm__ volatile("" : "+r"(sum));
    return sum + 1;
}

int program(void)
{
    long sum = step(0);
    if (call(SYS_munmap, 0x10000, 0x3f0000, 0, 0) != 0) return 100;
    return (int)step(sum);
}

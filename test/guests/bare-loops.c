/* Loops, calls, recursion, branches that depend on data, division, SSE. */
#include "bare.h"

static volatile unsigned char composite[2000];

#include "counting.h"

int program(void)
{
    volatile unsigned result = fibonacci(14);
    for (unsigned n = 1; n < 60; n++)
        result += collatz(n);
    result += sieve();
    volatile double sum = 0;
    for (int i = 1; i < 200; i++)
        sum += 1.0 / i;
    __asm__ volatile("mov $100, %%ecx\n1: loop 1b\n xor %%ecx, %%ecx\n jrcxz 2f\n nop\n2:" : : : "rcx");
    return (int)((result + (unsigned)sum) % 200);
}

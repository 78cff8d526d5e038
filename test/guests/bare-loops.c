/* Loops, calls, recursion, branches that depend on data, division, SSE. */
#include "bare.h"

static unsigned fibonacci(unsigned n)
{
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static unsigned collatz(unsigned n)
{
    unsigned steps = 0;
    for (; n != 1; steps++)
        n = n % 2 ? 3 * n + 1 : n / 2;
    return steps;
}

static unsigned sieve(void)
{
    static volatile unsigned char composite[2000];
    unsigned primes = 0;
    for (unsigned i = 2; i < sizeof composite; i++) {
        if (composite[i])
            continue;
        primes++;
        for (unsigned j = 2 * i; j < sizeof composite; j += i)
            composite[j] = 1;
    }
    return primes;
}

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

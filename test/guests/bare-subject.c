/* What the packet scripts of test/gdb/packets debug: functions to stop in, memory to look at, signals on request, one thread and no library. */
#include "bare.h"

#define FUNCTION __attribute__((noinline, noclone))

volatile unsigned char composite[200] = { 1, 1 };
volatile int handled;

#include "counting.h"

void count(int number, struct info *info, struct context *context)
{
    (void)info;
    (void)context;
    handled += number;
}

FUNCTION void signals(void)
{
    handle(SIGUSR1, count, 0);
    handle(SIGUSR2, count, SA_NODEFER);
    for (int i = 0; i < 3; i++)
        raise_signal(SIGUSR1);
    raise_signal(SIGUSR2);
    raise_signal(SIGUSR1);
}

int program(void)
{
    unsigned result = fibonacci(5);
    for (unsigned n = 1; n < 9; n++)
        result += collatz(n);
    result += sieve();
    volatile double sum = 0;
    for (int i = 1; i < 20; i++)
        sum += 1.0 / i;
    signals();
    return (int)((result + (unsigned)sum + (unsigned)handled) % 100);
}

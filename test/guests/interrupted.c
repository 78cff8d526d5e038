/* A function that is called from a signal handler, which a signal in the middle of another function has called. */
#include <signal.h>

static volatile sig_atomic_t seen;

__attribute__((noinline)) void inside(void)
{
    seen++;
}

static void handler(int signal)
{
    (void)signal;
    inside();
    __asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) void raiser(volatile int *count)
{
    raise(SIGUSR1);
    (*count)++;
}

int main(void)
{
    volatile int count = 0;
    signal(SIGUSR1, handler);
    raiser(&count);
    return count - 1 + seen - 1;
}

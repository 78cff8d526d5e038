/* Signals that a program sends itself: entering a handler retires nothing, the way back is a system call. */
#include "bare.h"

static volatile int seen, depth;

static void count(int number, struct info *info, struct context *context)
{
    (void)info;
    (void)context;
    seen += number;
}

static void nest(int number, struct info *info, struct context *context)
{
    count(number, info, context);
    if (++depth < 4)
        raise_signal(number);
    raise_signal(SIGUSR1);
}

int program(void)
{
    handle(SIGUSR1, count, 0);
    for (int i = 0; i < 5; i++)
        raise_signal(SIGUSR1);
    handle(SIGUSR2, nest, SA_NODEFER);
    raise_signal(SIGUSR2);

    /* Blocked, sent twice, delivered once on the way out of the call that unblocks it. */
    unsigned long both = 1UL << (SIGUSR1 - 1) | 1UL << (SIGUSR2 - 1);
    call(SYS_rt_sigprocmask, 0, (long)&both, 0, 8);
    raise_signal(SIGUSR1);
    raise_signal(SIGUSR1);
    raise_signal(SIGUSR2);
    call(SYS_rt_sigprocmask, 1, (long)&both, 0, 8);

    static char stack[32768];
    struct { void *base; int flags; size_t size; } alternate = { stack, 0, sizeof stack };
    call(SYS_sigaltstack, (long)&alternate, 0, 0, 0);
    handle(SIGUSR1, count, SA_ONSTACK);
    raise_signal(SIGUSR1);

    /* The program's own breakpoint completes, and then its handler runs. */
    handle(SIGTRAP, count, SA_NODEFER); /* or a single-stepping debugger takes the handler away */
    __asm__ volatile("int3");
    raise_signal(SIGTRAP);

    struct action ignore = { (void (*)(int, struct info *, struct context *))1, SA_RESTORER, restorer, 0 };
    call(SYS_rt_sigaction, SIGUSR1, (long)&ignore, 0, 8);
    raise_signal(SIGUSR1);
    return seen % 200;
}

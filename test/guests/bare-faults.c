/* Instructions that fault, with handlers that mend or skip them: a fault retires nothing, the mended retry does. */
#include "bare.h"

static char *area;
static volatile int faults;

static void mend(int number, struct info *info, struct context *context)
{
    (void)number;
    (void)context;
    faults++;
    call(SYS_mprotect, (long)info->address & -4096L, 4096, 3, 0);
}

static void skip_two_bytes(int number, struct info *info, struct context *context)
{
    (void)number;
    (void)info;
    faults++;
    context->rip += 2;
}

int program(void)
{
    area = map(8 * 4096);
    handle(SIGSEGV, mend, 0);
    handle(SIGILL, skip_two_bytes, 0);
    handle(SIGFPE, skip_two_bytes, 0);

    call(SYS_mprotect, (long)area, 8 * 4096, 0, 0);
    for (int i = 0; i < 4; i++)
        ((volatile char *)area)[i * 1500]++;

    /* Faults in the middle of a repeated instruction: what it has done stays done. */
    call(SYS_mprotect, (long)area, 8 * 4096, 0, 0);
    void *target = area + 4000;
    unsigned long count = 5000;
    __asm__ volatile("rep stosb" : "+D"(target), "+c"(count) : "a"('x') : "memory");
    call(SYS_mprotect, (long)area, 8 * 4096, 0, 0);
    const void *source = area + 4090;
    target = area + 3 * 4096 - 4;
    count = 50;
    __asm__ volatile("rep movsl" : "+D"(target), "+S"(source), "+c"(count) : : "memory");

    /* An access over a page boundary, whose second half is missing. */
    call(SYS_mprotect, (long)area, 8 * 4096, 0, 0);
    *(volatile uint64_t *)(area + 4092) = 1;

    __asm__ volatile("ud2");
    unsigned divisor = 0, low = 1, high = 0;
    __asm__ volatile("divl %2" : "+a"(low), "+d"(high) : "c"(divisor));
    return faults;
}

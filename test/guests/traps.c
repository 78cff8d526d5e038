/* Breakpoints and faults that the program itself contains. */
#include <signal.h>
#include <stdio.h>

static volatile int traps;

static void on_trap(int number)
{
    traps += number == SIGTRAP;
}

static void trap_within(void)
{
    traps += 10;
    __asm__ volatile(".globl within\nwithin: int3");
    traps += 10;
}

int main(void)
{
    signal(SIGTRAP, on_trap);
    __asm__ volatile("int3");
    traps += 10;
    __asm__ volatile(".globl marked\nmarked: int3");
    traps += 10;
    __asm__ volatile("int3");
    traps += 10;
    __asm__ volatile("nop\n int3\n nop");
    traps += 10;
    traps += 100;
    trap_within();
    trap_within();
    trap_within();
    __asm__ volatile("ud2");
    unsigned low = 1, high = 0, divisor = 0;
    __asm__ volatile("divl %2" : "+a"(low), "+d"(high) : "r"(divisor));
    printf("%d traps\n", traps);
    return 0;
}

/* Jumps, calls and returns to addresses that cannot be: which instruction faults, how, and what it leaves; and the frames of traps beside them. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <ucontext.h>

static sigjmp_buf back;
static unsigned long stack[64];
extern char jump_register[], call_register[], jump_memory[], call_memory[], near_return[], return_and_drop[], interrupt_return[];
static const char *const places[] = {jump_register, call_register, jump_memory, call_memory, near_return, return_and_drop, interrupt_return};
static int steps;

static void report(int number, siginfo_t *info, void *frame)
{
    greg_t *registers = ((ucontext_t *)frame)->uc_mcontext.gregs;
    int place = 0;
    while (place < 7 && (char *)registers[REG_RIP] != places[place])
        place++;
    printf("signal %d code %d address %p at %d trap %lld error %llx flags %llx rsp %+lld\n", number, info->si_code, info->si_addr, place,
           registers[REG_TRAPNO], registers[REG_ERR], registers[REG_EFL] & 0x10300, registers[REG_RSP] - (long long)(stack + 32));
    siglongjmp(back, 1);
}

static void on_trap(int number, siginfo_t *info, void *frame)
{
    greg_t *registers = ((ucontext_t *)frame)->uc_mcontext.gregs;
    printf("trap %d: code %d flags %llx at %d\n", ++steps, info->si_code, registers[REG_EFL] & 0x10300, info->si_addr == (void *)registers[REG_RIP]);
    (void)number;
}

#define TRY(code, ...) \
    if (sigsetjmp(back, 1) == 0) \
    __asm__ volatile("mov %0, %%rsp\n" code : : "r"(stack + 32), __VA_ARGS__ : "memory")

int main(void)
{
    static char other[65536];
    sigaltstack(&(stack_t){.ss_sp = other, .ss_size = sizeof other}, NULL);
    struct sigaction action = {.sa_sigaction = report, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaction(SIGSEGV, &action, NULL);
    action.sa_sigaction = on_trap;
    sigaction(SIGTRAP, &action, NULL);

    static const unsigned long targets[] = {0x8000000000000000, 0x4141414141414141, 0x800000000000, 0xffffffff80000000};
    for (volatile int i = 0; i < 4; i++) {
        unsigned long target = targets[i];
        printf("to %lx\n", target);
        TRY(".globl jump_register\njump_register: jmp *%1", "r"(target));
        TRY(".globl call_register\ncall_register: call *%1", "r"(targets[i]));
        TRY(".globl jump_memory\njump_memory: jmp *(%1)", "r"(&targets[i]));
        TRY(".globl call_memory\ncall_memory: call *(%1)", "r"(&targets[i]));
        TRY("push %1\n.globl near_return\nnear_return: ret", "r"(targets[i]));
        TRY("push %1\n.globl return_and_drop\nreturn_and_drop: ret $16", "r"(targets[i]));
        TRY("push $0x2b; push %%rsp; push $2; push $0x33; push %1\n.globl interrupt_return\ninterrupt_return: iretq", "r"(targets[i]));
    }

    __asm__ volatile("pushf; orl $0x100, (%%rsp); popf; nop; rdtsc; pushf; andl $~0x100, (%%rsp); popf; nop" : : : "memory", "rax", "rdx", "cc");
    __asm__ volatile("int3");
    __asm__ volatile(".byte 0xf1");
    return 0;
}

/* A program that steps itself: TF is set by popf, each trap's handler notes where it was, and popf clears it. */
#include "bare.h"

static unsigned long traps, sum;
static char from[4] = "abc", to[4];
static long value = 5;

static void trapped(int number, struct info *info, struct context *context)
{
    traps++;
    sum = sum * 31 + context->rip + (unsigned long)number + (unsigned long)info->code + ((context->eflags >> 8) & 1);
}

int program(void)
{
    handle(SIGTRAP, trapped, 0);
    __asm__ volatile("pushf\n"
                     "orl $0x100, (%%rsp)\n"
                     "popf\n"
                     "nop\n"
                     "push %%rbx\n"
                     "mov value(%%rip), %%rbx\n"
                     "call 1f\n"
                     "jmp 2f\n"
                     "1: ret\n"
                     "2: mov $3, %%ecx\n"
                     "lea from(%%rip), %%rsi\n"
                     "lea to(%%rip), %%rdi\n"
                     "rep movsb\n"
                     "mov $39, %%eax\n"
                     "syscall\n"
                     "pop %%rbx\n"
                     "pushf\n"
                     "andl $~0x100, (%%rsp)\n"
                     "popf\n"
                     "nop\n"
                     :
                     : "m"(value), "m"(from), "m"(to)
                     : "rax", "rcx", "rsi", "rdi", "r11", "memory", "cc");
    return (int)((sum ^ traps * 7) & 0x7f);
}

/* What a program can find out about itself being probed. Each line: a name and what it sees; unprobed it sees the same every time. */
#include "bare.h"

static char line[64];

static void show(const char *name, uint64_t value)
{
    unsigned n = 0;
    while (*name) line[n++] = *name++;
    line[n++] = ' ';
    for (int shift = 60; shift >= 0; shift -= 4) line[n++] = "0123456789abcdef"[value >> shift & 15];
    line[n++] = '\n';
    call(SYS_write, 1, (long)line, n, 0);
}

static unsigned environment[7];
static unsigned char from[50], to[50];
static unsigned value = 5;

#define SEE(name, text, ...)                                                                                           \
    ({                                                                                                                 \
        uint64_t out = 0;                                                                                              \
        __asm__ volatile(text : "=&r"(out) : __VA_ARGS__ : "rax", "rcx", "rdx", "rsi", "rdi", "r11", "memory", "cc", "xmm0", "xmm1"); \
        show(name, out);                                                                                               \
    })

int program(void)
{
    SEE("pushf_flags", "xor %%eax, %%eax\n pushf\n pop %0", "i"(0));
    SEE("rcx_behind_syscall", "mov $39, %%eax\n syscall\n nop\n1: lea 1b-1(%%rip), %0\n sub %%rcx, %0", "i"(0));
    SEE("r11_behind_syscall", "xor %%eax, %%eax\n mov $39, %%eax\n syscall\n nop\n mov %%r11, %0", "i"(0));
    SEE("ip_relative_load_behind_syscall", "mov $39, %%eax\n syscall\n mov value(%%rip), %k0", "m"(value));
    SEE("x87_ip", "1: fldz\n fnstenv environment\n fstp %%st(0)\n lea 1b(%%rip), %0\n mov environment+12, %%eax\n sub %%rax, %0", "m"(environment));
    SEE("vmovq", "mov $7, %%eax\n vmovq %%rax, %%xmm0\n xor %k0, %k0\n vmovq %%xmm0, %0", "i"(0));
    SEE("vpor", "mov $1, %%eax\n movq %%rax, %%xmm0\n mov $6, %%eax\n movq %%rax, %%xmm1\n vpor %%xmm0, %%xmm1, %%xmm1\n movq %%xmm1, %0", "i"(0));
    SEE("vpshufd", "mov $9, %%eax\n movq %%rax, %%xmm0\n vpshufd $0, %%xmm0, %%xmm1\n movq %%xmm1, %0", "i"(0));
    SEE("rep_movsb", "mov $50, %%ecx\n lea from(%%rip), %%rsi\n lea to(%%rip), %%rdi\n rep movsb\n mov %%rcx, %0", "m"(from), "m"(to));
    SEE("return_address", "call 1f\n1: pop %0\n lea 1b(%%rip), %%rax\n sub %%rax, %0", "i"(0));
    SEE("popf_trap_flag", "pushf\n orw $0x40, (%%rsp)\n popf\n setz %b0", "i"(0));
    return 0;
}

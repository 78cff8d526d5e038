/* One of each kind of instruction that is not executed as it stands when a probe is on it. Results go to memory, which the tests compare. */
#include "bare.h"

struct results {
    unsigned long words[64];
    unsigned char environment[32], area[512] __attribute__((aligned(64)));
};

static struct results results;
static unsigned long value = 0x1122334455667788, other = 3;
static unsigned __int128 wide __attribute__((aligned(16))) = 7;
static float floats[8] __attribute__((aligned(32))) = { 1, 2, 3, 4, 5, 6, 7, 8 };
static unsigned next_word;

static void keep(unsigned long word) { results.words[next_word++ % 64] = word; }

#define VALUE(text, ...)                                                                                               \
    ({                                                                                                                 \
        unsigned long out = 0;                                                                                         \
        __asm__ volatile(text : "=&r"(out) : __VA_ARGS__ : "rax", "rcx", "rdx", "rbx", "rsi", "rdi", "memory", "cc");  \
        keep(out);                                                                                                     \
    })

static void rip_relative(void)
{
    VALUE("mov value(%%rip), %0", "m"(value));
    VALUE("mov value(%%rip), %%rsi\n mov %%rsi, %0", "m"(value));
    VALUE("mov value(%%rip), %%rdi\n lea 1(%%rsi,%%rdi), %0", "m"(value));
    VALUE("mov other(%%rip), %%rsi\n mov %%rsi, %%rdi\n cmp value(%%rip), %%rsi\n sete %b0", "m"(value));
    VALUE("mov $5, %%eax\n mulq other(%%rip)\n mov %%rax, %0", "m"(other));
    VALUE("mov $100, %%eax\n xor %%edx, %%edx\n divq other(%%rip)\n lea (%%rax,%%rdx), %0", "m"(other));
    VALUE("mov $2, %%ecx\n shlq %%cl, other(%%rip)\n mov other(%%rip), %0", "m"(other));
    VALUE("xor %%edx, %%edx\n mov $7, %%eax\n mov $9, %%ebx\n xor %%ecx, %%ecx\n lock cmpxchg16b wide(%%rip)\n mov wide(%%rip), %0",
          "m"(wide));
    VALUE("mov $3, %%eax\n lock xadd %%rax, other(%%rip)\n mov %%rax, %0", "m"(other));
    VALUE("lea value(%%rip), %%rsi\n lea other(%%rip), %%edi\n lea (%%rsi,%%rdi), %0", "m"(value));
    VALUE("pushq value(%%rip)\n popq other(%%rip)\n mov other(%%rip), %0", "m"(value));
#ifdef __AVX2__
    VALUE("mov $4, %%edx\n mulx value(%%rip), %%rsi, %%rdi\n lea (%%rsi,%%rdi), %0", "m"(value));
    VALUE("vmovaps floats(%%rip), %%ymm1\n vaddps floats(%%rip), %%ymm1, %%ymm2\n vmovq %%xmm2, %0\n vzeroupper", "m"(floats));
    VALUE("andn value(%%rip), %%rdi, %0\n bextr %%rcx, value(%%rip), %%rsi", "m"(value));
#endif
}

__attribute__((naked)) static void callee(void) { __asm__("mov (%rsp), %rax\n ret"); }
__attribute__((naked)) static void pops(void) { __asm__("mov 8(%rsp), %rax\n ret $8"); }
static void (*volatile pointer)(void) = callee;

static void transfers(void)
{
    VALUE("call callee\n mov %%rax, %0", "i"(callee));
    VALUE("lea callee(%%rip), %%rax\n call *%%rax\n mov %%rax, %0", "i"(callee));
    VALUE("call *pointer(%%rip)\n mov %%rax, %0", "m"(pointer));
    VALUE("push $17\n call pops\n mov %%rax, %0", "i"(pops));
    VALUE("mov $5, %%ecx\n xor %%eax, %%eax\n1: inc %%eax\n loop 1b\n mov %%rax, %0", "i"(0));
    VALUE("xor %%ecx, %%ecx\n xor %%eax, %%eax\n jrcxz 1f\n inc %%eax\n1: mov %%rax, %0", "i"(0));
    VALUE("lea 1f(%%rip), %%rax\n notrack jmp *%%rax\n ud2\n1: mov $8, %0", "i"(0));
    VALUE("mov $1, %%eax\n cmp $1, %%eax\n je 1f\n ud2\n1: jne 2f\n jmp 3f\n2: ud2\n3: mov $9, %0", "i"(0));
}

static void stack_and_flags(void)
{
    VALUE("pushf\n pop %0", "i"(0));
    VALUE("std\n pushf\n cld\n pop %0", "i"(0));
    VALUE("push $0x8d5\n popf\n pushf\n pop %0", "i"(0));
    VALUE("push %%rsp\n pop %0\n sub %%rsp, %0", "i"(0));
    VALUE("push %%rbp\n mov %%rsp, %%rbp\n sub $32, %%rsp\n mov $6, %%ebx\n leave\n mov %%rbx, %0", "i"(0));
    VALUE("enter $16, $0\n leave\n mov $4, %0", "i"(0));
    VALUE("pushw $5\n popw %%ax\n movzwl %%ax, %k0", "i"(0));
    VALUE("xor %%eax, %%eax\n lahf\n mov %%rax, %0", "i"(0));
}

/* What syscall leaves in rcx and r11. */
static void system_call(void)
{
    unsigned long behind, flags, at;
    __asm__ volatile("mov $39, %%eax\n syscall\n1: mov %%rcx, %0\n mov %%r11, %1\n lea 1b(%%rip), %2"
                     : "=&r"(behind), "=&r"(flags), "=&r"(at)
                     :
                     : "rax", "rcx", "r11", "memory");
    keep(behind - at);
    keep(flags);
}

static void x87(void)
{
    __asm__ volatile("finit\n fldpi\n fld1\n faddp\n fnstenv %0\n fstpl %1"
                     : "=m"(results.environment), "=m"(results.words[60])
                     :
                     : "memory");
    __asm__ volatile("fld1\n fxsave64 %0\n fstp %%st(0)" : "=m"(results.area) : : "memory");
}

static void strings(void)
{
    static const char from[40] = "a string to move";
    char to[40];
    VALUE("mov %1, %%rsi\n mov %2, %%rdi\n mov $40, %%ecx\n rep movsb\n mov %%rdi, %0\n sub %2, %0", "r"(from), "r"(to));
    VALUE("mov %1, %%rdi\n mov $'s', %%eax\n mov $40, %%ecx\n repne scasb\n mov %%rcx, %0", "r"(to));
    VALUE("mov %1, %%rsi\n mov %2, %%rdi\n mov $40, %%ecx\n repe cmpsb\n mov %%rcx, %0", "r"(from), "r"(to));
    VALUE("lea value(%%rip), %%rbx\n mov $3, %%eax\n xlatb\n movzbl %%al, %k0", "m"(value));
}

int program(void)
{
    rip_relative();
    transfers();
    stack_and_flags();
    system_call();
    x87();
    strings();
    unsigned long sum = 0;
    for (int i = 0; i < 64; i++) sum = sum * 31 + results.words[i];
    return (int)(sum & 0x7f);
}

/* What a program without a C library starts from: an entry point, system calls, and the pieces of signal handling. */
#include <stddef.h>
#include <stdint.h>

#define SYS_read 0
#define SYS_write 1
#define SYS_mmap 9
#define SYS_mprotect 10
#define SYS_munmap 11
#define SYS_rt_sigaction 13
#define SYS_rt_sigprocmask 14
#define SYS_pipe 22
#define SYS_nanosleep 35
#define SYS_setitimer 38
#define SYS_getpid 39
#define SYS_kill 62
#define SYS_sigaltstack 131
#define SYS_exit_group 231

#define SIGILL 4
#define SIGTRAP 5
#define SIGFPE 8
#define SIGKILL 9
#define SIGUSR1 10
#define SIGSEGV 11
#define SIGUSR2 12
#define SIGALRM 14

#define SA_SIGINFO 4
#define SA_RESTORER 0x04000000
#define SA_ONSTACK 0x08000000
#define SA_RESTART 0x10000000
#define SA_NODEFER 0x40000000

static inline long call(long number, long a, long b, long c, long d)
{
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = -1;
    register long r9 __asm__("r9") = 0;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

/* Registers of an interrupted thread, as far as the handlers here need them (struct sigcontext of the kernel). */
struct context {
    unsigned long flags, link;
    struct { void *base; int flags; size_t size; } stack;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
};

struct info {
    int number, error, code, pad;
    void *address;
};

struct action {
    void (*handler)(int, struct info *, struct context *);
    unsigned long flags;
    void (*restorer)(void);
    unsigned long mask;
};

void restorer(void);
__asm__("restorer: mov $15, %eax\n syscall\n");

static inline void handle(int number, void (*handler)(int, struct info *, struct context *), unsigned long flags)
{
    struct action action = { handler, flags | SA_SIGINFO | SA_RESTORER, restorer, 0 };
    call(SYS_rt_sigaction, number, (long)&action, 0, 8);
}

static inline char *map(size_t length)
{
    return (char *)call(SYS_mmap, 0, (long)length, 3, 0x22);
}

static inline void raise_signal(int number)
{
    call(SYS_kill, call(SYS_getpid, 0, 0, 0, 0), number, 0, 0);
}

int program(void);

/* The stack is aligned as after a call. */
__asm__(".globl _start\n_start: xor %ebp, %ebp\n and $-16, %rsp\n call begin\n");

__attribute__((used)) static void begin(void)
{
    call(SYS_exit_group, program(), 0, 0, 0);
}

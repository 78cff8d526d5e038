/* Signals with real frames: handlers, masks, alternate stacks, faults, restarts, timers. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

static sigjmp_buf out;
static volatile sig_atomic_t count, on_alternate, depth;
static siginfo_t last;
static char *alternate;
static int channel[2];

static void install(int number, void (*handler)(int, siginfo_t *, void *), int flags)
{
    struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags };
    sigemptyset(&action.sa_mask);
    if (sigaction(number, &action, NULL) != 0)
        perror("sigaction");
}

static void note(int number, siginfo_t *info, void *context)
{
    (void)context;
    char here;
    count++;
    last = *info;
    on_alternate = alternate && &here >= alternate && &here < alternate + SIGSTKSZ * 4;
    if (number == SIGUSR2 && depth++ < 3)
        raise(SIGUSR2);
}

static void jump_out(int number, siginfo_t *info, void *context)
{
    note(number, info, context);
    siglongjmp(out, number);
}

/* Changes what the interrupted code sees: skips the instruction and sets a register. */
static void skip(int number, siginfo_t *info, void *context)
{
    note(number, info, context);
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    registers[REG_RIP] += 2;
    registers[REG_RAX] = 4711;
}

static void feed(int number, siginfo_t *info, void *context)
{
    note(number, info, context);
    if (write(channel[1], "fed", 3) != 3)
        abort();
}

static void faults(void)
{
    char *volatile nowhere = (char *)16;
    char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    install(SIGSEGV, jump_out, 0);
    if (sigsetjmp(out, 1) == 0)
        *nowhere = 1;
    printf("unmapped: code %d address %ld\n", last.si_code, (long)(intptr_t)last.si_addr);
    if (sigsetjmp(out, 1) == 0)
        *(volatile char *)(page + 5) = 1;
    printf("read-only: code %d offset %ld\n", last.si_code, (long)((char *)last.si_addr - page));
    if (sigsetjmp(out, 1) == 0)
        ((void (*)(void))(uintptr_t)page)();
    printf("no code: code %d offset %ld\n", last.si_code, (long)((char *)last.si_addr - page));
    install(SIGFPE, jump_out, 0);
    volatile int zero = 0;
    if (sigsetjmp(out, 1) == 0)
        zero = 1 / zero;
    printf("division: code %d\n", last.si_code);
    install(SIGILL, skip, 0);
    long rax;
    __asm__ volatile("ud2" : "=a"(rax));
    printf("skipped: code %d rax %ld\n", last.si_code, rax);
    install(SIGTRAP, note, 0);
    __asm__ volatile("int3");
    printf("int3: code %d\n", last.si_code);
}

static void masks(void)
{
    sigset_t set, old, pending;
    install(SIGUSR1, note, 0);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    count = 0;
    sigprocmask(SIG_BLOCK, &set, &old);
    raise(SIGUSR1);
    raise(SIGUSR1);
    sigpending(&pending);
    printf("blocked %d pending %d", (int)count, sigismember(&pending, SIGUSR1));
    sigprocmask(SIG_SETMASK, &old, NULL);
    printf(" after %d code %d\n", (int)count, last.si_code);

    sigprocmask(SIG_BLOCK, &set, NULL);
    union sigval value = { .sival_int = 99 };
    sigqueue(getpid(), SIGUSR1, value);
    siginfo_t info;
    int waited = sigwaitinfo(&set, &info);
    printf("waited %d value %d\n", waited == SIGUSR1, info.si_value.sival_int);
    raise(SIGUSR1);
    sigsuspend(&old);
    sigprocmask(SIG_SETMASK, &old, NULL);
    printf("suspended %d\n", (int)count);

    count = 0;
    install(SIGUSR2, note, SA_NODEFER);
    raise(SIGUSR2);
    printf("nested %d\n", (int)count);
    install(SIGUSR1, note, SA_RESETHAND);
    raise(SIGUSR1);
    struct sigaction now;
    sigaction(SIGUSR1, NULL, &now);
    printf("reset %d\n", now.sa_handler == SIG_DFL);
    signal(SIGUSR1, SIG_IGN);
    raise(SIGUSR1);
}

static int overflow(int n)
{
    volatile char big[1024];
    big[n % 1024] = (char)n;
    return n < 0 ? n : overflow(n + 1) + big[0];
}

static void alternate_stack(void)
{
    alternate = malloc(SIGSTKSZ * 4);
    stack_t stack = { .ss_sp = alternate, .ss_size = SIGSTKSZ * 4 };
    sigaltstack(&stack, NULL);
    install(SIGUSR1, note, SA_ONSTACK);
    raise(SIGUSR1);
    printf("alternate %d", (int)on_alternate);
    install(SIGUSR1, note, 0);
    raise(SIGUSR1);
    printf(" own %d\n", (int)on_alternate);
    install(SIGSEGV, jump_out, SA_ONSTACK);
    if (sigsetjmp(out, 1) == 0)
        overflow(0);
    printf("overflow caught on alternate %d\n", (int)on_alternate);
}

static void interrupted_calls(void)
{
    char got[4] = "";
    struct itimerval soon = { .it_value = { .tv_usec = 20000 } };
    if (pipe(channel) != 0)
        abort();
    install(SIGALRM, feed, 0);
    setitimer(ITIMER_REAL, &soon, NULL);
    ssize_t length = read(channel[0], got, 3);
    printf("interrupted %zd %s\n", length, length < 0 ? strerror(errno) : got);
    if (read(channel[0], got, 3) != 3)
        abort();
    install(SIGALRM, feed, SA_RESTART);
    setitimer(ITIMER_REAL, &soon, NULL);
    length = read(channel[0], got, 3);
    printf("restarted %zd %s\n", length, got);
    install(SIGALRM, note, 0);
    setitimer(ITIMER_REAL, &soon, NULL);
    int paused = pause();
    printf("paused %d %s\n", paused, strerror(errno));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    faults();
    masks();
    alternate_stack();
    interrupted_calls();
    return 0;
}

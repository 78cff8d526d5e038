/*
 * Random changes of mappings between loads, stores, calls of code that was just written, copies by system calls, and children that do the same.
 * What is seen is summed up: whoever serves a stale page, stale code or a wrong fault gets another sum.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 12, FILE_PAGES = 3, SLOTS = 4 };

static char *const area = (char *)0x700000000000;
static int file, scratch;
static uint32_t seed;
static uint64_t sum;
static sigjmp_buf escape;

static uint32_t next(uint32_t bound)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % bound;
}

static void see(uint64_t value)
{
    sum = (sum ^ value) * 0x100000001b3;
}

static void fault(int signal, siginfo_t *info, void *context)
{
    (void)context;
    see((uint64_t)signal << 32 | (uint32_t)info->si_code);
    see((uint64_t)((char *)info->si_addr - area));
    siglongjmp(escape, 1);
}

static char *anywhere(void)
{
    return area + next(PAGES) * PAGE;
}

static size_t some(void)
{
    return (size_t)(1 + next(4)) * PAGE;
}

static int protection(void)
{
    static const int choices[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC, 7, 7, 7 };
    return choices[next(8)];
}

/* Places for values, and for functions, in every page; some values lie across two pages. */
static char *place(void)
{
    char *at = anywhere() + 0x400 + next(SLOTS) * 0x200;
    return next(8) == 0 ? (char *)((uintptr_t)at | (PAGE - 1)) - 3 : at;
}

/* Closer to each other than a cache line. */
static char *function(void)
{
    return anywhere() + next(SLOTS) * 0x10;
}

static void load(void)
{
    see(*(volatile uint64_t *)place());
}

static void store(void)
{
    *(volatile uint64_t *)place() = next(1 << 20);
}

/* mov eax, value; ret: several times, so that a compiler gets to see it. */
static void write_code(void)
{
    char *at = function();
    uint32_t value = next(1 << 20);
    at[0] = (char)0xb8;
    memcpy(at + 1, &value, 4);
    at[5] = (char)0xc3;
}

static void call_code(void)
{
    unsigned char *at = (unsigned char *)function();
    if (*(volatile unsigned char *)at != 0xb8)
        return;
    for (int i = 0; i < 1 + (int)next(60); i++)
        see(((uint32_t(*)(void))at)());
}

static void copy_in(void)
{
    unsigned char code[6] = { 0xb8, (unsigned char)next(256), (unsigned char)next(256), 0, 0, 0xc3 };
    if (pwrite(scratch, code, 6, 0) != 6)
        abort();
    see((uint64_t)pread(scratch, function(), 6, 0));
}

static void copy_out(void)
{
    uint64_t value = 0;
    see((uint64_t)pwrite(scratch, place(), 8, 0));
    see(pread(scratch, &value, 8, 0) == 8 ? value : 0);
}

static void anonymous(void)
{
    int kind = next(3) ? MAP_PRIVATE : MAP_SHARED;
    char *at = anywhere();
    see(mmap(at, some(), protection(), kind | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at);
}

static void of_file(void)
{
    int kind = next(2) ? MAP_PRIVATE : MAP_SHARED;
    char *at = anywhere();
    see(mmap(at, some(), protection(), kind | MAP_FIXED, file, next(FILE_PAGES) * PAGE) == at);
}

static void unmap(void)
{
    see((uint64_t)munmap(anywhere(), some()));
}

static void protect(void)
{
    see((uint64_t)mprotect(anywhere(), some(), protection()));
}

static void move(void)
{
    char *from = anywhere(), *to = anywhere();
    see(mremap(from, PAGE, PAGE * (1 + next(2)), MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
}

static void discard(void)
{
    see((uint64_t)madvise(anywhere(), some(), MADV_DONTNEED));
}

static void file_io(void)
{
    uint64_t value = next(1 << 20);
    off_t at = next(FILE_PAGES) * PAGE + 0x400 + next(SLOTS) * 0x200;
    if (next(2))
        see((uint64_t)pwrite(file, &value, 8, at));
    else
        see(pread(file, &value, 8, at) == 8 ? value : 0);
}

static void resize(void)
{
    see((uint64_t)ftruncate(file, next(4) ? FILE_PAGES * PAGE : PAGE + 100));
}

typedef void action(void);

static action *const actions[] = {
    load, load, load, load, store, store, store, store, write_code, write_code, call_code, call_code, call_code, copy_in, copy_out, anonymous, of_file, unmap, protect, protect,
    move, discard, file_io, file_io, resize,
};

static void act(int count, int depth)
{
    for (volatile int i = 0; i < count; i++) {
        if (depth < 2 && next(40) == 0) {
            pid_t child = fork();
            if (child == 0) {
                act(60, depth + 1);
                _exit((int)(sum & 0xff));
            }
            int status;
            waitpid(child, &status, 0);
            see((uint64_t)status);
        }
        action *chosen = actions[next(sizeof actions / sizeof *actions)];
        if (sigsetjmp(escape, 1) == 0)
            chosen();
    }
}

int main(void)
{
    struct sigaction action = { .sa_sigaction = fault, .sa_flags = SA_SIGINFO | SA_NODEFER };
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    file = open("coherence.data", O_RDWR | O_CREAT | O_TRUNC, 0600);
    scratch = open("coherence.scratch", O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || scratch < 0)
        return 1;
    for (int round = 0; round < 12; round++) {
        munmap(area, 2 * PAGES * PAGE);
        if (ftruncate(file, 0) || ftruncate(file, FILE_PAGES * PAGE) || ftruncate(scratch, 0))
            return 1;
        seed = (uint32_t)round;
        sum = 14695981039346656037u;
        mmap(area, PAGES * PAGE, 7, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        act(400, 0);
        printf("%d %016llx\n", round, (unsigned long long)sum);
        fflush(stdout);
    }
    unlink("coherence.data");
    unlink("coherence.scratch");
    return 0;
}

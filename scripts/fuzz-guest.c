/*
 * The guest of scripts/fuzz-guest: executes random bytes and makes random system calls, each attempt in a child, and counts how the children end.
 * Usage: fuzz code|calls SEED COUNT. Prints one line for every 100 attempts, so that whoever watches knows the place where it went wrong.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t state;

static uint64_t draw(void)
{
    uint64_t z = (state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

/* Bytes that begin instructions oftener than chance: prefixes, 0f maps, VEX, x87. */
static const uint8_t LEADING[] = {0x0f, 0x0f, 0x66, 0xf2, 0xf3, 0xf0, 0x48, 0x4c, 0x41, 0x67, 0xc4, 0xc5, 0x62, 0xd8, 0xd9, 0xdb, 0xdd, 0xdf, 0xff, 0xf7, 0x64};

static void run_code(void)
{
    uint8_t *code = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *data = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (code == MAP_FAILED || data == MAP_FAILED)
        _exit(9);
    for (int i = 0; i < 4096; i++) {
        uint64_t random = draw();
        code[i] = random >> 60 < 5 ? LEADING[random % sizeof LEADING] : (uint8_t)random;
        /* A system call by chance would be the other half's business, and may wait for ever. */
        if (i > 0 && code[i - 1] == 0x0f && code[i] == 0x05)
            code[i] = 0x0b;
    }
    uint64_t registers[4];
    for (int i = 0; i < 4; i++)
        registers[i] = draw() & 1 ? (uint64_t)data + 32768 : draw();
    __asm__ volatile("mov %1, %%rsi\n mov %2, %%rdi\n mov %3, %%rbx\n mov %4, %%r15\n jmp *%0"
                     :
                     : "a"(code), "c"(registers[0]), "d"(registers[1]), "r"(registers[2]), "r"(registers[3])
                     : "rsi", "rdi", "rbx", "r15", "memory");
}

/* What would only wait, end the attempt, or reach outside of it: exit, fork and kin, kill and kin, files by name. */
static int is_left_out(long number)
{
    static const short LEFT_OUT[] = {SYS_exit, SYS_exit_group, SYS_pause, SYS_kill, SYS_tkill, SYS_tgkill, SYS_fork, SYS_vfork, SYS_clone, SYS_clone3,
        SYS_rt_sigreturn, SYS_rt_sigsuspend, SYS_reboot, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo, SYS_pidfd_send_signal, SYS_unlink, SYS_rmdir, SYS_rename, SYS_chroot};
    for (unsigned i = 0; i < sizeof LEFT_OUT / sizeof *LEFT_OUT; i++)
        if (LEFT_OUT[i] == number)
            return 1;
    return 0;
}

static uint64_t argument(char *data)
{
    static const uint64_t EDGES[] = {0, 1, 2, 3, 7, 4096, 0x7fffffff, 0x80000000, 0xffffffff, ~0ull, 1ull << 47, (1ull << 47) - 4096, 1ull << 63, 0x5400};
    switch (draw() % 6) {
    case 0: return draw();
    case 1: return draw() % 64;
    case 2: return (uint64_t)data + draw() % 8192;
    case 3: return (uint64_t)data + 65536 - draw() % 64;
    case 4: return 1ull << draw() % 64;
    default: return EDGES[draw() % (sizeof EDGES / sizeof *EDGES)];
    }
}

static void make_calls(void)
{
    char *data = mmap(NULL, 65536 + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(data + 65536, 4096, PROT_NONE);
    for (int i = 0; i < 65536; i += 8)
        *(uint64_t *)(data + i) = draw() & 1 ? draw() % 256 : argument(data);
    for (int i = 0; i < 40; i++) {
        long number = draw() % 64 == 0 ? (long)(draw() % 2000) : (long)(draw() % 463);
        if (!is_left_out(number))
            syscall(number, argument(data), argument(data), argument(data), argument(data), argument(data), argument(data));
    }
    _exit(0);
}

int main(int count, char **words)
{
    if (count != 4)
        return 2;
    int calls = strcmp(words[1], "calls") == 0;
    uint64_t seed = strtoull(words[2], NULL, 0);
    long attempts = atol(words[3]), ended[256] = {0};
    for (long i = 0; i < attempts; i++) {
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            state = seed * 0x2545f4914f6cdd1d + i;
            /* Loops end by SIGXCPU, sleeps by SIGALRM. */
            setrlimit(RLIMIT_CPU, &(struct rlimit){1, 1});
            setpgid(0, 0);
            alarm(2);
            close(0);
            close(1);
            close(2);
            if (calls)
                make_calls();
            run_code();
        }
        int status;
        while (child > 0 && waitpid(child, &status, 0) < 0)
            ;
        if (child < 0)
            return 3;
        kill(-child, SIGKILL);
        ended[WIFSIGNALED(status) ? WTERMSIG(status) : 128 + WEXITSTATUS(status) % 128]++;
        if (i % 100 == 99)
            printf("%ld\n", i + 1);
    }
    for (int i = 0; i < 256; i++)
        if (ended[i] > 0)
            printf("%s %d: %ld\n", i < 128 ? "signal" : "status", i % 128, ended[i]);
    return 0;
}

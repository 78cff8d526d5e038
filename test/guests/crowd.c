/*
 * Threads that go round a loop of known instructions and count their rounds, while the process forks children that do the same, execs some of them and
 * kills others: what probes are registered and unregistered against. Everybody checks what it has computed.
 *
 *     crowd WORKERS ROUNDS CHILDREN SEED      0 ROUNDS, 0 CHILDREN: until somebody sets `enough`
 */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS_MAX 16

/** Rounds that each thread has finished. A probe on any instruction of a round sees the number of the round. */
volatile uint64_t rounds[WORKERS_MAX + 1];
/** Set from outside. */
volatile uint64_t enough;
uint64_t factor = 3;
static unsigned char from[8] = "abcdefg", to[WORKERS_MAX + 1][8];

/* One round: rdi is the number of the thread, rsi the sum so far; answers the new sum. Each place_N is one instruction of another kind. */
uint64_t one_round(uint64_t me, uint64_t sum, unsigned char *copy, unsigned char *text);
__asm__(".text\n"
        ".globl one_round, leaf, place_nop, place_push, place_mov, place_rip, place_call, place_indirect, place_x87, place_rep, place_syscall, place_count\n"
        ".type one_round, @function\n.type leaf, @function\n"
        "leaf: endbr64\n lea 1(%rax,%rax), %rax\n ret\n"
        "one_round: endbr64\n"
        "place_nop: nop\n"
        "place_push: push %rbx\n"
        " push %r12\n mov %rdi, %r12\n mov %rdx, %r8\n mov %rcx, %r9\n"
        "place_mov: mov %rsi, %rax\n"
        "place_rip: imul factor(%rip), %rax\n"
        "place_call: call leaf\n"
        " mov %rax, %rbx\n"
        "place_indirect: call *pointer(%rip)\n"
        " add %rbx, %rax\n"
        "place_x87: fld1\n fstp %st(0)\n"
        " mov $7, %ecx\n mov %r8, %rdi\n mov %r9, %rsi\n"
        "place_rep: rep movsb\n"
        " mov %rax, %rbx\n mov $24, %eax\n"
        "place_syscall: syscall\n"
        " mov %rbx, %rax\n"
        "place_count: incq rounds(,%r12,8)\n"
        " pop %r12\n pop %rbx\n ret\n"
        ".data\npointer: .quad leaf\n.text\n");

/* The same in C. */
static uint64_t expected_round(uint64_t sum)
{
    uint64_t first = 2 * (sum * factor) + 1;
    return first + 2 * first + 1;
}

static int work(uint64_t me, unsigned count)
{
    uint64_t sum = me, expected = me;
    rounds[me] = 0;
    unsigned i = 0;
    for (; count > 0 ? i < count : !enough; i++) {
        sum = one_round(me, sum, to[me], from);
        expected = expected_round(expected);
        if (sum != expected || to[me][6] != 'g') return 1;
        to[me][6] = 0;
    }
    return rounds[me] != i;
}

struct job {
    uint64_t me;
    unsigned count;
};

static void *worker(void *argument)
{
    struct job *job = argument;
    return (void *)(long)work(job->me, job->count);
}

static unsigned next_random(unsigned *state)
{
    *state = *state * 1103515245 + 12345;
    return *state >> 16;
}

/* exec in a child that shares the memory until then. */
__attribute__((noinline)) static pid_t start_again(char *const *again)
{
    pid_t pid = vfork();
    if (pid == 0) {
        execv(again[0], again);
        _exit(3);
    }
    return pid;
}

/* Children run with the threads: some end by themselves, some exec this program, some are killed in their loop. */
static int raise_children(const char *self, unsigned children, unsigned rounds_of_child, unsigned seed)
{
    int wrong = 0;
    for (unsigned i = 0; children > 0 ? i < children : !enough; i++) {
        unsigned kind = next_random(&seed) % 4;
        char count[16], other_seed[16];
        snprintf(count, sizeof count, "%u", rounds_of_child);
        snprintf(other_seed, sizeof other_seed, "%u", seed);
        char *const again[] = { (char *)self, "2", count, "1", other_seed, NULL };
        pid_t pid = kind == 3 ? start_again(again) : fork();
        if (pid == 0) {
            if (kind == 0) _exit(work(WORKERS_MAX, rounds_of_child));
            if (kind == 1) {
                if (work(WORKERS_MAX, rounds_of_child / 2)) _exit(2);
                execv(self, again);
            }
            for (;;) work(WORKERS_MAX, 1000);
        }
        if (kind == 2) {
            for (unsigned n = next_random(&seed) % 20; n > 0; n--) usleep(10);
            kill(pid, SIGKILL);
        }
        int status;
        if (waitpid(pid, &status, 0) != pid) wrong++;
        else if (kind == 2 ? !WIFSIGNALED(status) : status != 0) wrong++;
    }
    return wrong;
}

int main(int argc, char **argv)
{
    if (argc < 5) return 100;
    unsigned workers = atoi(argv[1]), count = atoi(argv[2]), children = atoi(argv[3]), seed = atoi(argv[4]);
    pthread_t threads[WORKERS_MAX];
    struct job jobs[WORKERS_MAX];
    for (unsigned i = 0; i < workers; i++) {
        jobs[i] = (struct job){ i, count };
        pthread_create(&threads[i], NULL, worker, &jobs[i]);
    }
    int is_child = workers < 8;
    int wrong = is_child ? 0 : raise_children(argv[0], children, count > 0 ? count / 4 : 40, seed);
    for (unsigned i = 0; i < workers; i++) {
        void *result;
        pthread_join(threads[i], &result);
        wrong += result != NULL;
    }
    return wrong > 99 ? 99 : wrong;
}

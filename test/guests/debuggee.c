/*
 * The program behind the debugger sessions of test/gdb: a dynamic PIE with four threads.
 *
 * It goes through one phase per subject, so a session for one subject runs to its phase and a session for all of them
 * runs through. What a debugger shows is the same in every run, although the threads are real: a thread is observed
 * only after the kernel says that it sleeps, and at most one runs between two such points.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <fcntl.h>
#include <unistd.h>

/* Names a place for the debugger, as in "advance loop_sum:summed". */
#define MARK(name) name: __attribute__((unused))

#define WORKERS 3
#define FALSE_HITS 100000

int library_scale(int value, int factor);
int library_apply(int (*callback)(int), int times);

/* ---- plumbing ---- */

static pid_t own_pid;

static void say(const char *line)
{
    if (write(1, line, strlen(line)) < 0)
        _exit(99);
}

static char state_of(pid_t tid)
{
    char path[64], stat[512];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)tid);
    int fd = open(path, O_RDONLY);
    ssize_t got = read(fd, stat, sizeof stat - 1);
    close(fd);
    stat[got > 0 ? got : 0] = 0;
    char *end_of_name = strrchr(stat, ')');
    return end_of_name ? end_of_name[2] : '?';
}

static void await_asleep(pid_t tid)
{
    while (state_of(tid) != 'S')
        usleep(1000);
}

/* ---- phase: library ---- */

static int square(int x)
{
    return x * x;
}

static void phase_library(void)
{
    int scaled = library_scale(6, 7);
    int applied = library_apply(square, 4);
    char line[64];
    snprintf(line, sizeof line, "library %d %d\n", scaled, applied);
    say(line);
    puts("through stdio");
    fflush(stdout);
    free(strdup("a copy"));
}

/* ---- phase: steps ---- */

static int leaf(int a, int b)
{
    int c = a + b;
    c *= 2;
    return c;
}

static int middle(int a)
{
    int x = leaf(a, 1);
    int y = leaf(x, 2);
    return x + y;
}

static long factorial(long n)
{
    if (n <= 1) {
        MARK(innermost); return 1;
    }
    return n * factorial(n - 1);
}

static int loop_sum(int n)
{
    int sum = 0;
    for (int i = 0; i < n; i++)
        sum += i;
    MARK(summed); sum *= 10;
    return sum;
}

static double half(double x)
{
    return x / 2;
}

static void phase_steps(void)
{
    int m = middle(5);
    long f = factorial(5);
    int s = loop_sum(6);
    MARK(before_half); double h = half(7.0);
    char line[64];
    snprintf(line, sizeof line, "steps %d %ld %d %g\n", m, f, s, h);
    say(line);
}

/* ---- phase: threads ---- */

struct worker {
    int index;
    pid_t tid;
    pthread_t thread;
    sem_t go;
    sem_t done;
    long result;
};

static struct worker workers[WORKERS];
static __thread int tls_number = 100;
static __thread const char *tls_text = "main's own";
static volatile long shared_total;

static void worker_turn(struct worker *self)
{
    int local = self->index * 10;
    local += tls_number;
    shared_total += local;
    self->result = local;
}

static long hot_in_worker(long i)
{
    return i ^ 1;
}

static void *worker_main(void *argument)
{
    struct worker *self = argument;
    static const char *names[] = { "first", "second", "third" };
    tls_number = self->index + 1;
    tls_text = names[self->index];
    pthread_setname_np(pthread_self(), names[self->index]);
    __atomic_store_n(&self->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
    sem_wait(&self->go);
    await_asleep(own_pid);
    worker_turn(self);
    sem_post(&self->done);
    sem_wait(&self->go);
    for (long i = 0; i < 2000; i++)
        self->result += hot_in_worker(i) & 1;
    sem_post(&self->done);
    sem_wait(&self->go);
    return self;
}

static void start_worker(int index)
{
    struct worker *worker = &workers[index];
    worker->index = index;
    sem_init(&worker->go, 0, 0);
    sem_init(&worker->done, 0, 0);
    pthread_create(&worker->thread, NULL, worker_main, worker);
    while (__atomic_load_n(&worker->tid, __ATOMIC_SEQ_CST) == 0)
        usleep(1000);
    await_asleep(worker->tid);
}

static void threads_parked(void)
{
    say("threads parked\n");
}

static void take_turn(struct worker *worker)
{
    sem_post(&worker->go);
    sem_wait(&worker->done);
    await_asleep(worker->tid);
}

static void phase_threads(void)
{
    for (int i = 0; i < WORKERS; i++)
        start_worker(i);
    threads_parked();
    for (int i = 0; i < WORKERS; i++)
        take_turn(&workers[i]);
    for (int i = 0; i < WORKERS; i++)
        sem_post(&workers[i].go);
    for (int i = 0; i < WORKERS; i++) {
        sem_wait(&workers[i].done);
        await_asleep(workers[i].tid);
    }
    MARK(turns_taken);
    char line[64];
    snprintf(line, sizeof line, "threads %ld\n", shared_total);
    say(line);
}

/* ---- phase: info ---- */

static void phase_info(void)
{
    say("info\n");
}

/* ---- phase: watch ---- */

static volatile int watched = 1;
static volatile int read_only_here = 42;
static volatile int flag;
static volatile char buffer[32];

static int watch_local(int start)
{
    volatile int local = start;
    local += 1;
    local += 2;
    return local;
}

static void soft_target(void)
{
    flag = 1;
    flag = 1;
    flag = 2;
}

static void phase_watch(void)
{
    watched = 2;
    watched = 2;
    watched += 5;
    int copy = read_only_here;
    copy += read_only_here;
    read_only_here = copy;
    copy = read_only_here;
    read_only_here += 1;
    for (int i = 0; i < 20; i++)
        watched = i;
    for (int i = 0; i < 8; i++)
        buffer[i] = 'a' + i;
    soft_target();
    int local = watch_local(10);
    char line[64];
    snprintf(line, sizeof line, "watch %d %d\n", copy, local);
    say(line);
}

/* ---- phase: condition ---- */

static volatile long condition_sum;

static void hot(int i)
{
    condition_sum += i;
}

static void phase_condition(void)
{
    for (int i = 0; i < FALSE_HITS; i++)
        hot(i);
    MARK(never_true); for (int i = 0; i < 100; i++)
        hot(i);
    MARK(sometimes_true); char line[64];
    snprintf(line, sizeof line, "condition %ld\n", condition_sum);
    say(line);
}

/* ---- phase: data ---- */

struct point {
    int x, y;
    double weight;
    char name[8];
};

enum colour { RED, GREEN = 5, BLUE };

static struct point points[3] = {
    { 1, 2, 0.5, "one" }, { 3, 4, 1.25, "two" }, { -5, 6, -1e10, "three" },
};
static enum colour colour = GREEN;
static unsigned char haystack[256];
static const char *message = "hello, debugger";
static float single = 1.5f;
static long double extended = 3.25L;
static uint64_t wide = 0x0123456789abcdefULL;

static int add(int a, int b)
{
    return a + b;
}

static double scale(double x, int n)
{
    return x * n;
}

static double mix(int a, double b, int c, double d)
{
    return a * b + c * d;
}

static struct point make_point(int x, int y)
{
    struct point p = { x, y, x + y / 10.0, "made" };
    return p;
}

static const char *text(int n)
{
    return n ? "non-zero" : "zero";
}

static int breaks_inside(int n)
{
    return add(n, n);
}

static void data_ready(int depth)
{
    volatile int local = depth;
    volatile int array[4] = { 1, 2, 3, 4 };
    if (local > 0)
        data_ready(local - 1);
    array[0] = local + array[1];
}

static void phase_data(void)
{
    for (int i = 0; i < 256; i++)
        haystack[i] = (unsigned char)(i * 7);
    memcpy(haystack + 100, "needle", 6);
    memcpy(haystack + 200, "needle", 6);
    data_ready(2);
    char line[128];
    snprintf(line, sizeof line, "data %d %g %s %s %d %g %d %d\n", points[0].x, points[1].weight, points[2].name, text(1),
             (int)colour, single, add(1, 1), breaks_inside(2));
    say(line);
    snprintf(line, sizeof line, "data %Lg %lx %s %g %g %d\n", extended, (unsigned long)wide, message, scale(1.5, 2),
             mix(1, 2.0, 3, 4.0), make_point(1, 2).x);
    say(line);
}

/* ---- phase: signals ---- */

static volatile sig_atomic_t usr1_seen, alarm_seen;
static sigjmp_buf after_fault;

static void on_usr1(int signal, siginfo_t *info, void *context)
{
    (void)context;
    usr1_seen += signal == SIGUSR1 && info->si_pid == own_pid;
}

static void on_alarm(int signal)
{
    alarm_seen += signal == SIGALRM;
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    (void)context;
    (void)signal;
    siglongjmp(after_fault, info->si_addr == (void *)16 ? 1 : 2);
}

static void send_usr1(int nth)
{
    raise(SIGUSR1);
    (void)nth;
}

static int fault(int *where)
{
    *where = 1;
    return 0;
}

static void phase_signals(void)
{
    struct sigaction action = { .sa_sigaction = on_usr1, .sa_flags = SA_SIGINFO };
    sigaction(SIGUSR1, &action, NULL);
    action.sa_sigaction = on_fault;
    sigaction(SIGSEGV, &action, NULL);
    signal(SIGALRM, on_alarm);

    for (int nth = 1; nth <= 6; nth++)
        send_usr1(nth);
    int jumped = sigsetjmp(after_fault, 1);
    if (jumped == 0)
        fault((int *)16);
    raise(SIGALRM);
    MARK(signals_seen);
    char line[64];
    snprintf(line, sizeof line, "signals %d %d %d\n", (int)usr1_seen, jumped, (int)alarm_seen);
    say(line);
}

/* ---- phase: interrupt ---- */

static volatile int spins;

/* One instruction, so an interrupt always finds it there; the debugger sets rcx to 1 to let it go on. */
static void spin(void)
{
    say("interrupt me: spinning\n");
    __asm__ volatile("1: loop 1b" : : "c"(-1L));
    spins++;
}

static void doze(void)
{
    struct timespec time = { 2, 0 };
    say("interrupt me: sleeping\n");
    nanosleep(&time, NULL);
}

static void *spin_in_worker(void *argument)
{
    await_asleep(own_pid);
    spin();
    return argument;
}

static void phase_interrupt(void)
{
    pthread_t spinner;
    spin();
    doze();
    pthread_create(&spinner, NULL, spin_in_worker, NULL);
    pthread_join(spinner, NULL);
    say(spins == 2 ? "interrupt done\n" : "interrupt lost\n");
}

/* ---- the end ---- */

static void phase_end(void)
{
    for (int i = 0; i < WORKERS; i++) {
        sem_post(&workers[i].go);
        pthread_join(workers[i].thread, NULL);
    }
    say("the end\n");
}

int main(int argc, char **argv)
{
    own_pid = getpid();
    /* "short": without the phases that take an interrupt to go on. */
    int interruptible = argc < 2 || strcmp(argv[1], "short") != 0;
    phase_library();
    phase_steps();
    phase_threads();
    phase_info();
    phase_watch();
    phase_condition();
    phase_data();
    phase_signals();
    if (interruptible)
        phase_interrupt();
    phase_end();
    return 7;
}

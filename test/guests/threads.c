/* Threads: mutexes, conditions, barriers, read-write locks, once, variables of their own, cancellation. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define THREADS 4
#define ROUNDS 5000

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static sem_t semaphore;
static long guarded;
static atomic_long counted;
static atomic_int once_runs, destroyed, phases_led;
static int turn;
static __thread long own = 7;
static __thread char own_buffer[128];
static int order[THREADS * 8], ordered;

static void run_once(void)
{
    once_runs++;
}

static void destroy(void *value)
{
    destroyed += (int)(long)value;
}

static void *contend(void *argument)
{
    long index = (long)argument;
    pthread_once(&once, run_once);
    pthread_setspecific(key, (void *)(index + 1));
    own += index;
    snprintf(own_buffer, sizeof own_buffer, "thread %ld", index);
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        guarded++;
        pthread_mutex_unlock(&mutex);
        counted++;
        if (i % 64 == 0) {
            pthread_rwlock_rdlock(&lock);
            pthread_rwlock_unlock(&lock);
        }
        if (i % 512 == 0)
            sched_yield();
    }
    if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
        phases_led++;
    pthread_rwlock_wrlock(&lock);
    guarded += own;
    pthread_rwlock_unlock(&lock);
    sem_post(&semaphore);
    return (void *)(own * 10 + (own_buffer[7] - '0'));
}

/* Each waits for its turn, so the order is the same whoever runs first. */
static void *in_turn(void *argument)
{
    int index = (int)(long)argument;
    for (int round = 0; round < 8; round++) {
        pthread_mutex_lock(&mutex);
        while (turn % THREADS != index)
            pthread_cond_wait(&changed, &mutex);
        order[ordered++] = index;
        turn++;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static void *to_be_cancelled(void *argument)
{
    for (;;)
        pause();
    return argument;
}

static void run(void *(*body)(void *), const char *name)
{
    pthread_t threads[THREADS];
    long sum = 0;
    for (long i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, body, (void *)i) != 0)
            exit(9);
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        sum += (long)result;
    }
    printf("%s %ld\n", name, sum);
}

static void timeouts(void)
{
    struct timespec soon;
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_nsec += 5000000;
    soon.tv_sec += soon.tv_nsec / 1000000000;
    soon.tv_nsec %= 1000000000;
    pthread_mutex_lock(&mutex);
    int waited = pthread_cond_timedwait(&changed, &mutex, &soon);
    pthread_mutex_unlock(&mutex);
    printf("timed out %d\n", waited);
}

static void *die_with(void *lock)
{
    pthread_mutex_lock(lock);
    return NULL;
}

/* A robust mutex whose owner died, without and with priority inheritance. */
static void inherit(int protocol)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setprotocol(&attributes, protocol);
    pthread_mutex_t left;
    pthread_mutex_init(&left, &attributes);
    pthread_t owner;
    pthread_create(&owner, NULL, die_with, &left);
    pthread_join(owner, NULL);
    int first = pthread_mutex_lock(&left);
    int mended = pthread_mutex_consistent(&left);
    pthread_mutex_unlock(&left);
    printf("owner died %d, mended %d, then %d\n", first == EOWNERDEAD, mended, pthread_mutex_lock(&left));
}

int main(void)
{
    pthread_barrier_init(&barrier, NULL, THREADS);
    pthread_key_create(&key, destroy);
    sem_init(&semaphore, 0, 0);
    run(contend, "contend");
    for (int i = 0; i < THREADS; i++)
        sem_wait(&semaphore);
    printf("%ld %ld once %d destroyed %d led %d own %ld\n", guarded, counted, once_runs, destroyed, phases_led, own);
    run(in_turn, "in turn");
    for (int i = 0; i < ordered; i++)
        printf("%d", order[i]);
    printf("\n");
    timeouts();
    inherit(PTHREAD_PRIO_NONE);
    inherit(PTHREAD_PRIO_INHERIT);
    pthread_t thread;
    void *result;
    pthread_create(&thread, NULL, to_be_cancelled, NULL);
    pthread_cancel(thread);
    pthread_join(thread, &result);
    printf("cancelled %d\n", result == PTHREAD_CANCELED);
    return 0;
}

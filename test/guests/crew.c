/* A few threads that take turns at a lock, each with its own memory, and a jump out of nested calls: short enough to follow every instruction. */
#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long shared;
static int turn;
static __thread long own;
static jmp_buf out;

__attribute__((noinline)) static int nest(int depth)
{
    if (depth == 0) longjmp(out, 5);
    return nest(depth - 1) + 1;
}

static void *work(void *argument)
{
    int me = (int)(long)argument;
    for (int i = 0; i < 8; i++) {
        pthread_mutex_lock(&mutex);
        while (turn % 3 != me) pthread_cond_wait(&changed, &mutex);
        turn++;
        own += i;
        shared += own;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&mutex);
        __sync_fetch_and_add(&shared, 1);
    }
    return (void *)own;
}

int main(void)
{
    pthread_t threads[3];
    for (long i = 0; i < 3; i++) pthread_create(&threads[i], NULL, work, (void *)i);
    long sum = 0;
    for (int i = 0; i < 3; i++) {
        void *result;
        pthread_join(threads[i], &result);
        sum += (long)result;
    }
    sum += setjmp(out) == 0 ? nest(4) : 5;
    return (int)((sum + shared) & 0x7f);
}

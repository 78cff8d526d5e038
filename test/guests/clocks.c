/* Clocks and sleeping: relations that hold on every machine. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

static long long now(clockid_t clock)
{
    struct timespec time;
    if (clock_gettime(clock, &time) != 0)
        return -1;
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int never_goes_back(clockid_t clock)
{
    long long before = now(clock);
    for (int i = 0; i < 1000; i++) {
        long long after = now(clock);
        if (after < before)
            return 0;
        before = after;
    }
    return 1;
}

int main(void)
{
    printf("monotonic %d real %d boot %d\n", never_goes_back(CLOCK_MONOTONIC), now(CLOCK_REALTIME) > 1700000000000000000LL,
           never_goes_back(CLOCK_BOOTTIME));
    struct timespec sleep = { 0, 30000000 };
    long long start = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    int slept = nanosleep(&sleep, NULL);
    long long took = now(CLOCK_MONOTONIC) - start;
    printf("slept %d long enough %d not too long %d\n", slept, took >= 30000000, took < 5000000000LL);
    printf("no processor time meanwhile %d\n", now(CLOCK_PROCESS_CPUTIME_ID) - cpu < 25000000);
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += 1000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    printf("until %d\n", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL));
    volatile unsigned long work = 0;
    long long thread = now(CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; i < 3000000; i++)
        work += (unsigned long)i;
    printf("work took processor time %d\n", now(CLOCK_THREAD_CPUTIME_ID) > thread);
    struct timeval day;
    gettimeofday(&day, NULL);
    long long difference = now(CLOCK_REALTIME) / 1000000000 - time(NULL);
    printf("gettimeofday %d time %d times %d\n", day.tv_sec - time(NULL) <= 1, difference >= 0 && difference <= 1,
           times(&(struct tms){ 0 }) != (clock_t)-1);
    struct tm broken;
    time_t fixed = 1000000000;
    char text[64];
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %j", gmtime_r(&fixed, &broken));
    struct timespec resolution;
    printf("%s resolution %d\n", text, clock_getres(CLOCK_MONOTONIC, &resolution) == 0 && resolution.tv_nsec == 1);
    errno = 0;
    struct timespec bad = { 0, 1000000000 };
    int refused = nanosleep(&bad, NULL);
    printf("bad %d %d\n", refused, errno == EINVAL);
    return 0;
}

/* System calls: those that fail, block, are interrupted, and are begun again. */
#include "bare.h"

static volatile int alarms;
static int channel[2];

static void on_alarm(int number, struct info *info, struct context *context)
{
    (void)info;
    (void)context;
    alarms += number == SIGALRM;
    call(SYS_write, channel[1], (long)"12345", 5, 0);
}

static void alarm_soon(void)
{
    long timer[4] = { 0, 0, 0, 20000 };
    call(SYS_setitimer, 0, (long)timer, 0, 0);
}

int program(void)
{
    char text[16];
    long sum = 0;
    for (int i = 0; i < 20; i++)
        sum += call(SYS_getpid, 0, 0, 0, 0) > 0;
    sum += call(9999, 1, 2, 3, 4);
    sum += call(SYS_write, 77, (long)text, 1, 0);
    sum += call(SYS_write, 1, 8, 1, 0);
    sum += call(SYS_write, 1, (long)"said\n", 5, 0);
    for (int i = 0; i < 10; i++)
        call(SYS_munmap, (long)map(8192), 8192, 0, 0);
    call(SYS_pipe, (long)channel, 0, 0, 0);
    sum += call(SYS_write, channel[1], (long)"abc", 3, 0);
    sum += call(SYS_read, channel[0], (long)text, 16, 0);

    long time[2] = { 0, 3000000 };
    sum += call(SYS_nanosleep, (long)time, 0, 0, 0);
    handle(SIGALRM, on_alarm, 0);
    alarm_soon();
    sum += call(SYS_read, channel[0], (long)text, 16, 0); /* interrupted */
    sum += call(SYS_read, channel[0], (long)text, 16, 0);
    handle(SIGALRM, on_alarm, SA_RESTART);
    alarm_soon();
    sum += call(SYS_read, channel[0], (long)text, 16, 0); /* begun again */
    alarm_soon();
    time[0] = 5;
    sum += call(SYS_nanosleep, (long)time, (long)time, 0, 0); /* interrupted in any case */
    return (int)((unsigned long)sum % 100 + (unsigned)alarms);
}

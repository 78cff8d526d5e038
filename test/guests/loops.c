/* Loops of one line, for steps that go through them: alone, with a function in them, ended by a timer. */
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>

static volatile int rung;
static volatile long sum;

static void ring(int number) { rung = number; }

static long twice(long x) {
  return 2 * x;
}

int main(void) {
  struct itimerval soon = {{0, 0}, {0, 20000}};
  signal(SIGALRM, ring);
  for (long i = 0; i < 3000; i++) sum += i;
  for (long i = 0; i < 500; i++) sum += twice(i);
  for (long i = 0; i < 3000; i++) sum += i % 7;
  setitimer(ITIMER_REAL, &soon, 0);
  while (!rung);
  printf("%ld %d\n", sum, rung);
  return 0;
}

/* A few frames, a variable that changes, a line of output: what a debugger session needs at least. */
#include <stdio.h>

volatile int rung;

int climb(int steps) {
  if (steps == 0) return rung;
  rung = rung + steps;
  return climb(steps - 1) + 1;
}

int main(void) {
  int top = climb(3);
  printf("top %d\n", top);
  return top;
}

/* What scripts/round-trips walks through: calls, a loop, a variable that changes. */
#include <stdio.h>

int counter;

int add(int a, int b) {
  int sum = a + b;
  return sum;
}

static int work(int rounds) {
  int total = 0;
  for (int i = 0; i < rounds; i++) {
    total = add(total, i);
    counter = total;
  }
  return total;
}

int main(void) {
  int first = work(100);
  int second = add(first, 4);
  printf("%d %d\n", first, second);
  return 0;
}

/* Never ends: every client finds it where the last one left it. */
volatile unsigned long turns;

int main(void) {
  for (;;) turns++;
}

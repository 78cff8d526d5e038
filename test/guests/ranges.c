/* A loop that is hot enough to be compiled while a step goes through its range, and a thread that runs meanwhile. */
#include <pthread.h>
#include <stdatomic.h>

volatile int seldom;
volatile long turns;
static atomic_int begun, over;

/* Stores in each turn whose number has none of these bits, out of line: behind its end. `start` is the same, for a breakpoint. */
extern void loop(int bits), start(int bits);
asm(".globl start, loop, loop_stored, loop_end, loop_store, loop_last\n"
    ".type start, @function\n.type loop, @function\n.type loop_stored, @function\n"
    ".type loop_end, @function\n.type loop_store, @function\n.type loop_last, @function\n"
    "start: nop\n"
    "loop: mov $300000, %ecx\n"
    "1: test %edi, %ecx\n"
    "   jz loop_store\n"
    "loop_stored: dec %ecx\n"
    "   jnz 1b\n"
    "loop_end: ret\n"
    "loop_store: mov %ecx, seldom(%rip)\n"
    "   jmp loop_stored\n"
    "loop_last: nop\n");

__attribute__((noinline)) void other(void) { turns++; }

static void *spin(void *unused) {
  begun = 1;
  while (!over) other();
  return unused;
}

int main(void) {
  pthread_t thread;
  loop(1);
  pthread_create(&thread, 0, spin, 0);
  while (!begun);
  start(0x3ffff);
  over = 1;
  pthread_join(thread, 0);
  return seldom == 0x40000 ? 7 : 1;
}

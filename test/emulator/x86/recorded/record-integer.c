/*
 * Runs single integer instructions on this processor from random states and prints each state and what became of it, a line each:
 *
 *     gcc -O1 -o record-integer record-integer.c && ./record-integer < codes > integer.txt
 *
 * A line of input is an instruction in hexadecimal, the mask of flags that it leaves undefined (hexadecimal), and how many states to try. It may use
 * rax, rcx, rdx and 8 bytes at rdi. A line of output is the instruction and the mask; rax, rcx, rdx, flags and memory before it; then what it has
 * changed, or the signal of its fault. The values in this folder come from an Intel Xeon of family 6, model 207.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define FLAGS 0x8d5

struct state {
  uint64_t rax, rcx, rdx, flags, memory;
};

static uint32_t seed = 1;

static uint32_t next(void) {
  seed += 0x6d2b79f5u;
  uint32_t t = (seed ^ (seed >> 15)) * (seed | 1);
  t ^= t + (t ^ (t >> 7)) * (t | 61);
  return t ^ (t >> 14);
}

/* Small numbers, signed ones, powers of two and their neighbours, and anything. */
static uint64_t integer(void) {
  uint64_t wide = (uint64_t)next() << 32 | next();
  switch (next() % 6) {
  case 0: return wide & 0xff;
  case 1: return (uint64_t)(int64_t)(int8_t)wide;
  case 2: return ((uint64_t)1 << (wide & 63)) - (wide >> 63);
  case 3: return (uint64_t)(int64_t)(int32_t)wide;
  default: return wide;
  }
}

static sigjmp_buf escape;

static void caught(int signal) { siglongjmp(escape, signal); }

static int run(const uint8_t *code, struct state *s) {
  int signal = sigsetjmp(escape, 1);
  if (signal != 0) return signal;
  __asm__ volatile("push %[flags]\n\tpopfq\n\tcall *%[code]\n\tpushfq\n\tpop %[flags]\n\tcld"
                   : "+a"(s->rax), "+c"(s->rcx), "+d"(s->rdx), [flags] "+r"(s->flags)
                   : "D"(&s->memory), [code] "r"(code)
                   : "memory", "cc", "rsi", "r8");
  return 0;
}

static void print_change(const char *name, uint64_t before, uint64_t after) {
  if (before != after) printf(" %s=%lx", name, after);
}

static void try(const char *hex, unsigned mask, const uint8_t *code) {
  struct state before = {integer(), integer(), integer(), next() & FLAGS, integer()}, after = before;
  printf("%s %x %lx %lx %lx %lx %lx", hex, mask, before.rax, before.rcx, before.rdx, before.flags, before.memory);
  int fault = run(code, &after);
  if (fault != 0) printf(" signal=%d", fault);
  else {
    print_change("rax", before.rax, after.rax);
    print_change("rcx", before.rcx, after.rcx);
    print_change("rdx", before.rdx, after.rdx);
    print_change("flags", before.flags & ~mask, after.flags & FLAGS & ~mask);
    print_change("memory", before.memory, after.memory);
  }
  printf("\n");
}

int main(void) {
  uint8_t *code = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int signals[] = {SIGSEGV, SIGFPE, SIGILL, SIGBUS, SIGTRAP};
  for (int i = 0; i < 5; i++) signal(signals[i], caught);
  char hex[64];
  unsigned mask, count;
  while (scanf("%63s %x %u", hex, &mask, &count) == 3) {
    int length = (int)strlen(hex) / 2;
    for (int i = 0; i < length; i++) sscanf(hex + 2 * i, "%2hhx", code + i);
    code[length] = 0xc3;
    while (count-- > 0) try(hex, mask, code);
  }
  return 0;
}

/*
 * Runs single instructions on this processor, each from the same states, and prints a digest of what they did.
 *
 *     gcc -O1 -o record record.c && ./record < codes
 *
 * A line of input is an instruction, or a sequence, in hexadecimal; what follows a space is copied. The instruction may use rax, rcx, rdx, rdi (which
 * points to 576 bytes), MMX, x87 and vector registers 0 to 7. states.ts makes the same states and digests. With a number as its argument the program
 * also prints the state after the case of that number.
 *
 * The values in this folder come from an Intel Xeon of family 6, model 207.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { CASES = 20, MEMORY = 576 };

struct state {
  uint8_t xsave[1024];
  uint64_t rax, rcx, rdx, flags;
  uint8_t padding[32];
  uint8_t memory[MEMORY];
} __attribute__((aligned(64)));

static uint32_t seed;

static uint32_t next(void) {
  seed += 0x6d2b79f5u;
  uint32_t t = (seed ^ (seed >> 15)) * (seed | 1);
  t ^= t + (t ^ (t >> 7)) * (t | 61);
  return t ^ (t >> 14);
}

static const uint32_t EDGES[] = {0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 2};
static const uint32_t SINGLES[] = {0, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001,
                                   1, 0x807fffff, 0x00800000, 0x7f7fffff, 0x4f000000, 0xcf000000, 0x3f000000, 0x40200000};

static uint32_t edge(void) { return EDGES[next() % 12]; }

static void put(uint8_t *at, uint32_t low, uint32_t high) {
  memcpy(at, &low, 4);
  memcpy(at + 4, &high, 4);
}

/* Eight bytes: noise, edges of bytes, words and double words, singles, doubles. */
static void fill8(uint8_t *at) {
  uint32_t a = next(), b = next(), c;
  switch (next() % 8) {
    case 0: case 1: put(at, a, b); break;
    case 2: for (int i = 0; i < 8; i++) at[i] = edge(); break;
    case 3: for (int i = 0; i < 4; i++) { c = edge(); memcpy(at + 2 * i, &c, 2); } break;
    case 4: c = edge(); put(at, c, edge()); break;
    case 5: c = SINGLES[next() % 16]; put(at, c, SINGLES[next() % 16]); break;
    case 6: put(at, (a & 0x807fffff) | ((107 + b % 40) << 23), (b & 0x807fffff) | ((107 + a % 40) << 23)); break;
    default: put(at, a, (b & 0x800fffff) | ((1003 + a % 40) << 20)); break;
  }
}

static void fill(uint8_t *at, int bytes) {
  for (int i = 0; i < bytes; i += 8) fill8(at + i);
}

/* An x87 register: a number near 1, an MMX value, a special one, or noise. */
static void fill_register(uint8_t *at) {
  static const uint32_t SPECIAL[] = {0, 0x8000, 0x7fff, 0xffff, 0x3fff, 0x4000, 1, 0x7ffe};
  uint32_t exponent;
  fill8(at);
  switch (next() % 4) {
    case 0: exponent = (0x3fff + next() % 41 - 20) | (next() & 0x8000); at[7] |= 0x80; break;
    case 1: exponent = 0xffff; break;
    case 2: exponent = SPECIAL[next() % 8]; if (next() & 1) memset(at, 0, 8); if (exponent & 0x7fff) at[7] |= 0x80; break;
    default: exponent = next() & 0xffff; if (exponent & 0x7fff) at[7] |= 0x80; else at[7] &= 0x7f; break;
  }
  memcpy(at + 8, &exponent, 2);
}

static uint64_t integer(void) {
  uint32_t a = next(), b = next();
  switch (next() % 3) {
    case 0: return a % 20;
    case 1: return -(uint64_t)(a % 20);
    default: return a | (uint64_t)b << 32;
  }
}

static void make(struct state *s, uint32_t number) {
  memset(s, 0, sizeof *s);
  seed = number * 0x9e3779b9u + 1;
  for (int i = 0; i < 8; i++) {
    fill(s->xsave + 160 + 16 * i, 16);
    fill(s->xsave + 576 + 16 * i, 16);
  }
  for (int i = 0; i < 8; i++) fill_register(s->xsave + 32 + 16 * i);
  fill(s->memory, MEMORY);
  s->rax = integer();
  s->rcx = integer();
  s->rdx = integer();
  s->flags = (next() & 0x8d5) | 0x202;
  uint16_t control = 0x37f | (next() & 3) << 10;
  uint16_t status = next() & 0x7f00;
  uint16_t tags = next() % 3 == 0 ? next() & 0xff : 0xff;
  uint32_t mxcsr = 0x1f80 | (next() % 3 == 0 ? (next() & 3) << 13 : 0) | (next() % 4 == 0 ? 0x8000 : 0) |
                   (next() % 4 == 0 ? 0x40 : 0) | (next() & 0x20);
  memcpy(s->xsave, &control, 2);
  memcpy(s->xsave + 2, &status, 2);
  memcpy(s->xsave + 4, &tags, 2);
  memcpy(s->xsave + 24, &mxcsr, 4);
  s->xsave[512] = 7;
}

static uint32_t digest[2];

static void mix(const void *bytes, int count) {
  const uint8_t *p = bytes;
  for (int i = 0; i < count; i++) {
    digest[0] = (digest[0] ^ p[i]) * 0x01000193;
    digest[1] = (digest[1] ^ p[i]) * 0x85ebca6b;
    digest[1] ^= digest[1] >> 13;
  }
}

static void mix_state(const struct state *s) {
  uint64_t flags = s->flags & 0x8d5;
  mix(s->xsave, 5);
  mix(s->xsave + 24, 4);
  for (int i = 0; i < 8; i++) mix(s->xsave + 32 + 16 * i, 10);
  for (int i = 0; i < 8; i++) {
    mix(s->xsave + 160 + 16 * i, 16);
    mix(s->xsave + 576 + 16 * i, 16);
  }
  mix(&s->rax, 8);
  mix(&s->rcx, 8);
  mix(&s->rdx, 8);
  mix(&flags, 8);
  mix(s->memory, MEMORY);
}

static void print(const char *name, const void *bytes, int count) {
  const uint8_t *p = bytes;
  printf("%s ", name);
  for (int i = 0; i < count; i++) printf("%02x", p[i]);
  printf("\n");
}

static void print_state(const struct state *s) {
  print("control status tags", s->xsave, 5);
  print("mxcsr", s->xsave + 24, 4);
  for (int i = 0; i < 8; i++) print("st", s->xsave + 32 + 16 * i, 10);
  for (int i = 0; i < 8; i++) {
    print("xmm", s->xsave + 160 + 16 * i, 16);
    print("ymm", s->xsave + 576 + 16 * i, 16);
  }
  print("rax rcx rdx flags", &s->rax, 32);
  print("memory", s->memory, MEMORY);
}

static sigjmp_buf jump;
static void caught(int signal) { siglongjmp(jump, signal); }

static uint8_t *emit(uint8_t *p, const char *hex) {
  unsigned byte;
  for (; sscanf(hex, "%2x", &byte) == 1; hex += 2) *p++ = byte;
  return p;
}

int main(int argc, char **argv) {
  static struct state s;
  static uint8_t stack[1 << 16];
  stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
  struct sigaction action = {.sa_handler = caught, .sa_flags = SA_ONSTACK | SA_NODEFER};
  sigaltstack(&alternate, 0);
  for (int i = 0; i < 5; i++) sigaction((int[]){SIGILL, SIGFPE, SIGSEGV, SIGBUS, SIGTRAP}[i], &action, 0);
  uint8_t *code = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char line[256];
  while (fgets(line, sizeof line, stdin)) {
    char *rest = strpbrk(line, " \n"), hex[128] = "";
    memcpy(hex, line, rest - line);
    /* push r15; mov r15,rdi; mov eax,7; xor edx,edx; xrstor64 [r15]; lea rdi,[r15+1088]; push [r15+1048]; popfq; mov rax,rcx,rdx */
    uint8_t *p = emit(code, "4157" "4989ff" "b807000000" "31d2" "490fae2f" "498dbf40040000" "41ffb718040000" "9d"
                            "498b8700040000" "498b8f08040000" "498b9710040000");
    p = emit(p, hex);
    /* pushfq; pop [r15+1048]; mov [r15+..],rax,rcx,rdx; mov eax,7; xor edx,edx; xsave64 [r15]; fninit; vzeroupper; pop r15; ret */
    emit(p, "9c" "418f8718040000" "49898700040000" "49898f08040000" "49899710040000" "b807000000" "31d2" "490fae27" "dbe3" "c5f877"
            "415f" "c3");
    digest[0] = digest[1] = 0x811c9dc5;
    for (int i = 0; i < CASES; i++) {
      make(&s, i);
      int signal = sigsetjmp(jump, 1);
      if (signal == 0) {
        ((void (*)(struct state *))code)(&s);
        uint32_t usual = 0x1f80;
        __asm__ volatile("ldmxcsr %0" : : "m"(usual));
        mix_state(&s);
        if (argc > 1 && i == atoi(argv[1])) print_state(&s);
      } else {
        uint32_t usual = 0x1f80;
        __asm__ volatile("fninit; vzeroupper; ldmxcsr %0" : : "m"(usual));
        mix(&signal, 4);
      }
    }
    printf("%s %08x%08x%s", hex, digest[0], digest[1], rest);
  }
  return 0;
}

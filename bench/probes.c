/* Calls one of some small functions N times: argv[1] says which, argv[2] is N. No C library, so that nothing else runs. */
#define FUNCTION(name, code) \
  __attribute__((naked, noinline)) static void name(long i) { __asm__ volatile(code "\n\tret"); }
FUNCTION(f_nop, "nop")
FUNCTION(f_push, "push %rbp\n\tpop %rbp")
FUNCTION(f_xor, "xor %eax, %eax")
FUNCTION(f_load, "mov -8(%rsp), %rax")

static void finish(void)
{
  __asm__ volatile("syscall" : : "a"(231), "D"(0L) : "rcx", "r11", "memory");
  __builtin_unreachable();
}

#define LOOP(function) for (long i = 0; i < n; i++) function(i)

__attribute__((used)) static void start(long *stack)
{
  const char *which = (const char *)stack[2], *digits = (const char *)stack[3];
  long n = 0;
  while (*digits) n = 10 * n + *digits++ - '0';
  switch (*which) {
  case 'n': LOOP(f_nop); break;
  case 'p': LOOP(f_push); break;
  case 'x': LOOP(f_xor); break;
  case 'l': LOOP(f_load); break;
  }
  finish();
}

__attribute__((naked)) void _start(void)
{
  __asm__ volatile("mov %rsp, %rdi\n\tand $-16, %rsp\n\tcall start");
}

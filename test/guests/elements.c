/* VEX instructions whose memory operand is relative to rip, of 4 to 32 bytes: exits 0 when each saw the right elements. */
#include "bare.h"

static const float floats[8] __attribute__((used, aligned(32))) = { 1, 2, 3, 4, 5, 6, 7, 8 };
static const int words[8] __attribute__((used, aligned(32))) = { 10, 20, 30, 40, 50, 60, 70, 80 };
static int seen[8] __attribute__((used, aligned(32)));

/* Through ymm0. */
#define SEES(text, ...)                                                                                                \
    ({                                                                                                                 \
        static const int right[8] = { __VA_ARGS__ };                                                                   \
        __asm__ volatile(text "\n vmovdqa %%ymm0, seen(%%rip)\n vzeroupper" ::: "xmm0", "xmm1", "memory");             \
        for (int i = 0; i < 8; i++) wrong |= seen[i] != right[i];                                                      \
    })

int program(void)
{
    int wrong = 0;
    SEES("vbroadcastss 8+words(%%rip), %%ymm0", 30, 30, 30, 30, 30, 30, 30, 30);
    SEES("vpbroadcastq 8+words(%%rip), %%ymm0", 30, 40, 30, 40, 30, 40, 30, 40);
    SEES("vpmovzxbd words(%%rip), %%ymm0", 10, 0, 0, 0, 20, 0, 0, 0);
    SEES("vpshufd $0x1b, words(%%rip), %%ymm0", 40, 30, 20, 10, 80, 70, 60, 50);
    SEES("vmovdqa words(%%rip), %%ymm1\n vpaddd words(%%rip), %%ymm1, %%ymm0", 20, 40, 60, 80, 100, 120, 140, 160);
    SEES("vmovdqa words(%%rip), %%xmm1\n vinserti128 $1, 16+words(%%rip), %%ymm1, %%ymm0", 10, 20, 30, 40, 50, 60, 70, 80);
    SEES("vpxor %%xmm1, %%xmm1, %%xmm1\n vpinsrd $2, 28+words(%%rip), %%xmm1, %%xmm0", 0, 0, 80, 0, 0, 0, 0, 0);
    SEES("vcvttps2dq floats(%%rip), %%ymm0", 1, 2, 3, 4, 5, 6, 7, 8);
    return wrong;
}

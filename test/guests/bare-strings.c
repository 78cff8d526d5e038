/* Repeated string instructions: every iteration counts, and none when the count is zero. */
#include "bare.h"

static char from[9000], to[9000];

#define REPEAT(instruction, count, source, target)                                                                   \
    ({                                                                                                                \
        unsigned long left = (count);                                                                                 \
        const void *s = (source);                                                                                     \
        void *t = (target);                                                                                           \
        __asm__ volatile(instruction : "+c"(left), "+S"(s), "+D"(t) : "a"(0x4141414141414141) : "memory", "cc");       \
        left;                                                                                                         \
    })

int program(void)
{
    static const unsigned long counts[] = { 0, 1, 2, 3, 7, 8, 64, 100, 1000 };
    unsigned long left = 0;
    for (unsigned i = 0; i < sizeof counts / sizeof *counts; i++) {
        REPEAT("rep stosb", counts[i], from, from + 1);
        REPEAT("rep stosw", counts[i], from, from + 4093);
        REPEAT("rep stosl", counts[i], from, from);
        REPEAT("rep stosq", counts[i], from, from + 5);
        REPEAT("rep movsb", counts[i], from, to + 3);
        REPEAT("rep movsq", counts[i], from, to);
        REPEAT("rep movsb", counts[i], from, from + 1);
        REPEAT("rep lodsb", counts[i], from, to);
        left += REPEAT("repe cmpsb", counts[i], from, to);
        left += REPEAT("repne cmpsb", counts[i], from, to);
        left += REPEAT("repe scasb", counts[i], from, to);
        left += REPEAT("repne scasb", counts[i], from, to + 4000);
        REPEAT("std\n rep movsb\n cld", counts[i], from + 2000, to + 2005);
    }
    from[50] = 'x';
    left += REPEAT("repe cmpsb", 1000, from, from + 1);
    left += REPEAT("repe scasb", 1000, from, from);
    REPEAT("movsb\n movsq\n stosl\n lodsw\n scasb\n cmpsl", 5, from, to);
    return (int)(left % 200);
}

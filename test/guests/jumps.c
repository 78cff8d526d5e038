/* Non-local jumps, with the callee-saved registers and the floating-point control they must keep. */
#include <fenv.h>
#include <setjmp.h>
#include <stdio.h>

static jmp_buf buffer;

static int deep(int n)
{
    if (n == 0)
        longjmp(buffer, 42);
    return n < 0 ? n : deep(n - 1);
}

static double with_rounding(int mode)
{
    volatile double one = 1, three = 3;
    fesetround(mode);
    volatile double third = one / three;
    fesetround(FE_TONEAREST);
    return third;
}

static long double with_rounding_long(int mode)
{
    volatile long double one = 1, three = 3;
    fesetround(mode);
    volatile long double third = one / three;
    fesetround(FE_TONEAREST);
    return third;
}

int main(void)
{
    volatile int rounds = 0;
    int result = setjmp(buffer);
    printf("setjmp %d after %d\n", result, rounds);
    if (rounds++ < 3)
        deep(rounds * 100);
    if (_setjmp(buffer) == 0)
        longjmp(buffer, 0);
    printf("zero becomes one\n");
    static const int modes[] = { FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO };
    for (int i = 0; i < 4; i++)
        printf("%.20g %.25Lg\n", with_rounding(modes[i]), with_rounding_long(modes[i]));
    feclearexcept(FE_ALL_EXCEPT);
    volatile double zero = 0, big = 1e308;
    volatile double sum = 1 / zero + big * big;
    printf("%g raised %d%d%d\n", sum, !!fetestexcept(FE_DIVBYZERO), !!fetestexcept(FE_OVERFLOW), !!fetestexcept(FE_INVALID));
    return 0;
}

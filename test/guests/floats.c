/* Conversions and arithmetic of floating point, in single, double and extended precision. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static volatile double zero = 0;

static void print_all(double x)
{
    printf("%f|%e|%g|%a|%.0f|%.17g|%10.3f|%-12.4e|%+g|%#.3g\n", x, x, x, x, x, x, x, x, x, x);
}

static void print_long(long double x)
{
    printf("%Lf|%Le|%Lg|%La|%.21Lg\n", x, x, x, x, x);
}

static void doubles(void)
{
    static const double values[] = { 0.0, -0.0, 1.0, -1.5, 0.1, 1e-5, 123456.789, 1e22, 1e23, DBL_MAX, DBL_MIN,
                                     DBL_MIN / 4096, 5e-324, DBL_EPSILON, 2.5, 3.5, 0.5, 9.995, 1e100, -1e-300 };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        print_all(values[i]);
    print_all(1 / zero);
    print_all(-1 / zero);
    printf("%d %d\n", isnan(zero / zero), isinf(1 / zero));
}

static void long_doubles(void)
{
    long double third = 1.0L / 3, big = LDBL_MAX / 3, small = LDBL_MIN / 1024;
    print_long(third);
    print_long(big);
    print_long(small);
    print_long(-1e4000L);
    long double product = 1;
    for (int i = 1; i <= 40; i++)
        product *= i;
    print_long(product);
    print_long((long double)1234567890123456789LL / 1000);
    printf("%lld %llu %d\n", (long long)(third * 1e18L), (unsigned long long)1.8e19L, (int)-2.9L);
}

static void arithmetic(void)
{
    float sum = 0;
    double harmonic = 0, product = 1;
    for (int i = 1; i <= 1000; i++) {
        sum += 1.0f / (float)i;
        harmonic += 1.0 / i;
        product *= 1 + 1.0 / (i * (double)i);
    }
    printf("%.9g %.17g %.17g\n", sum, harmonic, product);
    volatile double x = 2;
    printf("%.17g %.9g\n", sqrt(x), sqrtf((float)x));
    volatile float f = 16777217.0f;
    volatile unsigned long huge = 0x8000000000000401UL;
    printf("%.9g %.17g %.9g\n", f, (double)huge, (float)huge);
    volatile double inexact = -2.7;
    printf("%d %ld %u %lu\n", (int)inexact, (long)(inexact * 1e15), (unsigned)-inexact, (unsigned long)1e19);
    printf("%d%d%d%d%d\n", x < 3, x > 3, x == 2, zero / zero == zero / zero, x != 2);
}

static void parsing(void)
{
    static const char *texts[] = { "1.5", "-0x1.8p3", "1e-320", "inf", "3.14159265358979323846", "1e999", "nonsense" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *end;
        double x = strtod(texts[i], &end);
        printf("%.17g %s %.9g %.21Lg\n", x, end, strtof(texts[i], NULL), strtold(texts[i], NULL));
    }
    double a;
    float b;
    long double c;
    printf("%d", sscanf("2.25 -1e3 7.125", "%lf %f %Lf", &a, &b, &c));
    printf(" %g %g %Lg\n", a, b, c);
}

int main(void)
{
    doubles();
    long_doubles();
    arithmetic();
    parsing();
    return 0;
}

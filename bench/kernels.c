/* What scripts/bench runs: one kernel by name, a number that says how much, and a line that must be the same everywhere. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static long fib(long n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

static long sieve(long n)
{
    char *composite = calloc((size_t)n + 1, 1);
    long count = 0;
    for (long i = 2; i <= n; i++) {
        if (composite[i]) continue;
        count++;
        for (long j = i * i; j <= n; j += i) composite[j] = 1;
    }
    free(composite);
    return count;
}

static long matmul(long n)
{
    double *a = malloc(sizeof *a * (size_t)(n * n)), *b = malloc(sizeof *b * (size_t)(n * n)), sum = 0;
    for (long i = 0; i < n * n; i++) a[i] = (double)i / 7, b[i] = (double)(n - i) / 3;
    for (long i = 0; i < n; i++)
        for (long j = 0; j < n; j++) {
            double cell = 0;
            for (long k = 0; k < n; k++) cell += a[i * n + k] * b[k * n + j];
            sum += cell;
        }
    return (long)(sum / 1e3);
}

static int compare(const void *x, const void *y) { return (*(const int *)x > *(const int *)y) - (*(const int *)x < *(const int *)y); }

static long sort(long n)
{
    int *numbers = malloc(sizeof *numbers * (size_t)n);
    uint32_t state = 1;
    for (long i = 0; i < n; i++) numbers[i] = (int)(state = state * 1664525u + 1013904223u);
    qsort(numbers, (size_t)n, sizeof *numbers, compare);
    return numbers[n / 2];
}

static long copy(long n)
{
    static char from[1 << 20], to[1 << 20];
    for (long i = 0; i < n; i++) {
        memset(from, (int)i, sizeof from);
        memcpy(to, from, sizeof to);
    }
    return to[12345];
}

static long calls(long n)
{
    long sum = 0;
    for (long i = 0; i < n; i++) sum += getppid() != 0;
    return sum;
}

int main(int count, char **arguments)
{
    static const struct { const char *name; long (*run)(long); } kernels[] = {
        { "fib", fib }, { "sieve", sieve }, { "matmul", matmul }, { "sort", sort }, { "copy", copy }, { "calls", calls },
    };
    for (size_t i = 0; count == 3 && i < sizeof kernels / sizeof *kernels; i++)
        if (strcmp(kernels[i].name, arguments[1]) == 0) return printf("%ld\n", kernels[i].run(atol(arguments[2]))) < 0;
    return 2;
}

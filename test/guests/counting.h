/*
 * Calls, loops and branches that depend on data, for programs without a C library. Who includes it may say before what a FUNCTION is, and says how many
 * numbers the sieve has by declaring `composite`.
 */
#ifndef FUNCTION
#define FUNCTION static
#endif

FUNCTION unsigned fibonacci(unsigned n)
{
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

FUNCTION unsigned collatz(unsigned n)
{
    unsigned steps = 0;
    for (; n != 1; steps++)
        n = n % 2 ? 3 * n + 1 : n / 2;
    return steps;
}

FUNCTION unsigned sieve(void)
{
    unsigned primes = 0;
    for (unsigned i = 2; i < sizeof composite; i++) {
        if (composite[i])
            continue;
        primes++;
        for (unsigned j = 2 * i; j < sizeof composite; j += i)
            composite[j] = 1;
    }
    return primes;
}

/* The shared library of debuggee.c: with debug information, so a debugger can step into it. */

int library_bias = 3;

int library_scale(int value, int factor)
{
    int product = value * factor;
    return product + library_bias;
}

int library_apply(int (*callback)(int), int times)
{
    int sum = 0;
    for (int i = 0; i < times; i++)
        sum += callback(i);
    return sum;
}

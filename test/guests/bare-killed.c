/* Ends by a fault that nobody handles. */
#include "bare.h"

int program(void)
{
    volatile int *nowhere = (volatile int *)8;
    for (volatile int i = 0; i < 10; i++)
        ;
    *nowhere = 1;
    return 0;
}

/* The shortest program. */
#include "bare.h"

int program(void)
{
    return 0;
}

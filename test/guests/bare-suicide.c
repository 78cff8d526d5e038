/* Ends inside the system call that kills it. */
#include "bare.h"

int program(void)
{
    raise_signal(SIGKILL);
    return 0;
}

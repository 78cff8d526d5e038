handle SIGUSR1 nostop noprint pass
handle SIGSEGV nostop noprint pass
tbreak phase_interrupt
continue
# In a busy loop.
continue
print $_siginfo.si_signo
print $rcx < 0
x/i $pc
info threads
set var $rcx = 1
# In sleep.
continue
backtrace
finish
# While a worker spins, the main thread joins it.
continue
info threads
thread 5
set var $rcx = 1
thread 1
tbreak phase_end
continue
info threads
print spins

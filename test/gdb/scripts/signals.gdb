tbreak phase_signals
continue
info signals SIGUSR1
# The first stops by default.
continue
backtrace -3
print $_siginfo.si_signo
print $_siginfo.si_code
print $_siginfo._sifields._kill.si_pid == own_pid
print usr1_seen
# The handler of the second is entered by a breakpoint.
handle SIGUSR1 nostop print pass
break on_usr1
continue
continue
backtrace
info args
up
up
down 2
print info->si_signo
print info->_sifields._kill.si_pid == own_pid
finish
x/2i $pc
stepi
stepi
print usr1_seen
delete
# The third is passed without a word.
handle SIGUSR1 nostop noprint pass
tbreak send_usr1 if nth == 4
continue
print usr1_seen
# The fourth stops and is thrown away.
handle SIGUSR1 stop print pass
continue
signal 0
print usr1_seen
# The fifth was that stop: its handler is entered by a step.
stepi
backtrace 2
finish
tbreak send_usr1 if nth == 6
continue
# The sixth gets no further than the debugger.
handle SIGUSR1 nostop print nopass
tbreak fault
continue
print usr1_seen
# One more by the debugger's hand.
handle SIGUSR1 nostop noprint pass
queue-signal SIGUSR1
tbreak on_usr1
continue
backtrace 3
continue
print $_siginfo.si_signo
print $_siginfo
print $_siginfo._sifields._sigfault.si_addr
x/i $pc
info registers rip
# Its handler jumps away; SIGALRM goes unmentioned.
info signals SIGALRM
tbreak phase_signals:signals_seen
continue
print usr1_seen
print alarm_seen

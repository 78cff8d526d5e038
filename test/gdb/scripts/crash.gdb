break main
continue
info args
print argv[1]
continue
backtrace
print $_siginfo.si_signo
print $_siginfo.si_code
x/2i $pc
info threads
continue
info threads
attempt print $_siginfo

tbreak main
continue
# By default the debugger swallows the signal.
continue
x/2i $pc - 1
print traps
stepi
# A breakpoint on top of one.
tbreak *marked
continue
x/i $pc
continue
print traps
# Passed on.
handle SIGTRAP stop print pass
continue
continue
# Stepped over, and into.
next
stepi
x/i $pc
handle SIGTRAP stop print nopass
# A breakpoint whose condition is false stands for the one below it: stepped over, and run over.
break *within if traps == 1000
tbreak trap_within
continue
next
next
print traps
finish
next
print traps
delete
next
# Illegal instruction, division by zero: stopped, and skipped by hand.
continue
x/i $pc
print $_siginfo.si_code
set var $pc = $pc + 2
signal 0
x/i $pc
print $_siginfo.si_code
set var $pc = $pc + 2
signal 0

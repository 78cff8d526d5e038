tbreak phase_steps
continue
next
step
step
backtrace
advance factorial:innermost
finish
backtrace
up
info locals
print n
up 2
print n
down
finish
frame
backtrace 1
tbreak loop_sum
continue
next
next
next
until
until
info locals
advance phase_steps:before_half
stepi
x/i $pc
nexti
stepi 3
x/3i $pc
info line
step
info args
print x
finish

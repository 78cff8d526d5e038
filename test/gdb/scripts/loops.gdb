break main
continue
next 2
# A loop that no step leaves before its end.
next
print sum
# With a function that a step enters.
step
backtrace
finish
# With a breakpoint whose condition is true once.
break twice if x == 400
next
print sum
backtrace
delete
finish
next
print sum
next
next
print sum
# Ended by a signal.
next
print rung
next
continue

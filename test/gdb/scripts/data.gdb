tbreak data_ready if depth == 0
continue
next 2
backtrace
info locals
call add(2, 3)
call scale(2.5, 4)
call mix(1, 2.5, 3, -4.5)
call make_point(8, 9)
call (void) say("called from the debugger\n")
print text(0)
print text(1)
print add(scale(3.0, 2), 1)
print factorial(10)
print (int) strlen(message)
print $_strlen(message)
break add
attempt call breaks_inside(21)
backtrace
finish
finish
delete
print points
print points[1]
print/x points[0]
print &points[1]
print *points@2
ptype points
print sizeof points
print colour
print single
print extended
print wide
print/x wide
print/o wide
print/t colour
print/c haystack[100]@6
print message
set print pretty on
print points[2]
set print pretty off
set var points[0].x = 77
set var points[1].weight = -2.75
set var points[2].name = "renamed"
set var colour = BLUE
set var single = 0.1
set var extended = 1.0L/3
set var wide = 0xfedcba9876543210
print points
print/x wide
x/4dw &points[0]
x/2fg &points[0].weight
x/s message
x/6xb haystack + 100
x/8i $pc
x/20i $pc
find haystack, +sizeof haystack, 'n', 'e', 'e', 'd', 'l', 'e'
find /1 haystack, +sizeof haystack, 'n', 'e', 'e'
find haystack, +sizeof haystack, (short) 0x1234
print $_
print $numfound
set var local = 5
print local
info registers rip
print $rip == $pc
print $sp < $rbp
# Without PF, which here is the parity of a stack address.
print/x $eflags & ~4
print $cs
print $mxcsr
print/x $fctrl
set var $rax = 0x1122334455667788
print/x $rax
print/x $eax
print/x $ah
set var $xmm5.v4_int32[1] = 7
print $xmm5.v4_int32[1]
print $_exitcode
print own_pid > 0
attempt print *(int *) 0
attempt x/i 16
attempt set var *(int *) 0 = 1
attempt print nothing_of_this_name
output 5
echo \n
up 2
print local
print array
frame 1
frame
next

tbreak phase_watch
continue
watch watched
continue
continue
info watchpoints
delete
rwatch read_only_here
continue
continue
continue
delete
awatch read_only_here
continue
continue
delete
watch watched if watched == 15
continue
print i
delete
watch buffer[5]
continue
delete
watch *(char (*)[4]) buffer
delete
tbreak soft_target
continue
set can-use-hw-watchpoints 0
watch flag
continue
continue
delete
set can-use-hw-watchpoints 1
tbreak watch_local
continue
next
watch local
continue
continue
continue
info watchpoints
delete

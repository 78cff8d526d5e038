tbreak threads_parked
continue
info threads
thread apply all backtrace
thread 2
backtrace -frame-arguments all
frame function worker_main
info locals
print self->index
print self->go
print tls_number
print tls_text
thread apply all -s print tls_number
thread apply 2 3 4 frame function worker_main
thread 4
print tls_text
print &tls_number == &tls_number
thread name renamed
info threads
thread find second
thread 1
print tls_text
print $_thread
print $_gthread
# Workers take their turns one at a time.
tbreak worker_turn
continue
info threads
next
set scheduler-locking on
next
step
print shared_total
print local
set scheduler-locking off
break worker_turn thread 4
continue
print self->index
info threads
backtrace
delete
# All three run through a condition that is never true.
break hot_in_worker if i == 5000
tbreak phase_threads:turns_taken
continue
info breakpoints
info threads
delete

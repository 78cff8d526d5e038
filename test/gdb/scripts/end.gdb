# To the program's own end.
delete
handle SIGUSR1 nostop noprint pass
handle SIGSEGV nostop noprint pass
continue
print $_exitcode
info threads

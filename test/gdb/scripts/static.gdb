tbreak main
continue
backtrace
info args
print argv[1]
next
next
next
until
display way
stepi
stepi
undisplay 1
info symbol main
info line main
tbreak printf
continue
backtrace
finish
info proc mappings
info sharedlibrary
continue
attempt continue

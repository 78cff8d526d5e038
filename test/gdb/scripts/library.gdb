tbreak phase_library
continue
info breakpoints
break library_scale
continue
backtrace
info args
next
next
info locals
finish
break square
continue
backtrace
delete
tbreak puts
continue
backtrace 2
finish
info sharedlibrary
info symbol library_apply
print library_bias
print library_apply
ptype library_apply

# 100,000 hits with a false condition, then one that is true.
tbreak phase_condition
continue
break hot if i < 0
tbreak phase_condition:never_true
continue
info breakpoints
print condition_sum
delete
break hot if i == 50 && condition_sum > 1000
continue
print i
backtrace
delete
break hot
ignore $bpnum 9
continue
print i
condition $bpnum i % 7 == 0
continue
print i
condition $bpnum
continue
print i
commands
  silent
  printf "i is %d\n", i
end
continue
delete
tbreak phase_condition:sometimes_true
continue

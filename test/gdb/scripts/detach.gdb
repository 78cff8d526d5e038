# The program goes on alone, with its breakpoints gone.
tbreak threads_parked
continue
break worker_turn
info breakpoints
detach
info inferiors

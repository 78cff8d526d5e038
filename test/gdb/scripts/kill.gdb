tbreak phase_steps
continue
info inferiors
kill
info inferiors

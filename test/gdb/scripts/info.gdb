tbreak phase_info
continue
info proc
info proc mappings
info sharedlibrary
info auxv
info signals SIGUSR1
info inferiors
info all-registers rip
info program

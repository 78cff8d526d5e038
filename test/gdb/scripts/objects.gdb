tbreak ready
continue
# Other programs of the host have such things too, so only this one's are shown.
pipe info os shm | awk '$1 == 1373525993 { print $3, $4, $5, $NF }'
pipe info os semaphores | awk '$1 == 1373525993 { print $3, $4, $5, $6 }'
pipe info os msg | awk '$1 == 1373525993 { print $3, $4, $5, $6 }'
# The ports differ from run to run: not traced.
set trace-commands off
eval "pipe info os sockets | awk '$2 == %d { print $1, $3, $4, $5, $7, $8 }'", listening
eval "pipe info os sockets | awk '$2 == %d { print $1, $3, $4, $5, $7, $8 }'", datagram
set trace-commands on
pipe info os shm | head -1
pipe info os semaphores | head -1
pipe info os msg | head -1
pipe info os sockets | head -1
continue

# Before the connection: the transcript shows each command, and nothing waits for or depends on a terminal.
set width 0
set height 0
set confirm off

python
class Attempt(gdb.Command):
    """Run a command that is expected to fail: print the error and go on, where gdb would end the script."""

    def __init__(self):
        super().__init__("attempt", gdb.COMMAND_USER)

    def invoke(self, argument, from_tty):
        try:
            gdb.execute(argument, from_tty)
        except gdb.error as error:
            print("error: %s" % error)

Attempt()
end

set trace-commands on

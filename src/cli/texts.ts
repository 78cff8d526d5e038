/** What --help, --version and --disable-packet print, beside what the option table says by itself. */
import { existsSync, readFileSync } from 'node:fs';

/** The version of package.json, which is above the folder of the sources as well as of what is built from them. */
export function packageVersion(): string {
  for (let folder = new URL('../', import.meta.url); ; folder = new URL('../', folder)) {
    const file = new URL('package.json', folder);
    if (existsSync(file)) return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
    if (folder.pathname === '/') throw new Error('package.json is missing');
  }
}

/** The first line is what tools parse; the gdbserver in it tells them whose command line this is. */
export function versionText(): string {
  return `sidestep ${packageVersion()} (compatible with GNU gdbserver 13.1)\nThis sidestep was configured as "x86_64-linux-gnu"\n`;
}

export const HELP_AFTER = `
COMM is where gdb connects:
  HOST:PORT, :PORT    TCP; without HOST, and unlike gdbserver, on this machine only. Port 0: any free one.
  [V6]:PORT           the same with an IPv6 address
  unix:PATH           a UNIX socket that only you can open
  -, stdio            this process's standard input and output

The program runs in an emulator: no ptrace, no privileges. Its random numbers, addresses and scheduling depend on
--seed alone, so two runs are equal as long as they read the same input.

What makes the next start faster, and nothing else, is kept in $XDG_CACHE_HOME/sidestep (~/.cache/sidestep);
the environment variable SIDESTEP_CACHE names another folder, or is "off".

  sidestep :1234 ./program                     gdb -ex 'target remote :1234' ./program
  sidestep run -- ./program                    the program alone, in the emulator; its exit status, 128 + signal when killed
  sidestep gdb -- ./program                    your gdb, connected to it; docs/gdb-command.md has scripts for CI
  sidestep probe -e libc:malloc -- ./program   how often it calls malloc; docs/uprobes.md has more
`;

/** gdbserver's words. */
export const DISABLABLE_TEXT = `Disableable packets:
  vCont       \tAll vCont packets
  qC          \tQuerying the current thread
  qfThreadInfo\tThread listing
  Tthread     \tPassing the thread specifier in the T stop reply packet
  threads     \tAll of the above
  T           \tAll 'T' packets
`;

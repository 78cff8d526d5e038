/** Whose rights a program runs with: set-user-id and set-group-id files, capabilities over execve (fs/exec.c bprm_fill_uid, security/commoncap.c). */
import type { Machine } from '../machine.js';
import type { Credentials, Process } from '../process.js';
import { KEEP_CAPS } from './identity.js';
import { CAP, capable } from './identity-checks.js';

/** The ids that a file gives to whoever executes it. */
export interface FileOwner {
  readonly setUser: number | undefined;
  readonly setGroup: number | undefined;
}

/** The credentials behind execve. Those of the process are not changed. */
export function credentialsAfterExec(machine: Machine, process: Process, file: FileOwner): Credentials {
  const before = process.credentials;
  const given = isRestricted(machine, process) ? { setUser: undefined, setGroup: undefined } : file;
  const euid = given.setUser ?? before.euid;
  const egid = given.setGroup ?? before.egid;
  const ids = { euid, suid: euid, fsuid: euid, egid, sgid: egid, fsgid: egid };
  return { ...before, ...ids, securebits: before.securebits & ~KEEP_CAPS, capabilities: capabilitiesFor(before, euid) };
}

/** PR_SET_NO_NEW_PRIVS; or a debugger looks on that could not have attached to the privileged program (LSM_UNSAFE_PTRACE). */
function isRestricted({ root }: Machine, { credentials, traced }: Process): boolean {
  return credentials.noNewPrivileges || (traced && (root === undefined || !capable(root, CAP.SYS_PTRACE)));
}

/** Files have no capabilities here: root gets them all, others keep the ambient ones (handle_privileged_root). */
function capabilitiesFor({ capabilities, ruid }: Credentials, euid: number): Credentials['capabilities'] {
  const { inheritable, bounding, ambient } = capabilities;
  const permitted = ruid === 0 || euid === 0 ? inheritable | bounding : ambient;
  return { ...capabilities, permitted, effective: euid === 0 ? permitted : ambient };
}

/** AT_SECURE: the dynamic linker does not trust the environment. */
export function isSecure({ ruid, euid, rgid, egid }: Credentials): boolean {
  return ruid !== euid || rgid !== egid;
}

/** prctl(PR_GET_DUMPABLE) behind exec: whoever ran the former program may not look into one that has more rights (begin_new_exec, commit_creds). */
export function isDumpable(before: Credentials, after: Credentials): boolean {
  return !isSecure(after) && before.euid === after.euid && before.egid === after.egid;
}

/** The public API: run programs in the emulator and serve them to debuggers. Probing has an entry of its own, `sidestep/uprobes`. */
export {
  DEFAULT_MACHINE,
  type MachineOptions,
  type RunOptions,
  type ServeOptions,
} from './options.js';
export { runProgram } from './server/run.js';
export { serve } from './server/serve.js';

import { programs } from './programs.js';

programs('interp');

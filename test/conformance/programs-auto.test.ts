import { programs } from './programs.js';

programs('auto');

import { programs } from './programs.js';

programs('compile');

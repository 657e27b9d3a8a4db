// Loaded before the service that is soaked: on SIGUSR2 it collects its garbage, so that what its heap holds then is in use.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');
process.on('SIGUSR2', () => collect());

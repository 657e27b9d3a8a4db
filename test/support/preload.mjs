// CommonJS packages may require() Nest's ES modules only once those are loaded; jest refuses it during their import.
await import('@nestjs/common');
await import('@nestjs/core');
await import('@nestjs/swagger');

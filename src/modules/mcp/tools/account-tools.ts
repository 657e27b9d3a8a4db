import { AGENT_ROLES } from '../../agents/agent.entity.js';
import { oneOf, ORG, PAGE, TEAM, text, tool } from './tool.js';

/** Who there is, and where they work. */
export const ACCOUNT_TOOLS = [
  tool(
    'ping',
    'Ping',
    'GET /health',
    'Tells whether the service is up, with its version. Use it to test the connection; it needs no scope.',
  ),
  tool(
    'whoami',
    'Who am I',
    'GET /auth/me',
    'Tells whom your credential belongs to: a user, or an API key with its organization, scopes and, for the key of an agent, `agent_id` and `team_id`. Call it first when you do not know your ids.',
  ),
  tool(
    'authenticate',
    'Check an API key',
    'GET /auth/me',
    'Tells whom the given API key belongs to, as whoami does for your own. It does not change who you are: the connection keeps its credential.',
    {
      input: { api_key: text('The key to check') },
      run: async ({ args, send }) => (await send({}, 'GET /auth/me', String(args['api_key']))).body,
    },
  ),
  tool(
    'list_orgs',
    'List organizations',
    'GET /orgs',
    'Lists the organizations that you reach, by name. Use it to find an `org_id`.',
    { input: PAGE },
  ),
  tool(
    'create_org',
    'Create an organization',
    'POST /orgs',
    'Makes an organization with you as its owner. For users only. Answers the organization.',
    {
      input: {
        name: text('1 to 100 characters'),
        slug: text('Lower-case letters, digits and hyphens; unique in the whole service'),
      },
    },
  ),
  tool(
    'list_teams',
    'List teams',
    'GET /orgs/{org_id}/teams',
    'Lists the teams of an organization, by name. Use it to find a `team_id`.',
    { input: { ...ORG, ...PAGE } },
  ),
  tool(
    'create_team',
    'Create a team',
    'POST /orgs/{org_id}/teams',
    'Makes a team, with an agent named manager in it. Needs an owner, an admin or a key of the organization. Answers the team.',
    {
      input: {
        ...ORG,
        name: text('1 to 100 characters'),
        slug: text('Lower-case letters, digits and hyphens; unique in the organization'),
      },
    },
  ),
  tool(
    'get_team',
    'Read a team',
    'GET /teams/{team_id}',
    'Reads a team with its agents and its repositories. Use it to see whom work can be given to.',
    { input: TEAM },
  ),
  tool(
    'list_agents',
    'List agents',
    'GET /teams/{team_id}/agents',
    'Lists the agents of a team by name, with role and status (idle, working or paused). Use it before you assign a task or write to an agent.',
    { input: { ...TEAM, ...PAGE } },
  ),
  tool(
    'list_team_agents',
    'List agents (old name)',
    'GET /teams/{team_id}/agents',
    'The same as list_agents, under the name that older clients use.',
    { input: { ...TEAM, ...PAGE } },
  ),
  tool(
    'create_agent',
    'Create an agent',
    'POST /teams/{team_id}/agents',
    'Adds an idle agent to a team. Needs an owner, an admin or a key of the organization. Answers the agent.',
    {
      input: {
        ...TEAM,
        name: text('Unique in the team'),
        role: oneOf(AGENT_ROLES, 'What it does').default('engineer'),
        model: text("The model it works with; default the team's, else claude-sonnet-4-20250514").optional(),
      },
      adds: { config: {} },
    },
  ),
  tool(
    'list_repos',
    'List repositories',
    'GET /teams/{team_id}/repos',
    'Lists the git repositories of a team, by name. Use it to find a `repo_id`.',
    { input: { ...TEAM, ...PAGE } },
  ),
  tool(
    'register_repo',
    'Register a repository',
    'POST /teams/{team_id}/repos',
    "Registers a git working tree that lies on the server's disk, under the directory its operator allows. Needs an owner, an admin or a key of the organization. Answers the repository.",
    {
      input: {
        ...TEAM,
        name: text('Unique in the team'),
        local_path: text("Its path on the server's disk"),
        default_branch: text('The branch that work starts from and goes to').default('main'),
      },
    },
  ),
];

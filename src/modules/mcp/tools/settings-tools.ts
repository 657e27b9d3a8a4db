import { WEBHOOK_PROVIDERS } from '../../webhooks/webhook.entity.js';
import { count, flag, list, oneOf, ORG, PAGE, TEAM, text, tool, uuid } from './tool.js';

const EVENTS = 'Names such as issues, issues.opened, pull_request.merged, issues.* or *';

/** How a team works, and where its work comes from. */
export const SETTINGS_TOOLS = [
  tool(
    'get_team_settings',
    'Read team settings',
    'GET /settings/teams/{team_id}',
    'Reads the settings of a team: cost limits, default model, whether review is required.',
    { input: TEAM },
  ),
  tool(
    'update_team_settings',
    'Change team settings',
    'PATCH /settings/teams/{team_id}',
    'Changes the settings that are given; the others stay. Answers all of them.',
    {
      idempotent: true,
      input: {
        ...TEAM,
        daily_cost_limit_usd: count('What its agents may cost in a day, in USD').optional(),
        task_cost_limit_usd: count('What one task may cost, in USD').optional(),
        default_model: text('The model of agents that name none').optional(),
        auto_merge: flag('Whether approved work is merged without asking').optional(),
        require_review: flag('Whether every task must pass review').optional(),
        branch_prefix: text('What the names of branches begin with').optional(),
      },
    },
  ),
  tool(
    'get_team_conventions',
    'Read team conventions',
    'GET /settings/teams/{team_id}/conventions',
    'Lists the conventions of a team. Read them before you write code for it, and follow the active ones.',
    { input: TEAM },
  ),
  tool(
    'add_team_convention',
    'Add a team convention',
    'POST /settings/teams/{team_id}/conventions',
    'Adds a convention that the agents of the team are told. A key that is taken is refused. Answers the convention.',
    {
      input: {
        ...TEAM,
        key: text('Short name of the convention'),
        content: text('What to do, or not to do'),
        active: flag('Whether agents are told').default(true),
      },
    },
  ),
  tool(
    'create_webhook',
    'Create a webhook',
    'POST /webhooks',
    'Makes a webhook that turns GitHub events into tasks of a team. Answers it with its address and its secret, which no later call shows again.',
    {
      input: {
        ...ORG,
        name: text('What people call it'),
        team_id: uuid('The team that tasks are made for; without it events are only logged').optional(),
        provider: oneOf(WEBHOOK_PROVIDERS, 'Who sends').default('github'),
        events: list(text('Name of an event'), EVENTS).optional(),
      },
    },
  ),
  tool(
    'list_webhooks',
    'List webhooks',
    'GET /webhooks/orgs/{org_id}',
    'Lists the webhooks of an organization with their health, without their secrets.',
    {
      input: {
        ...ORG,
        team_id: uuid('Only those of this team').optional(),
        active_only: flag('Leaves out those that are switched off').default(false),
        ...PAGE,
      },
    },
  ),
  tool(
    'update_webhook',
    'Change a webhook',
    'PATCH /webhooks/{webhook_id}',
    'Changes what is given: name, events, or whether the webhook is active. Answers the webhook.',
    {
      idempotent: true,
      input: {
        webhook_id: uuid('The webhook'),
        name: text('What people call it').optional(),
        events: list(text('Name of an event'), EVENTS).optional(),
        active: flag('Whether it takes deliveries').optional(),
      },
    },
  ),
];

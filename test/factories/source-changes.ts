import { newId } from '../../src/database/new-id.js';
import { type SourceChange, type SourceItem } from '../../src/modules/tasks/source-change.js';
import { type Team } from '../../src/modules/teams/team.entity.js';

/** Above the numbers that tests name. */
let numbers = 1_000;

export const makeItem = (values: Partial<SourceItem> = {}): SourceItem => {
  const number = values.number ?? (numbers += 1);
  return {
    key: `github.com/repositories/7/issues/${number}`,
    kind: 'issue',
    repository_id: 7,
    repository: 'acme/web',
    number,
    url: `https://github.com/acme/web/issues/${number}`,
    title: 'Fix the login',
    body: 'It does not work.',
    labels: [],
    author: 'ada',
    author_association: 'MEMBER',
    state: 'open',
    state_reason: null,
    draft: false,
    updated_at: new Date('2026-01-01T00:00:00Z'),
    ...values,
  };
};

export const makeChange = (
  team: Pick<Team, 'id' | 'org_id'>,
  values: Omit<Partial<SourceChange>, 'policy' | 'item'> & {
    item?: SourceItem;
    policy?: Partial<SourceChange['policy']>;
  } = {},
): SourceChange => ({
  action: 'opened',
  org_id: team.org_id,
  team_id: team.id,
  webhook_id: newId(),
  delivery_id: newId(),
  correlation_id: newId(),
  sender: 'ada',
  ...values,
  item: values.item ?? makeItem(),
  policy: {
    auto_assign: false,
    auto_assign_role: null,
    label_priorities: null,
    hold_reason: null,
    sync: false,
    ...values.policy,
  },
});

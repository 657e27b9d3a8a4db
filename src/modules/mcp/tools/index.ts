import { ACCOUNT_TOOLS } from './account-tools.js';
import { GIT_TOOLS } from './git-tools.js';
import { REVIEW_TOOLS } from './review-tools.js';
import { SETTINGS_TOOLS } from './settings-tools.js';
import { TASK_TOOLS } from './task-tools.js';
import { type Tool } from './tool.js';
import { WAIT_TOOLS } from './wait-tools.js';
import { WORK_TOOLS } from './work-tools.js';

/** Every tool, also those whose route this service does not have (yet): see ToolCatalog. */
export const TOOLS: readonly Tool[] = [
  ...ACCOUNT_TOOLS,
  ...TASK_TOOLS,
  ...WAIT_TOOLS,
  ...WORK_TOOLS,
  ...REVIEW_TOOLS,
  ...GIT_TOOLS,
  ...SETTINGS_TOOLS,
];

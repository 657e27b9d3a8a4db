/** What every DELETE answers: clients parse a body of each 2xx. */
export class Deleted {
  deleted: true;
}

export const DELETED: Deleted = { deleted: true };

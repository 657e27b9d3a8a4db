/** A machine that others use too may be past its capacity now and then. */
const MAX_UNANSWERED = 0.05;

/** What callers have been answered, by what they did. What is refused or unanswered is no fault yet, only too much of it. */
export class Tally {
  #counts = new Map();
  #faults = [];
  #total = 0;
  #unanswered = 0;

  /** Notes one answer: `busy` is a 503, `cut` a connection that ended under the request. */
  note(what, outcome) {
    this.#total += 1;
    if (outcome === 'busy' || outcome === 'cut') this.#unanswered += 1;
    const key = `${what} ${outcome}`;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  fault(text) {
    if (this.#faults.length < 20) this.#faults.push(text);
  }

  get faults() {
    const share = this.#unanswered / Math.max(1, this.#total);
    return share > MAX_UNANSWERED
      ? [...this.#faults, `${this.#unanswered} of ${this.#total} requests were not answered`]
      : this.#faults;
  }

  get rows() {
    return [...this.#counts]
      .toSorted(([a], [b]) => a.localeCompare(b))
      .map(([what, count]) => ({ what, count }));
  }
}

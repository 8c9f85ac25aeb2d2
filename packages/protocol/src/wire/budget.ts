/**
 * The budget of a turn: the interface by which whoever takes messages out of a peer's bytes asks
 * whether the others are to have their turn. Must not know a clock; the one that has is transport's
 * turn-budget.ts.
 *
 * @module
 */

/** What may be done for one peer before the others get their turn. */
export interface ReadBudget {
  /**
   * Counts a message of so many bytes. Returns true when the budget is spent: what else has arrived
   * waits for another turn.
   */
  spend(bytes: number): boolean;
}

/** No limit: for whoever has nobody else to serve. */
export const unlimitedBudget: ReadBudget = Object.freeze({ spend: () => false });

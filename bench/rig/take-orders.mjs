import { inspect } from 'node:util';

/**
 * Makes this process a helper of a program: each message names one of `orders` by its `kind`, and is answered with what
 * that gives back. It ends with the program.
 */
export function takeOrders(orders) {
  process.on('message', (order) => {
    Promise.resolve(orders[order.kind](order)).then(
      (result) => process.send(result ?? {}),
      (/** @type {unknown} */ error) => process.send({ fault: inspect(error) }),
    );
  });
  process.on('disconnect', () => process.exit(0));
}

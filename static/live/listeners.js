/** Call a listener of the page. Its error goes to the console and does not affect other listeners. */
export function callListener(listener, ...values) {
  try {
    listener?.(...values);
  } catch (error) {
    reportError(error);
  }
}

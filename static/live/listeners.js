/** Call a listener of the page; an error of its own is reported to the console, and stops nobody else. */
export function tell(listener, ...values) {
  try {
    listener?.(...values);
  } catch (error) {
    reportError(error);
  }
}

/** Calls in quick succession that lead to one run at a time. */

/** Return a function that calls `run`; however often it is called during a run, one more run follows. */
export function coalesced(run) {
  let isRunning = false;
  let isCalled = false;
  return async () => {
    isCalled = true;
    if (isRunning) return;
    isRunning = true;
    try {
      while (isCalled) {
        isCalled = false;
        await run();
      }
    } finally {
      isRunning = false;
    }
  };
}

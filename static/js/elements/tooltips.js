/** The names of buttons that show an icon alone, while the pointer is on them. */

/** Show these names from now on, on the buttons of later pages as well. */
export function nameIconButtons() {
  document.addEventListener("pointerover", ({ target }) => {
    const button = target.closest?.("button[aria-label], a[aria-label].action");
    // The name may change with the state of the button.
    if (button && button.title !== button.ariaLabel && !button.textContent.trim()) button.title = button.ariaLabel;
  });
}

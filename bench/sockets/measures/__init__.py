"""What is measured, one module each: `measure(quick=…)` returns the figures."""

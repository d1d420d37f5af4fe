"""One module for each measurement: `measure(cores, quick=…)` returns the figures."""

"""Unit tests of what the benchmarks reckon and draw."""

"""Tests of the benchmarks' own machinery on real sockets."""

"""One file for each row of the table in docs/benchmarks.md."""

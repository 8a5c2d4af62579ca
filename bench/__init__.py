"""Figures beside a limit that the same machine shows in the same run. Never a timed test: see docs/benchmarks.md."""

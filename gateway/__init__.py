"""HTTP in, 202 out: publishes job.requested, and shows what the ledger knows."""

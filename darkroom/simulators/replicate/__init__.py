"""Replicate, simulated: https://replicate.com/docs/reference/http, as recorded and read from public sources."""

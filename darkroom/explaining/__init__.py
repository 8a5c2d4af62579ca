"""From what the tables show to words: why a job is where it is. Pure."""

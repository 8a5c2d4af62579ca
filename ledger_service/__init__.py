"""Every fact in; projections that people read, and job.completed out. Never decides what is done, only tells."""

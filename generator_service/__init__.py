"""job.requested in; one media.generated per output out. The only service that spends money."""

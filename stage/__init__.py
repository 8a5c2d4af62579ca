"""What every service is built from: consume, work rows, outbox relay, watchdog, telemetry, settings."""

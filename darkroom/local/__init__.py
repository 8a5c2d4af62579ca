"""Kafka, PostgreSQL, S3 and the services as processes of this machine."""

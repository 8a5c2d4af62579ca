"""For people: the command line, and Kafka, PostgreSQL and S3 on this machine."""

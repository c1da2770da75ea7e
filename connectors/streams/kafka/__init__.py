"""The stream on Apache Kafka: the log, and the transport that Faust consumes by."""

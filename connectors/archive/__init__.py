"""The archive of fetched records: Avro files by source and hour, in a folder or in S3."""

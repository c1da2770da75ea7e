"""Files behind one small interface: a folder, or a bucket of S3."""

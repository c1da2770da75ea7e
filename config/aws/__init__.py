"""Files for AWS Batch: the steps of impressions as jobs."""

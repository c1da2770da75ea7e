"""Delivery to billing targets: one lane of positions a partition, one line a sink and partition."""

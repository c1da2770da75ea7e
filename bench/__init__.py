"""Benchmarks: one job on one broker for Sluice and its peers, one system at a time.

The broker runs on one core, the system under test on the other. A figure counts only if the totals
read back from the system's own state equal the generator's.
"""

"""What `sluice doctor` looks at: a file for each place where something may be wrong."""

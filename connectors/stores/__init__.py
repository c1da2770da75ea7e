"""What people and programs outside query: FDDs, campaigns, negative numbers."""

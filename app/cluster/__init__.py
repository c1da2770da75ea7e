"""The workers of one installation: who is there, and how they ask each other."""

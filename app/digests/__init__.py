"""Digests: what they tell, and the mails and files that they are."""

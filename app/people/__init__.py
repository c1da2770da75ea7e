"""Who may ask what: users, tokens, sign-ins, and what they may do."""

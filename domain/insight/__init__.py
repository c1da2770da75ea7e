"""What people did with campaigns: the funnel they went through, what they used, who was reached."""

"""What the scripts run on; none of it is part of the product."""

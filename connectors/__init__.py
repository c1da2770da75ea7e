"""What is outside the product, behind small interfaces, each with an embedded twin."""

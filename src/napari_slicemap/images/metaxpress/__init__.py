"""Plates as MetaXpress exports them."""

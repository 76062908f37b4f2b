"""Stacks: time series of one field, with processed layers, masks and the record of what was done to them."""

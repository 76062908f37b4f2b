"""The records that let somebody repeat an output."""

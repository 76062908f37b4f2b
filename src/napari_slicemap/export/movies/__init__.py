"""How movies are encoded, timed and labelled."""

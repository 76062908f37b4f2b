"""From an item to what a writer takes: a picture, a movie, or the pixels themselves."""

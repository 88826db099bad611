"""Native code against the image that it is in: would the loader of the target take it."""

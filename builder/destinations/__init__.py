"""Where an image goes, beside the builder's own store: layouts, archives and engines."""

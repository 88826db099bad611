"""Scenarios measured side by side with peers; run by hand, read as ratios."""

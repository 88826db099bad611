"""An image is made: what was made before is found, the rest is installed, packed, assembled.

``image`` has the steps; ``install`` starts uv for what ``dependencies`` and ``project`` pack.
"""

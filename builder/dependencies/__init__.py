"""Third-party distributions in an image: packed once per machine, joined into layers.

From staged files (``distribution``) and the choice of layers (``grouping``) through cached segments
(``segments``) to finished layers (``layers``).
"""

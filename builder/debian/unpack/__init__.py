"""The content of packages, laid on a root as dpkg would."""

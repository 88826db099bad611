"""What must not get out: secrets, and what lies beside the source by accident."""

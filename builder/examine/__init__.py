"""Looking into finished images, whoever built them."""

"""What is known about the images: clinical tables and masks, joined before identities are replaced."""

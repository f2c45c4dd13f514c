"""What may leave, and in which form: pseudonyms, the allow-list and the sidecars made from it."""

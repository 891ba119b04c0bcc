"""The addresses, one small file for each family."""

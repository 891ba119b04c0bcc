"""A saved model: its files, and every check that loading makes of them."""

"""The two fitting loops: full-batch gradient descent, and mini-batches with AdamW."""

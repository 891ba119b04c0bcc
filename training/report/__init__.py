"""The report that is written next to a saved model, for people who would rather look than read."""

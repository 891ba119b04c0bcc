"""What happened: an id for each request, counts, and a line in the log where one is asked for."""

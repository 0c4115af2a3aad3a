"""Teachers: what labels queries, the labelling run, and queries written to a plan."""

"""Read tables built from the log alone, and the queries on them."""

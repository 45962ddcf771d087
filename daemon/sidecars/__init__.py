"""What lies beside model files and tells of them: found, read, and what it means."""

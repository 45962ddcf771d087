"""The libraries of earlier Hikazes, read without a byte of them changed."""

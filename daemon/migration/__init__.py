"""Brings the library of an earlier Hikaze along, row by row."""

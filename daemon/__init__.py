"""The program that acts: it watches folders, imports, writes the log and serves the API."""

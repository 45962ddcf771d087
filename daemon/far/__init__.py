"""Looks at file systems that may hang, each by a process of its own."""

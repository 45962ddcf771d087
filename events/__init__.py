"""What can happen in a library, and the append-only log of what did."""

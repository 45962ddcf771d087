"""What a picture tells of how it was made, by the texts that generators write into it."""

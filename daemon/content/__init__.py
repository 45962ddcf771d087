"""What a model file is, told by its own bytes."""

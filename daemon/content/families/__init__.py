"""Which family of models a file belongs to, told by the names and shapes of its tensors; begin at `telling`."""

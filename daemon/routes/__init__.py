"""What the API answers: the route table, and the handlers in it."""

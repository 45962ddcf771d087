"""What is known of models, written beside their files in formats that other managers read."""

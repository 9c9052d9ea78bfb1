"""What leaves the program: text for people without secrets and control characters, and files written whole."""

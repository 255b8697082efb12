"""The table of methods in docs/adapters.md, from what the program says of itself and of the goldens."""

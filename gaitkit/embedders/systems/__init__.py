"""One module for each embedder."""

"""Networks of embedders and what they are built from."""

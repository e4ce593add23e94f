"""Layers, starting weights and losses that several systems share."""

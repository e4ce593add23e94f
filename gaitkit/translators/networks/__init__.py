"""Layers, losses and measures that several systems share."""

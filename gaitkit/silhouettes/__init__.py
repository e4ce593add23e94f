"""Frames to aligned silhouettes: find the person, drop what shows none, scale and centre."""

"""Gait energy images: the average silhouette of a walk, its period, its direction."""

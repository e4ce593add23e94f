"""Aligned silhouettes to gait energy images: period, walking direction, the average."""

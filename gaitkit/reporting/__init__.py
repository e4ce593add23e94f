"""What artefacts look like: sheets, figures, exports, and one HTML page about results."""

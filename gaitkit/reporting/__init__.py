"""Sheets and figures: what artefacts look like."""

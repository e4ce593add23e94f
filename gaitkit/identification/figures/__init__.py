"""Rates of ISO/IEC 19795-1 with intervals: closed set, verification, open set, paired."""

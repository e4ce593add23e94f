"""Discriminant analysis that embedders and translators take a part of their answer from."""

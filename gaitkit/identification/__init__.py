"""Who is it: features, nearest neighbours, and the cross-view identification tables."""

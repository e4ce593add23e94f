"""Where frames come from: readers of trees, archives, manifests, videos and ready-made GEIs."""

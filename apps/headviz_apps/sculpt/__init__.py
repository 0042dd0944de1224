"""The sculpt window (``headviz sculpt``): a head, brushes and keypoints, both sides at once."""

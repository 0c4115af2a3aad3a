"""Many queries in many files: routed or labelled file by file, on this machine or on Ray."""

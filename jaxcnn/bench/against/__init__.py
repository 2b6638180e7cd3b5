"""`jaxcnn bench --against REV`: two revisions of jaxcnn timed in turn, each in a process of its own."""

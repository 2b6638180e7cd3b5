"""`jaxcnn bench`: how fast, against autodiff and against other frameworks, with the same work proven to be done."""

"""What convolution and pooling share: windows that slide over an image."""

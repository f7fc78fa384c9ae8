"""The model: a path from the noised LR image to the HR image, the network that follows it, training and sampling."""

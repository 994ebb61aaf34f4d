"""TensorRT: what of it and of CUDA is used (`api`), plans, manifests, buffers and the runner."""

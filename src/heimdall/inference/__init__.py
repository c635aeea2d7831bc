"""What the network reads, its file, and its use: onnxruntime, never torch."""
